"""What to read: painting, composite and mask of the chosen layers, as the user sees them.

Everything happens in a duplicate of the image, where GIMP itself renders modes, opacities, masks, filters, groups and
offsets. The user's image is never touched. Of a large image only the region around the object is rendered and read, and
that in strips, so that a dialog stays alive meanwhile.
"""

from __future__ import annotations

from dataclasses import dataclass

import gi

gi.require_version("Gimp", "3.0")
from gi.repository import Gimp  # noqa: E402

from painterly_plugin.gimp_choose import Choice, canvas_box, position  # noqa: E402
from painterly_plugin.gimp_outline import found_again, outline_lost, shape_of  # noqa: E402
from painterly_plugin.gimp_scratch import (  # noqa: E402
    MASK_FORMATS,
    RGBA_FORMATS,
    box_of,
    hide_all,
    hide_from,
    isolated,
    item_at,
    new_layer,
    nothing,
    paper,
    put_on_top,
    read,
    read_visible,
    write,
)
from painterly_plugin.gimp_style import Style, read_style  # noqa: E402
from painterly_plugin.language import _  # noqa: E402
from painterly_plugin.outline import Shape  # noqa: E402
from painterly_plugin.placement import (  # noqa: E402
    Box,
    alpha_plane,
    both,
    covered_box,
    crop,
    leading_bytes,
    region_around,
    solid,
    surrounded,
    with_alpha,
)
from painterly_plugin.settings import Edges  # noqa: E402
from painterly_plugin.steps import Steps, at_once  # noqa: E402
from painterly_protocol.errors import ErrorCode, PainterlyError  # noqa: E402
from painterly_protocol.pixels import Pixels, SampleType  # noqa: E402

EIGHT_BIT = (Gimp.Precision.U8_LINEAR, Gimp.Precision.U8_NON_LINEAR, Gimp.Precision.U8_PERCEPTUAL)


@dataclass(frozen=True)
class Subject:
    """What is sent to the engine, and where it belongs.

    Attributes:
        area: the part of the canvas the pictures show: where there is any painting, around the object.
        painting, composite, mask: pictures of ``area``. The composite shows the object at full strength wherever the
            mask is not zero: the result's layer mask, which the engine makes of ``mask``, blends it, and that once.
        mask_box: the part of the canvas where the mask is not zero.
        made_of: the object as it was.
        style: what is imitated; None: all of the painting.
    """

    area: Box
    painting: Pixels
    composite: Pixels
    mask: Pixels
    mask_box: Box
    made_of: Shape
    style: Style | None = None


@dataclass(frozen=True)
class _Seen:
    """What does not depend on the edges.

    Attributes:
        area: as of Subject, but within the scratch image.
        painting: picture of ``area``.
        ground: the painting as a layer of the scratch image.
        box: the part of the scratch image that the object is read in.
        rgba: the object's colours in ``box``.
        solid: 255 where the object is, in ``box``.
        own: the mask before the edges are changed, picture of ``box``.
        made_of, style: as of Subject.
    """

    area: Box
    painting: Pixels
    ground: Gimp.Layer
    box: Box
    rgba: bytes
    solid: bytes
    own: Pixels
    made_of: Shape
    style: Style | None


def read_at_once(image: Gimp.Image, choice: Choice, edges: Edges) -> Subject:
    """As ``Sitting.read``, without a pause."""
    sitting = Sitting(image, choice)
    try:
        return at_once(sitting.read(edges))
    finally:
        sitting.close()


class Sitting:
    """The image as it is now, in a scratch copy that is read from until ``close``."""

    def __init__(self, image: Gimp.Image, choice: Choice) -> None:
        self._image = image
        self._choice = choice
        self._sample_type = sample_type_of(image)
        self._region = canvas_box(image)
        # The user's layers may be moved or deleted while the copy is read.
        self._has_selection = not Gimp.Selection.is_empty(image)
        again = choice.earlier is not None and not self._has_selection
        self._name = choice.object_layer.get_name()
        self._painting_name = "" if choice.painting_layer is None else choice.painting_layer.get_name()
        self._earlier_name = choice.earlier.get_name() if again else ""
        self._made_of = at_once(shape_of(choice.object_layer))
        self._needed = self._region if again else self._needed_box()
        places = [None if layer is None else position(layer) for layer in (choice.object_layer, choice.painting_layer)]
        places.append(position(choice.earlier) if again else None)
        # A copy is cropped at once: GIMP draws a thumbnail of it as soon as it is left alone, of a large one for long.
        self._scratch = image.duplicate()
        self._object, self._painting, self._earlier = (
            None if place is None else item_at(self._scratch, place) for place in places
        )
        if not (again or self._needed.is_empty):
            self._shrink_to(region_around(self._needed, self._region))
        self._scratch.undo_disable()

    def close(self) -> None:
        self._scratch.delete()

    def read(self, edges: Edges) -> Steps[Subject]:
        """Read the pictures, step by step; once only.

        The mask is selection × the object's alpha (its layer mask included), without a selection the alpha alone, then
        grown and softened as ``edges`` say. The object keeps its own opacity and mode in the composite.

        Raises:
            PainterlyError: BAD_REQUEST where there is no painting, EMPTY_MASK where nothing of the object is selected.
        """
        seen = yield from self._look()
        area = seen.area
        yield
        own = surrounded(seen.own, seen.box.shifted(-area.x, -area.y), area.width, area.height)
        yield
        mask = own if edges.are_kept else (yield from self._edged(own, edges))
        covered = covered_box(mask)
        if covered.is_empty:
            raise self._empty_mask()
        yield
        composite = yield from self._composite(seen, both(seen.solid, _solid_inside(mask, seen)))
        region = self._region
        return Subject(
            area.shifted(region.x, region.y),
            seen.painting,
            composite,
            mask,
            covered.shifted(region.x + area.x, region.y + area.y),
            seen.made_of,
            seen.style,
        )

    # ------------------------------------------------------------ the painting and the object

    def _look(self) -> Steps[_Seen]:
        earlier, needed = None, self._needed
        if self._earlier is not None:
            earlier = yield from found_again(self._earlier, self._object)
            needed = earlier[0]
        if needed.is_empty:
            raise self._empty_mask()
        if earlier is not None:
            self._shrink_to(region_around(needed, self._region))
        if not self._object.is_valid():  # cut off: it lies far from its outline
            raise outline_lost(self._name, self._earlier_name)
        needed = needed.shifted(-self._region.x, -self._region.y)
        yield
        ground = self._ground()
        yield
        area, holes = yield from self._painted_area(ground)
        box = needed.intersect(area)
        if box.is_empty:
            raise self._empty_mask()
        cutout = yield from self._cutout()
        yield
        rgba, own = yield from self._colours_and_mask(cutout, box, earlier)
        hide_all(self._scratch)
        if holes:
            put_on_top(self._scratch, paper(self._scratch))
        put_on_top(self._scratch, ground)
        yield
        painting = yield from read_visible(self._scratch, area, self._sample_type)
        # An earlier result's mask may reach beyond the object.
        alpha = alpha_plane(rgba, box.width, box.height, self._sample_type)
        there = both(solid(leading_bytes(own)), solid(leading_bytes(alpha)))
        if self._earlier is not None and not any(there):
            raise outline_lost(self._name, self._earlier_name)
        style = yield from read_style(self._image, self._choice, self._sample_type)
        return _Seen(area, painting, ground, box, rgba, there, own, self._made_of, style)

    def _needed_box(self) -> Box:
        """Where on the canvas the mask can be anything but zero."""
        box = self._region
        if not _grows_by_filters(self._choice.object_layer):
            box = box.intersect(box_of(self._choice.object_layer))
        if self._has_selection:
            bounds = Gimp.Selection.bounds(self._image)
            box = box.intersect(Box(bounds.x1, bounds.y1, bounds.x2 - bounds.x1, bounds.y2 - bounds.y1))
        return box

    def _shrink_to(self, region: Box) -> None:
        """From here on the scratch image holds ``region`` only: all that follows costs what that costs."""
        if region != self._region:
            self._scratch.crop(region.width, region.height, region.x, region.y)
        self._region = region

    def _ground(self) -> Gimp.Layer:
        """The painting as one flat layer of the scratch image's size."""
        painting_layer = self._painting
        if painting_layer is None:
            hide_from(self._scratch.get_layers(), position(self._object))
            return Gimp.Layer.new_from_visible(self._scratch, self._scratch, "painting")
        # The painting's layer goes when it lies outside the region altogether.
        return isolated(self._scratch, painting_layer) if painting_layer.is_valid() else nothing(self._scratch)

    def _cutout(self) -> Steps[Gimp.Layer]:
        """The object as one flat layer, its selected part only: its alpha is the mask."""
        cutout = isolated(self._scratch, self._object)
        yield
        if not cutout.has_alpha():
            cutout.add_alpha()
        if not self._has_selection:
            return cutout
        self._scratch.insert_layer(cutout, None, 0)
        cutout.add_mask(cutout.create_mask(Gimp.AddMaskType.SELECTION))
        yield
        hide_all(self._scratch)
        put_on_top(self._scratch, cutout)
        visible = Gimp.Layer.new_from_visible(self._scratch, self._scratch, "mask")
        self._scratch.remove_layer(cutout)
        return visible

    def _as_selection(self, box: Box, coverage: bytes) -> Gimp.Selection:
        """``coverage`` of a box of the canvas in the scratch image, so that it can be read like any drawable.

        Its selection, which was empty: another channel has a gamma, and would give back other values.
        """
        selection = self._scratch.get_selection()
        write(selection, box.shifted(-self._region.x, -self._region.y), MASK_FORMATS[SampleType.UINT8], coverage)
        return selection

    def _painted_area(self, ground: Gimp.Layer) -> Steps[tuple[Box, bool]]:
        """Where there is any painting, and whether it has holes in there."""
        whole = Box(0, 0, self._region.width, self._region.height)
        parts = []
        for strip in whole.strips():
            parts.append(read(ground, strip, RGBA_FORMATS[SampleType.UINT8])[3::4])
            yield
        alpha = Pixels(whole.height, whole.width, 1, SampleType.UINT8, b"".join(parts))
        area = covered_box(alpha)
        if area.is_empty:
            raise self._no_painting()
        return area, bytes(crop(alpha, area).data).count(255) < area.pixels

    def _colours_and_mask(
        self, cutout: Gimp.Layer, box: Box, found: tuple[Box, bytes] | None
    ) -> Steps[tuple[bytes, Pixels]]:
        """The object's colours in ``box``, and how much of it is to be harmonized: its alpha, or what was ``found``."""
        kind = self._sample_type
        earlier = None if found is None else self._as_selection(*found)
        colours, coverage = [], []
        for strip in box.strips():
            rgba = read(cutout, strip, RGBA_FORMATS[kind])
            colours.append(rgba)
            if earlier is None:
                coverage.append(bytes(alpha_plane(rgba, strip.width, strip.height, kind).data))
            else:
                coverage.append(read(earlier, strip, MASK_FORMATS[kind]))
            yield
        return b"".join(colours), Pixels(box.height, box.width, 1, kind, b"".join(coverage))

    # ------------------------------------------------------------ the edges and the composite

    def _edged(self, own: Pixels, edges: Edges) -> Steps[Pixels]:
        """The mask, grown and softened by GIMP's own selection."""
        precision = self._scratch.get_precision()
        easel = Gimp.Image.new_with_precision(own.width, own.height, Gimp.ImageBaseType.GRAY, precision)
        whole = Box(0, 0, own.width, own.height)
        try:
            easel.undo_disable()
            write(easel.get_selection(), whole, MASK_FORMATS[own.sample_type], own.data)
            if edges.growth > 0:
                Gimp.Selection.grow(easel, edges.growth)
            elif edges.growth < 0:
                Gimp.Selection.shrink(easel, -edges.growth)
            yield
            if edges.softness > 0:
                Gimp.Selection.feather(easel, edges.softness)
            yield
            parts = []
            for strip in whole.strips():
                parts.append(read(easel.get_selection(), strip, MASK_FORMATS[own.sample_type]))
                yield
        finally:
            easel.delete()
        return Pixels(own.height, own.width, 1, own.sample_type, b"".join(parts))

    def _composite(self, seen: _Seen, shown: bytes) -> Steps[Pixels]:
        """The object at full strength where ``shown``, with its own opacity and mode, on the painting."""
        scratch, box, kind = self._scratch, seen.box, self._sample_type
        layer = new_layer(scratch, "object", box.width, box.height)
        pixel = 4 * kind.size
        for strip in Box(0, 0, box.width, box.height).strips():
            start, end = strip.y * box.width, (strip.y + strip.height) * box.width
            painted = with_alpha(seen.rgba[start * pixel : end * pixel], shown[start:end], kind)
            write(layer, strip, RGBA_FORMATS[kind], painted)
            yield
        put_on_top(scratch, layer)
        layer.set_offsets(box.x, box.y)
        _take_blending(layer, self._object)
        yield
        composite = yield from read_visible(scratch, seen.area, kind)
        scratch.remove_layer(layer)
        return composite

    # ------------------------------------------------------------ refusals

    def _no_painting(self) -> PainterlyError:
        if self._painting is not None:
            return PainterlyError(
                ErrorCode.BAD_REQUEST,
                _("The painting “{name}” shows nothing on the canvas.").format(name=self._painting_name),
                _("Select the layer with the painting as the lower of the two."),
            )
        return PainterlyError(
            ErrorCode.BAD_REQUEST,
            _("There is no painting below the layer “{name}”.").format(name=self._name),
            _("Select the object's layer, and keep the painting visible below it."),
        )

    def _empty_mask(self) -> PainterlyError:
        if not self._has_selection:
            return PainterlyError(
                ErrorCode.EMPTY_MASK,
                _("Nothing of the object “{name}” can be seen on the painting.").format(name=self._name),
                _("Select the layer that holds the object, and place it on the painting."),
            )
        return PainterlyError(
            ErrorCode.EMPTY_MASK,
            _("The selection does not touch the object “{name}”.").format(name=self._name),
            _("Select the part of the object to harmonize, or choose Select → None to take all of it."),
        )


def sample_type_of(image: Gimp.Image) -> SampleType:
    """Floats where the image has more than 8 bits, or colours that 8 bits of sRGB would clip."""
    eight_bit = image.get_precision() in EIGHT_BIT
    profile = image.get_color_profile()
    plain = profile is None or profile.is_equal(Gimp.ColorProfile.new_rgb_srgb()) or profile.is_gray()
    return SampleType.UINT8 if eight_bit and plain else SampleType.FLOAT32


def _solid_inside(mask: Pixels, seen: _Seen) -> bytes:
    return solid(leading_bytes(crop(mask, seen.box.shifted(-seen.area.x, -seen.area.y))))


def _grows_by_filters(layer: Gimp.Layer) -> bool:
    """Whether filters may draw something (a shadow, say) beyond the layer's own size."""
    children = layer.get_children() if layer.is_group() else []
    return bool(layer.get_filters()) or any(_grows_by_filters(child) for child in children)


def _take_blending(layer: Gimp.Layer, original: Gimp.Layer) -> None:
    layer.set_opacity(original.get_opacity())
    mode = original.get_mode()
    # Only groups pass through; alone on the painting that is the same as normal.
    layer.set_mode(Gimp.LayerMode.NORMAL if mode == Gimp.LayerMode.PASS_THROUGH else mode)
