"""Pictures of the protocol as GTK shows them."""

from __future__ import annotations

import gi

gi.require_version("Gegl", "0.4")
gi.require_version("GdkPixbuf", "2.0")
from gi.repository import GdkPixbuf, Gegl, GLib  # noqa: E402

from painterly_plugin.gimp_read import RGB_FORMATS  # noqa: E402
from painterly_protocol.pixels import Pixels  # noqa: E402


def pixbuf_of(picture: Pixels, width: int, height: int) -> GdkPixbuf.Pixbuf:
    """``picture``, 3 channels of any sample type, as large as fits into ``width`` × ``height``."""
    scale = min(width / picture.width, height / picture.height)
    size = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
    # GEGL converts any sample type and averages while it shrinks; it does not grow.
    shrink = min(1.0, scale)
    small = max(1, round(picture.width * shrink)), max(1, round(picture.height * shrink))
    pixel_format = RGB_FORMATS[picture.sample_type]
    buffer = Gegl.Buffer.new(pixel_format, 0, 0, picture.width, picture.height)
    buffer.set(Gegl.Rectangle.new(0, 0, picture.width, picture.height), pixel_format, bytes(picture.data))
    data = buffer.get(Gegl.Rectangle.new(0, 0, *small), shrink, "R'G'B' u8", Gegl.AbyssPolicy.CLAMP)
    rgb = GdkPixbuf.Colorspace.RGB
    pixbuf = GdkPixbuf.Pixbuf.new_from_bytes(GLib.Bytes.new(data), rgb, False, 8, *small, small[0] * 3)
    return pixbuf.scale_simple(*size, GdkPixbuf.InterpType.BILINEAR)
