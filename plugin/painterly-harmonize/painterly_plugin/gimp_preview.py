"""The picture in the dialog: the object as it was pasted, and what the engine makes of it."""

from __future__ import annotations

import gi

gi.require_version("Gegl", "0.4")
gi.require_version("Gtk", "3.0")
gi.require_version("GdkPixbuf", "2.0")
from gi.repository import GdkPixbuf, Gegl, GLib, Gtk  # noqa: E402

from painterly_plugin.gimp_read import Subject  # noqa: E402
from painterly_plugin.gimp_scratch import MASK_FORMATS, RGB_FORMATS  # noqa: E402
from painterly_plugin.language import _  # noqa: E402
from painterly_plugin.placement import Box, crop  # noqa: E402
from painterly_plugin.steps import Steps, at_once  # noqa: E402
from painterly_protocol.pixels import Pixels  # noqa: E402

SIZE = (420, 280)
SMALL_RGB, SMALL_MASK = "R'G'B' u8", "Y u8"


class Preview:
    """A picture of fixed size with a button that shows the unchanged one. ``widget`` goes into the dialog."""

    def __init__(self) -> None:
        self._ground: GdkPixbuf.Pixbuf | None = None
        self._before: GdkPixbuf.Pixbuf | None = None
        self._after: GdkPixbuf.Pixbuf | None = None
        self._picture = Gtk.Image()
        self._picture.set_size_request(*SIZE)
        frame = Gtk.Frame()
        frame.add(self._picture)
        self._button = Gtk.ToggleButton.new_with_mnemonic(_("Com_pare"))
        self._button.set_tooltip_text(_("Shows the object as it was before, while it is pressed"))
        self._button.set_sensitive(False)
        self._button.connect("toggled", lambda _button: self._draw())
        self.caption = Gtk.Label(label=_("Reading the picture …"), xalign=0.0, wrap=True)
        row = Gtk.Box(orientation=Gtk.Orientation.HORIZONTAL, spacing=12)
        row.pack_start(self.caption, True, True, 0)
        row.pack_end(self._button, False, False, 0)
        self.widget = Gtk.Box(orientation=Gtk.Orientation.VERTICAL, spacing=6)
        self.widget.pack_start(frame, True, True, 0)
        self.widget.pack_start(row, False, False, 0)

    def show_subject(self, subject: Subject) -> Steps[None]:
        """The object as it stands on the painting, through its soft mask."""
        width, height = _fitting(subject.painting)
        small = yield from _shrunk(subject.painting, width, height, SMALL_RGB)
        coverage = yield from _shrunk(subject.mask, width, height, SMALL_MASK)
        composite = yield from _shrunk(subject.composite, width, height, SMALL_RGB)
        self._ground = _pixbuf(small, width, height)
        self._before = _blended(self._ground, composite, coverage)
        self._after = None
        self._button.set_active(False)
        self._button.set_sensitive(False)
        self._draw()

    def show_after(self, picture: Pixels) -> None:
        """What the engine has so far, as it will be seen: a picture of all that ``show_subject`` showed."""
        assert self._ground is not None
        width, height = self._ground.get_width(), self._ground.get_height()
        self._after = _pixbuf(at_once(_shrunk(picture, width, height, SMALL_RGB)), width, height)
        self._button.set_sensitive(True)
        self._draw()

    def _draw(self) -> None:
        wanted = self._before if self._button.get_active() or self._after is None else self._after
        if wanted is not None:
            self._picture.set_from_pixbuf(wanted)


def _blended(ground: GdkPixbuf.Pixbuf, rgb: bytes, coverage: bytes) -> GdkPixbuf.Pixbuf:
    """``rgb`` over ``ground``, all of one size, as much as ``coverage`` says."""
    width, height = ground.get_width(), ground.get_height()
    rgba = bytearray(4 * width * height)
    for channel in range(3):
        rgba[channel::4] = rgb[channel::3]
    rgba[3::4] = coverage
    blended = ground.copy()
    layer = _pixbuf(bytes(rgba), width, height)
    layer.composite(blended, 0, 0, width, height, 0, 0, 1, 1, GdkPixbuf.InterpType.NEAREST, 255)
    return blended


def _fitting(picture: Pixels) -> tuple[int, int]:
    """The largest size with the picture's proportions that the preview has room for."""
    scale = min(SIZE[0] / picture.width, SIZE[1] / picture.height)
    return max(1, round(picture.width * scale)), max(1, round(picture.height * scale))


def _shrunk(picture: Pixels, width: int, height: int, pixel_format: str) -> Steps[bytes]:
    """The picture's samples at exactly ``width`` × ``height``; smaller pictures are enlarged."""
    formats = RGB_FORMATS if picture.channels == 3 else MASK_FORMATS
    stored = formats[picture.sample_type]
    # GEGL converts any sample type, here strip by strip: floats take long to shrink. It averages while it shrinks; it
    # does not grow, and its size is only nearly ours.
    scale = min(1.0, max(width / picture.width, height / picture.height))
    near = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
    buffer = Gegl.Buffer.new(pixel_format, 0, 0, picture.width, picture.height)
    for strip in Box(0, 0, picture.width, picture.height).strips():
        place = Gegl.Rectangle.new(0, strip.y, strip.width, strip.height)
        buffer.set(place, stored, bytes(crop(picture, strip).data))
        yield
    data = buffer.get(Gegl.Rectangle.new(0, 0, *near), scale, pixel_format, Gegl.AbyssPolicy.CLAMP)
    yield
    if near == (width, height):
        return bytes(data)
    rgb = data if picture.channels == 3 else bytes(value for value in data for _ in range(3))
    scaled = _pixbuf(rgb, *near).scale_simple(width, height, GdkPixbuf.InterpType.BILINEAR)
    rows = _rows(scaled)
    return rows if picture.channels == 3 else rows[::3]


def _pixbuf(data: bytes, width: int, height: int) -> GdkPixbuf.Pixbuf:
    channels = len(data) // (width * height)
    rgb = GdkPixbuf.Colorspace.RGB
    held = GLib.Bytes.new(data)
    return GdkPixbuf.Pixbuf.new_from_bytes(held, rgb, channels == 4, 8, width, height, width * channels)


def _rows(pixbuf: GdkPixbuf.Pixbuf) -> bytes:
    """RGB samples without the padding at the end of rows."""
    data, stride, width = pixbuf.get_pixels(), pixbuf.get_rowstride(), 3 * pixbuf.get_width()
    return b"".join(data[y * stride : y * stride + width] for y in range(pixbuf.get_height()))
