"""Runs inside GIMP, never imported: executes orders that the tests wrote as files, and answers them as files."""

import base64
import json
import time
import traceback
from pathlib import Path


def _bytes_in(value):
    return base64.b64decode(value["__bytes__"]) if value.keys() == {"__bytes__"} else value


def _bytes_out(value):
    if isinstance(value, bytes | bytearray):
        return {"__bytes__": base64.b64encode(value).decode()}
    raise TypeError(f"{type(value).__name__} cannot leave GIMP: put plain values or bytes into result")


def answer_order(path, names):
    """Execute one order in ``names`` (the prelude's, kept from order to order) and write its answer."""
    order = json.loads(Path(path).read_text(), object_hook=_bytes_in)
    names.pop("result", None)
    names.update(order["values"])
    try:
        exec(compile(order["source"], "<test>", "exec"), names)
        answer = json.dumps({"result": names.get("result")}, default=_bytes_out)
    except BaseException:
        answer = json.dumps({"error": traceback.format_exc()})
    temporary = Path(order["answer"] + ".tmp")
    temporary.write_text(answer)
    temporary.replace(order["answer"])


def prepared(prelude):
    names = {}
    exec(compile(prelude, "<prelude>", "exec"), names)
    return names


def work(order, prelude):
    """One order, then done."""
    answer_order(order, prepared(prelude))


def serve(folder, prelude):
    """Answer the orders that appear in ``folder`` until a file named stop does."""
    names = prepared(prelude)
    folder = Path(folder)
    (folder / "ready").touch()
    while not (folder / "stop").exists():
        for order in sorted(folder.glob("*.order")):
            answer_order(order, names)
            order.unlink()
        time.sleep(0.02)
