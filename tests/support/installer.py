"""``install.py`` as a module (it lies outside every package), and what it would put into GIMP from this checkout."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

REPOSITORY = Path(__file__).resolve().parent.parent.parent
# The test run's own Python: in a real installation .venv's, whatever the folder is called here. Not resolved: the
# link is what makes Python find the environment.
ENGINE_PYTHON = Path(sys.executable).absolute()


def _load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("install", REPOSITORY / "install.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["install"] = module
    spec.loader.exec_module(module)
    return module


install = _load()


def engine_command() -> list[str]:
    """What an installation from this checkout starts the engine with."""
    command: list[str] = install.engine_command(ENGINE_PYTHON)
    return command
