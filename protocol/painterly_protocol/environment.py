"""The environment that another Python is started in from within GIMP."""

from __future__ import annotations

from collections.abc import Mapping

# What GIMP's packages put into the environment for GIMP's own sake; it would break another Python or its libraries.
_DROPPED = frozenset(
    {
        *("LD_LIBRARY_PATH", "LD_PRELOAD", "VIRTUAL_ENV", "CONDA_PREFIX", "__COMPAT_LAYER", "GIMP3_DIRECTORY"),
        *("GI_TYPELIB_PATH", "GDK_PIXBUF_MODULE_FILE", "GDK_PIXBUF_MODULEDIR", "GIO_MODULE_DIR", "GIO_EXTRA_MODULES"),
        *("FONTCONFIG_PATH", "FONTCONFIG_FILE", "GSETTINGS_SCHEMA_DIR", "XDG_CACHE_HOME"),
    }
)
_DROPPED_PREFIXES = ("PYTHON", "DYLD_", "GTK_", "GEGL_", "BABL_", "GIMP_")


def clean_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """``environment`` without what belongs to GIMP, its sandbox or another Python."""
    return {
        name: value
        for name, value in environment.items()
        if name.upper() not in _DROPPED and not name.upper().startswith(_DROPPED_PREFIXES)
    }
