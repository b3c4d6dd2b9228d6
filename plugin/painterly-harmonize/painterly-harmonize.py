#!/usr/bin/env python3
"""Painterly Harmonize for GIMP 3: makes an object pasted into a painting look painted.

Only ``gi`` is imported at the top: the procedure registers, and its menu entry is there, even where everything else is
missing; what is missing is then said in a sentence when it is used.
"""

from __future__ import annotations

import sys
from pathlib import Path

import gi

gi.require_version("Gimp", "3.0")
gi.require_version("GimpUi", "3.0")
from gi.repository import Gimp, GimpUi, GLib, GObject  # noqa: E402

PROCEDURE = "plug-in-painterly-harmonize"
ALWAYS = (
    Gimp.ProcedureSensitivityMask.DRAWABLE
    | Gimp.ProcedureSensitivityMask.DRAWABLES
    | Gimp.ProcedureSensitivityMask.NO_DRAWABLES
)
SAVED = GObject.ParamFlags.READWRITE


class PainterlyHarmonize(Gimp.PlugIn):
    def do_set_i18n(self, _name: str) -> bool:
        return False

    def do_query_procedures(self) -> list[str]:
        return [PROCEDURE]

    def do_create_procedure(self, name: str) -> Gimp.Procedure:
        procedure = Gimp.ImageProcedure.new(self, name, Gimp.PDBProcType.PLUGIN, self.run, None)
        procedure.set_image_types("*")
        procedure.set_sensitivity_mask(ALWAYS)
        procedure.set_menu_label("_Painterly Harmonize…")
        procedure.add_menu_path("<Image>/Filters/")
        procedure.set_icon_name(GimpUi.ICON_GEGL)
        procedure.set_documentation(
            "Make an object pasted into a painting look painted",
            "Select the object's layer (everything visible below it is the painting), or the object's and the "
            "painting's layers together. A selection limits what of the object is harmonized. The result is a new "
            "layer above the object; the originals are not changed.",
            name,
        )
        procedure.set_attribution("Painterly Harmonize contributors", "MIT licence", "2026")
        add_arguments(procedure)
        return procedure

    def run(
        self,
        procedure: Gimp.Procedure,
        run_mode: Gimp.RunMode,
        image: Gimp.Image,
        drawables: list[Gimp.Drawable],
        config: Gimp.ProcedureConfig,
        _data: object,
    ) -> Gimp.ValueArray:
        try:
            from painterly_plugin.config import add_vendored_modules

            add_vendored_modules()
            from painterly_plugin import gimp_run

            layer = gimp_run.run(procedure, run_mode, image, drawables, config)
        except Exception as error:
            return refusal(procedure, error)
        if layer is None:
            return procedure.new_return_values(Gimp.PDBStatusType.CANCEL, None)
        values = procedure.new_return_values(Gimp.PDBStatusType.SUCCESS, None)
        values.remove(1)
        values.insert(1, GObject.Value(Gimp.Layer, layer))
        return values


def add_arguments(procedure: Gimp.Procedure) -> None:
    presets = Gimp.Choice.new()
    presets.add("draft", 0, "Draft", "256 pixels, 50 + 50 iterations: a first look")
    presets.add("published", 1, "Published", "As in the paper: slow without a graphics card")
    procedure.add_choice_argument("preset", "_Preset", "How much work is spent", presets, "draft", SAVED)
    procedure.add_int_argument(
        "size",
        "Working si_ze",
        "Working size, the longest side in pixels, at least 32; 0 leaves it to the preset",
        0,
        16384,
        0,
        SAVED,
    )
    procedure.add_int_argument(
        "iterations", "_Iterations", "Iterations of each pass; 0 leaves them to the preset", 0, 100000, 0, SAVED
    )
    procedure.add_double_argument(
        "stylization", "St_ylization", "How strongly the object is repainted; 0 is automatic", 0.0, 100.0, 0.0, SAVED
    )
    procedure.add_string_argument(
        "weights", "_Network", "Which network sees the painting: auto, vgg19, vgg16 or a file", "auto", SAVED
    )
    procedure.add_int_argument("seed", "See_d", "Of the randomised patch search", 0, 2**31 - 1, 0, SAVED)
    procedure.add_boolean_argument(
        "hide-object", "Hide the ob_ject", "So that its raw edge does not show under the result", True, SAVED
    )
    procedure.add_layer_return_value("layer", "Layer", "The harmonized object", True, SAVED)


def refusal(procedure: Gimp.Procedure, error: Exception) -> Gimp.ValueArray:
    """EXECUTION_ERROR with sentence and advice, which GIMP shows in a dialog; the traceback goes to the log."""
    from painterly_plugin import report

    text = report.describe(error, report.write_log(error, log_folder()))
    message = GLib.Error.new_literal(Gimp.PlugIn.error_quark(), text, 0)
    return procedure.new_return_values(Gimp.PDBStatusType.EXECUTION_ERROR, message)


def log_folder() -> Path:
    """The installed log folder; the engine's default one, or the plug-in's own, where that is not known."""
    from painterly_plugin.config import PLUGIN_FOLDER, ConfigError, load_config

    try:
        folder = load_config().log_dir
    except ConfigError:
        folder = None
    if folder is not None:
        return folder
    try:
        from painterly_protocol import paths
    except ImportError:
        return PLUGIN_FOLDER / "log"
    return paths.log_dir()


Gimp.main(PainterlyHarmonize.__gtype__, sys.argv)
