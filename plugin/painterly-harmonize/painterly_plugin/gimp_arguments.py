"""What can be asked of our procedures: GIMP makes dialog, last values, saved settings and PDB calls of it."""

from __future__ import annotations

import gi

gi.require_version("Gimp", "3.0")
from gi.repository import Gimp, GObject  # noqa: E402

from painterly_plugin import wording  # noqa: E402
from painterly_plugin.language import _  # noqa: E402
from painterly_plugin.settings import AUTOMATIC, GENRES, NUMBER  # noqa: E402
from painterly_protocol.request import (  # noqa: E402
    DEFAULT_METHOD,
    DEFAULT_PRESET,
    MAX_ITERATIONS,
    MAX_SIZE,
    METHODS,
    PRESETS,
)

SAVED = GObject.ParamFlags.READWRITE
# GIMP_PARAM_DONT_SERIALIZE, of which Gimp.PARAM_DONT_SERIALIZE has another value: a layer cannot be saved as a setting.
NOT_SAVED = GObject.ParamFlags.READWRITE | GObject.ParamFlags(1 << 9)
MAX_SEED = 2**31 - 1
MAX_GROWTH = 100  # px
MAX_SOFTNESS = 100.0  # px


def add_arguments(procedure: Gimp.Procedure) -> None:
    """The arguments of the harmonizing procedure, in the order of the dialog."""
    _add_choice(
        procedure,
        "preset",
        _("_Quality"),
        _("How much work is spent on the picture"),
        {name: wording.preset_texts(name) for name in PRESETS},
        DEFAULT_PRESET,
    )
    procedure.add_double_argument(
        "strength",
        _("S_trength"),
        _("How strongly the object is repainted: 0 keeps it close to what it is, 1 makes it all paint"),
        *(0.0, 1.0, 0.5, SAVED),
    )
    procedure.add_double_argument(
        "detail",
        _("_Detail"),
        _("How much of the object's own detail is kept: 0 leaves brush strokes only, 1 all fine lines"),
        *(0.0, 1.0, 0.5, SAVED),
    )
    _add_choice(
        procedure,
        "genre",
        _("St_yle of the painting"),
        _("How freely the painting is painted; automatic looks at the painting itself"),
        {name: (wording.genre_text(name), "") for name in (AUTOMATIC, NUMBER, *GENRES)},
        AUTOMATIC,
    )
    procedure.add_double_argument(
        "stylization",
        _("Styli_zation"),
        _("With the style “A number”: from about 1 (Baroque) to 10 (Cubism)"),
        *(0.0, 100.0, 5.0, SAVED),
    )
    _add_edges(procedure)
    procedure.add_int_argument(
        "seed",
        _("S_eed"),
        _("The same seed gives the same picture; another one other brush strokes"),
        *(0, MAX_SEED, 0, SAVED),
    )
    procedure.add_boolean_argument(
        "hide-object",
        _("Hide the o_bject's layer"),
        _("So that its raw edge does not show under the result"),
        *(True, SAVED),
    )
    procedure.add_drawable_argument(
        "style-source",
        _("Style source"),
        _("A layer to imitate, or a channel that selects the part of the painting to imitate; none: all of it"),
        *(True, NOT_SAVED),
    )
    _add_expert(procedure)


def _add_edges(procedure: Gimp.Procedure) -> None:
    procedure.add_int_argument(
        "mask-growth",
        _("_Grow outline"),
        _("Moves the object's outline outwards; below 0 inwards, which cuts off a fringe of its old background"),
        *(-MAX_GROWTH, MAX_GROWTH, 0, SAVED),
    )
    procedure.add_double_argument(
        "edge-softness",
        _("So_ften edge"),
        _("Width in pixels over which the object fades into the painting, besides what the selection does"),
        *(0.0, MAX_SOFTNESS, 0.0, SAVED),
    )


def _add_expert(procedure: Gimp.Procedure) -> None:
    _add_choice(
        procedure,
        "method",
        _("Method"),
        _("In which way the object is painted; the quality says how large and how long"),
        {name: wording.method_texts(name) for name in METHODS},
        DEFAULT_METHOD,
    )
    procedure.add_int_argument(
        "size",
        _("Wor_king size"),
        _("Longest side in pixels, at least 32, that the picture is worked on at; 0 leaves it to the quality"),
        *(0, MAX_SIZE, 0, SAVED),
    )
    procedure.add_int_argument(
        "iterations",
        _("_Iterations"),
        _("Iterations of each pass; 0 leaves them to the quality"),
        *(0, MAX_ITERATIONS, 0, SAVED),
    )
    procedure.add_string_argument(
        "weights",
        _("Net_work"),
        _("Which network sees the painting: auto, slim, vgg19, vgg16 or a file"),
        *("auto", SAVED),
    )


def _add_choice(
    procedure: Gimp.Procedure, name: str, label: str, text: str, choices: dict[str, tuple[str, str]], default: str
) -> None:
    choice = Gimp.Choice.new()
    for number, (nick, (words, explanation)) in enumerate(choices.items()):
        choice.add(nick, number, words, explanation)
    procedure.add_choice_argument(name, label, text, choice, default, SAVED)
