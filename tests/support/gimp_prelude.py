"""What a test's source finds inside GIMP. Never imported: GIMP's Python executes it before the source."""

import hashlib

import gi

gi.require_version("Gimp", "3.0")
gi.require_version("Gegl", "0.4")
from gi.repository import Gegl, Gimp, Gio  # noqa: E402

Gegl.init(None)
RGBA = "R'G'B'A u8"
MASK = "Y u8"  # never "Y' u8": that applies a gamma to masks and selections
PROCEDURE = "plug-in-painterly-harmonize"


def new_image(width, height, base=Gimp.ImageBaseType.RGB, precision=Gimp.Precision.U8_NON_LINEAR):
    return Gimp.Image.new_with_precision(width, height, base, precision)


def put(drawable, data, fmt=RGBA):
    """Replace all pixels of ``drawable`` by ``data``, row by row."""
    size = drawable.get_width() * drawable.get_height() * (1 if fmt == MASK else 4)
    assert len(data) == size, f"{len(data)} bytes for {size}"
    buffer = drawable.get_buffer()
    buffer.set(Gegl.Rectangle.new(0, 0, drawable.get_width(), drawable.get_height()), fmt, data)
    buffer.flush()
    drawable.update(0, 0, drawable.get_width(), drawable.get_height())


def pixels(drawable, fmt=RGBA):
    """All pixels of a layer, mask or selection, as bytes."""
    area = Gegl.Rectangle.new(0, 0, drawable.get_width(), drawable.get_height())
    return drawable.get_buffer().get(area, 1.0, fmt, Gegl.AbyssPolicy.NONE)


def native(drawable):
    """All pixels of a drawable as GIMP stores them."""
    return pixels(drawable, None)


def add_layer(image, name, size, data=None, at=(0, 0), parent=None, position=0):
    """Insert a layer of ``size`` = (width, height) at ``at``; ``data`` is RGBA bytes, default transparent.

    In a gray or indexed image the layer takes the image's own type.
    """
    kinds = {Gimp.ImageBaseType.RGB: Gimp.ImageType.RGBA_IMAGE, Gimp.ImageBaseType.GRAY: Gimp.ImageType.GRAYA_IMAGE}
    kind = kinds.get(image.get_base_type(), Gimp.ImageType.INDEXEDA_IMAGE)
    layer = Gimp.Layer.new(image, name, *size, kind, 100.0, Gimp.LayerMode.NORMAL)
    image.insert_layer(layer, parent, position)
    layer.set_offsets(*at)
    if data is not None:
        put(layer, data)
    return layer


def flat(size, colour):
    """RGBA bytes of one colour (r, g, b, a)."""
    return bytes(colour) * (size[0] * size[1])


def select(image, data):
    """Make ``data`` (canvas-sized coverage bytes) the selection."""
    put(image.get_selection(), data, MASK)


def selection(image):
    return pixels(image.get_selection(), MASK)


def call(name, **properties):
    """Run a procedure: a list property takes a Python list; layers, images and plain values go as they are."""
    procedure = Gimp.get_pdb().lookup_procedure(name)
    assert procedure is not None, f"GIMP has no procedure {name}"
    config = procedure.create_config()
    for key, value in properties.items():
        if isinstance(value, list):
            config.set_core_object_array(key.replace("_", "-"), value)
        else:
            config.set_property(key.replace("_", "-"), value)
    values = procedure.run(config)
    status = values.index(0).value_nick
    extra = [values.index(i) for i in range(1, values.length())]
    return {"status": status, "values": extra, "message": str(Gimp.get_pdb().get_last_error())}


def harmonize(image, layers, **properties):
    """Call our procedure without dialog: {"status", "message", "values"}; the first value is the new layer."""
    return call(PROCEDURE, run_mode=Gimp.RunMode.NONINTERACTIVE, image=image, drawables=list(layers), **properties)


def described(layer):
    """What a test may compare: a group's children are described in turn, pixels as a digest."""
    mask = layer.get_mask()
    offsets = layer.get_offsets()
    return {
        "name": layer.get_name(),
        "offsets": [offsets.offset_x, offsets.offset_y],
        "size": [layer.get_width(), layer.get_height()],
        "visible": layer.get_visible(),
        "opacity": layer.get_opacity(),
        "mask": None if mask is None else digest(mask),
        "edit_mask": layer.get_edit_mask() if mask is not None else False,
        "pixels": digest(layer),
        "children": [described(child) for child in layer.get_children()] if layer.is_group() else [],
    }


def digest(drawable):
    return hashlib.sha256(native(drawable)).hexdigest()


def stack(image):
    """All layers, top first."""
    return [described(layer) for layer in image.get_layers()]


def load(path):
    return Gimp.file_load(Gimp.RunMode.NONINTERACTIVE, Gio.File.new_for_path(str(path)))


def save(image, path):
    assert Gimp.file_save(Gimp.RunMode.NONINTERACTIVE, image, Gio.File.new_for_path(str(path)), None)


def show(image):
    """Open a view of the image (windowed GIMP only)."""
    display = Gimp.Display.new(image)
    Gimp.displays_flush()
    return display
