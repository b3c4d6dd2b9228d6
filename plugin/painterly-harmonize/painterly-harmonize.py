#!/usr/bin/env python3
"""Painterly Harmonize for GIMP 3: makes an object pasted into a painting look painted.

Only ``gi`` and the words are imported at the top: the procedures register, and their menu entries are there, even
where everything else is missing; what is missing is then said in a sentence when it is used. GIMP translates none of
our words: it asks for them anew in each language.
"""

from __future__ import annotations

import sys
from pathlib import Path

import gi

gi.require_version("Gimp", "3.0")
gi.require_version("GimpUi", "3.0")
from gi.repository import Gimp, GimpUi, GLib, GObject  # noqa: E402

from painterly_plugin.language import _  # noqa: E402

HARMONIZE = "plug-in-painterly-harmonize"
ENGINE = "plug-in-painterly-harmonize-engine"
DOMAIN = "painterly-harmonize"
ALWAYS = (
    Gimp.ProcedureSensitivityMask.DRAWABLE
    | Gimp.ProcedureSensitivityMask.DRAWABLES
    | Gimp.ProcedureSensitivityMask.NO_DRAWABLES
)


class PainterlyHarmonize(Gimp.PlugIn):
    def do_set_i18n(self, _name: str) -> tuple[bool, str, str | None] | bool:
        # GIMP complains about a catalogue that is not there.
        return (True, DOMAIN, "locale") if (Path(__file__).parent / "locale").is_dir() else False

    def do_query_procedures(self) -> list[str]:
        return [HARMONIZE, ENGINE]

    def do_create_procedure(self, name: str) -> Gimp.Procedure:
        return self._engine_procedure(name) if name == ENGINE else self._harmonize_procedure(name)

    def _harmonize_procedure(self, name: str) -> Gimp.Procedure:
        procedure = Gimp.ImageProcedure.new(self, name, Gimp.PDBProcType.PLUGIN, self.run_harmonize, None)
        procedure.set_image_types("*")
        procedure.set_sensitivity_mask(ALWAYS)
        procedure.set_menu_label(_("_Painterly Harmonize…"))
        procedure.add_menu_path("<Image>/Filters/")
        procedure.add_menu_path("<Layers>/Layers Menu/")
        procedure.set_icon_name(GimpUi.ICON_GEGL)
        procedure.set_documentation(
            _("Make an object pasted into a painting look painted"),
            _(
                "Select the object's layer (everything visible below it is the painting), or the object's and the "
                "painting's layers together. A selection limits what of the object is harmonized. The result is a new "
                "layer above the object; the originals are not changed. On a layer made by this filter it starts again "
                "from the settings that layer was made with. Repeat and scripts start from its object and outline "
                "alone: the settings are theirs, and its outline is neither moved nor softened again."
            ),
            None,
        )
        procedure.set_attribution("Painterly Harmonize contributors", "MIT licence", "2026")
        add_arguments(procedure)
        procedure.add_layer_return_value("layer", "Layer", "The harmonized object", True, GObject.ParamFlags.READWRITE)
        return procedure

    def _engine_procedure(self, name: str) -> Gimp.Procedure:
        procedure = Gimp.Procedure.new(self, name, Gimp.PDBProcType.PLUGIN, self.run_engine, None)
        interactive = Gimp.RunMode.INTERACTIVE
        flags = GObject.ParamFlags.READWRITE
        procedure.add_enum_argument("run-mode", "Run mode", "The run mode", Gimp.RunMode, interactive, flags)
        procedure.set_menu_label(_("Painterly Harmonize: En_gine and Networks…"))
        procedure.add_menu_path("<Image>/Edit/")
        procedure.set_icon_name(GimpUi.ICON_GEGL)
        procedure.set_documentation(
            _("The state of Painterly Harmonize's engine, its networks and its log"),
            _("Shows whether the engine runs and on what, downloads networks, and copies a report for whoever helps."),
            None,
        )
        procedure.set_attribution("Painterly Harmonize contributors", "MIT licence", "2026")
        return procedure

    def run_harmonize(
        self,
        procedure: Gimp.Procedure,
        run_mode: Gimp.RunMode,
        image: Gimp.Image,
        drawables: list[Gimp.Drawable],
        config: Gimp.ProcedureConfig,
        _data: object,
    ) -> Gimp.ValueArray:
        try:
            find_modules()
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

    def run_engine(self, procedure: Gimp.Procedure, _config: Gimp.ProcedureConfig, _data: object) -> Gimp.ValueArray:
        try:
            find_modules()
            from painterly_plugin.config import load_config

            config = load_config()
            config.announce()
            GimpUi.init(DOMAIN)
            from painterly_plugin.gimp_engine_window import show_engine_window

            show_engine_window(config)
        except Exception as error:
            return refusal(procedure, error)
        return procedure.new_return_values(Gimp.PDBStatusType.SUCCESS, None)


def find_modules() -> None:
    """Make what the plug-in carries along importable."""
    from painterly_plugin.config import add_vendored_modules

    add_vendored_modules()


def add_arguments(procedure: Gimp.Procedure) -> None:
    """The procedure's arguments, unless what they are taken from is missing: running it then says so."""
    try:
        find_modules()
        from painterly_plugin.gimp_arguments import add_arguments as add
    except ImportError:
        return
    add(procedure)


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
