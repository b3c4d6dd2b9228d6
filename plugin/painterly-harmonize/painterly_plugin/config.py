"""What ``install.py`` left beside the plug-in: how the engine starts, where it is found, where to log."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from painterly_plugin.language import _

PLUGIN_FOLDER = Path(__file__).resolve().parent.parent
REPAIR = _("Run “python3 install.py” in the Painterly Harmonize folder again, then restart GIMP.")


class ConfigError(Exception):
    """``str(error)`` is sentence and advice, fit for a dialog. Not a PainterlyError: ``vendor`` may be missing too."""

    def __init__(self, sentence: str) -> None:
        super().__init__(f"{sentence} {REPAIR}")


@dataclass(frozen=True)
class Config:
    """The installed ``config.json``.

    Attributes:
        engine_command: argument list that starts the engine.
        runtime_dir: where the engine publishes its runtime file; None for the default place.
        log_dir: where plug-in and engine write their logs; None for the default place.
        version: of the installed plug-in.
    """

    engine_command: tuple[str, ...]
    runtime_dir: Path | None = None
    log_dir: Path | None = None
    version: str = ""

    def announce(self) -> None:
        """Let the protocol's modules, and an engine started from here, log into ``log_dir``."""
        if self.log_dir is not None:
            os.environ["PAINTERLY_LOG_DIR"] = str(self.log_dir)


def load_config(folder: Path = PLUGIN_FOLDER) -> Config:
    """Read ``folder/config.json``.

    Raises:
        ConfigError: the file is absent, unreadable or not what install.py writes.
    """
    file = folder / "config.json"
    try:
        raw = json.loads(file.read_text(encoding="utf-8"))
        command = raw["engine_command"]
        if not (isinstance(command, list) and command and all(isinstance(part, str) for part in command)):
            raise TypeError("engine_command must be a list of strings")
        return Config(
            engine_command=tuple(command),
            runtime_dir=_folder(raw.get("runtime_dir")),
            log_dir=_folder(raw.get("log_dir")),
            version=str(raw.get("version", "")),
        )
    except FileNotFoundError:
        raise ConfigError(_("The plug-in's settings file config.json is missing.")) from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(
            _("The plug-in's settings file config.json cannot be used ({error}).").format(error=error)
        ) from error


def add_vendored_modules(folder: Path = PLUGIN_FOLDER) -> None:
    """Put ``folder/vendor`` last on sys.path: modules of GIMP's own Python win over the ones carried along."""
    vendor = str(folder / "vendor")
    if vendor not in sys.path:
        sys.path.append(vendor)


def _folder(value: object) -> Path | None:
    return Path(str(value)) if value else None
