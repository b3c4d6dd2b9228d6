#!/bin/sh
# Run a program with DIR as its root, in a mount namespace of its own: gimp_enter.sh DIR PROGRAM [ARGUMENT…]
# The machine's own root is then seen at /host, and nothing of this shows outside.
set -e
root=$1
shift
mount --bind "$root" "$root"
cd "$root"
mkdir -p host
pivot_root . host
mount -t proc proc /proc
exec "$@"
