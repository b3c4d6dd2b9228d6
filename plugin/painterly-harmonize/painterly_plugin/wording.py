"""What a running job is called in front of a painter."""

from __future__ import annotations

from collections.abc import Mapping

from painterly_plugin.estimate import Basis, Estimate
from painterly_plugin.language import _, said
from painterly_protocol.messages import Phase

PHASE_TEXTS = {
    Phase.LOADING: _("Loading the network"),
    Phase.PREPARING: _("Looking at the painting"),
    Phase.PASS_ONE: _("First pass: rough painting"),
    Phase.MATCHING: _("Finding matching brush strokes"),
    Phase.PASS_TWO: _("Second pass: fine painting"),
    Phase.FINISHING: _("Finishing the edges"),
}
# Presets come from the protocol; one that has no words here still has its name.
_PRESETS = {
    "instant": (_("Instant"), _("A first look within moments")),
    "draft": (_("Draft"), _("A quick look at what it will be")),
    "standard": (_("Standard"), _("Good for most pictures")),
    "high": (_("High"), _("More work for large pictures and prints")),
    "published": (_("As published"), _("The paper's two passes: slow without a graphics card")),
}
# So do methods.
_METHODS = {
    "two-pass": (_("Two passes"), _("From rough to fine, with the painting's own strokes")),
    "pass-one": (_("First pass alone"), _("Rougher and quicker")),
    "local": (_("Local style"), _("Colours and texture of the painting for the object alone")),
    "global": (_("Global style"), _("Colours and texture of the painting for the object and all around it")),
    "multi-style": (_("Two styles"), _("Colours and texture of the painting and of the style source together")),
    "adain": (_("Feed-forward"), _("In one go, within moments")),
}
_GENRES = {
    "auto": _("Automatic"),
    "number": _("A number"),
    "renaissance": _("Renaissance"),
    "high renaissance": _("High Renaissance"),
    "mannerism": _("Mannerism"),
    "baroque": _("Baroque"),
    "rococo": _("Rococo"),
    "classicism": _("Classicism"),
    "neoclassicism": _("Neoclassicism"),
    "romanticism": _("Romanticism"),
    "realism": _("Realism"),
    "symbolism": _("Symbolism"),
    "art nouveau": _("Art Nouveau"),
    "impressionism": _("Impressionism"),
    "post-impressionism": _("Post-Impressionism"),
    "pointillism": _("Pointillism"),
    "expressionism": _("Expressionism"),
    "fauvism": _("Fauvism"),
    "cubism": _("Cubism"),
    "abstract expressionism": _("Abstract Expressionism"),
}


LONGEST_NAME, LONGEST_REASON = 60, 200
"""Letters of what a note says; notes may come from anywhere."""

_ESTIMATES = {
    Basis.LEARNT: _("Takes about {time} and {memory}."),
    Basis.SCALED: _("Takes roughly {time} and {memory}."),
    Basis.GUESSED: _("Probably about {time} (a guess until the first run) and {memory}."),
}


def made_with(layer: str, result: Mapping[str, object]) -> str:
    """With which network a result was painted, how strongly stylized and why; "" where its note does not say."""
    network, stylization = result.get("network"), result.get("stylization")
    name = network.get("name") if isinstance(network, Mapping) else None
    if not isinstance(name, str) or len(name) > LONGEST_NAME:
        return ""
    value, reason = (stylization.get(of) for of in ("value", "reason")) if isinstance(stylization, Mapping) else (0, "")
    if not isinstance(value, int | float) or not value or not isinstance(reason, str) or len(reason) > LONGEST_REASON:
        return _("“{layer}” was painted with the network {network}.").format(layer=layer, network=name)
    text = _("“{layer}” was painted with the network {network}, stylization {value}: {reason}.")
    return text.format(layer=layer, network=name, value=f"{value:g}", reason=said(reason))


def preset_texts(name: str) -> tuple[str, str]:
    """(label, help) of a preset."""
    return _PRESETS.get(name, (name.capitalize(), ""))


def method_texts(name: str) -> tuple[str, str]:
    """(label, help) of a method."""
    return _METHODS.get(name, (name.capitalize(), ""))


def genre_text(name: str) -> str:
    """What a genre, or the way to choose one, is called."""
    return _GENRES.get(name, name.capitalize())


def time_left(seconds: float | None) -> str:
    """ "about 2 min left", coarse enough not to flicker; "" while nothing is known."""
    if seconds is None or seconds < 0:
        return ""
    if seconds < 5:
        return _("a few seconds left")
    return _("about {time} left").format(time=duration(seconds))


def duration(seconds: float) -> str:
    """ "10 s", "3 min", "2 h 05 min": no more precise than anybody needs."""
    if seconds < 55:
        return _("{count} s").format(count=max(5, 5 * round(seconds / 5)))
    minutes = max(1, round(seconds / 60))
    if minutes < 60:
        return _("{count} min").format(count=minutes)
    hours, minutes = divmod(minutes, 60)
    return _("{hours} h {minutes:02d} min").format(hours=hours, minutes=minutes)


def estimate_text(estimate: Estimate) -> str:
    """What a job will probably take."""
    memory = _("about {gigabytes:.1f} GB of memory").format(gigabytes=max(0.1, estimate.megabytes / 1000))
    if estimate.seconds is None:
        return _("The first run will show how long this takes here; {memory}.").format(memory=memory)
    return _ESTIMATES[estimate.basis].format(time=duration(estimate.seconds), memory=memory)


def progress_text(phase: Phase, iteration: int, iterations: int) -> str:
    """ "First pass: rough painting, 12 of 50"; without the count where the phase does not iterate."""
    text = PHASE_TEXTS[phase]
    if not iterations:
        return text
    return _("{phase}, {iteration} of {iterations}").format(phase=text, iteration=iteration, iterations=iterations)


def queue_text(position: int) -> str:
    """What to show while other jobs run first."""
    if position == 0:
        return _("Next in the queue")
    if position == 1:
        return _("Waiting: 1 other job comes first")
    return _("Waiting: {count} other jobs come first").format(count=position)
