"""Hard cases as one picture, what was pasted above what ``standard`` makes of it: docs/images/hard-cases.jpg.

    python tests/support/hard_cases.py OUT.jpg

For the eye; what can be asserted of them is in ``tests/engine/test_repaint_job.py``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from PIL import Image, ImageDraw, ImageFilter, ImageOps

from painterly_engine import harmonize

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
SHOWN = 200
Pasted = tuple[Image.Image, Image.Image, Image.Image]
"""Painting, composite, mask."""
EIGHT = [(60, 300), (150, 250), (240, 310), (330, 270), (420, 320), (480, 250), (100, 200), (300, 200)]
"""Places for as many small objects."""


def terrace(width: int = 560) -> Image.Image:
    whole = Image.open(EXAMPLES / "terrace.jpg").convert("RGB")
    return whole.resize((width, round(whole.height * width / whole.width)), Image.Resampling.LANCZOS)


def pasted(
    painting: Image.Image,
    places: list[tuple[int, int]],
    height: int,
    change: Callable[[Image.Image], Image.Image] = lambda cup: cup,
) -> Pasted:
    """The cup so high, its top left corner at each place."""
    cup = Image.open(EXAMPLES / "coffee.png")
    cup = cup.resize((round(cup.width * height / cup.height), height), Image.Resampling.LANCZOS)
    return laid(painting, change(cup.convert("RGB")), cup.getchannel("A"), places)


def laid(painting: Image.Image, colours: Image.Image, alpha: Image.Image, places: list[tuple[int, int]]) -> Pasted:
    """An object's colours, as far as its alpha lets them, with its top left corner at each place."""
    composite, mask = painting.copy(), Image.new("L", painting.size)
    for place in places:
        composite.paste(colours, place, alpha)
        mask.paste(alpha, place, alpha)
    return painting, composite, mask


def thin() -> Pasted:
    """Lines of two and four pixels."""
    painting, mask = terrace(), Image.new("L", terrace().size)
    draw = ImageDraw.Draw(mask)
    draw.line([(230, 190), (330, 330), (450, 240)], fill=255, width=2)
    draw.line([(230, 250), (470, 330)], fill=255, width=4)
    return painting, Image.composite(Image.new("RGB", painting.size, (150, 20, 20)), painting, mask), mask


def face() -> Pasted:
    """The astronaut's head at night: so small that strokes are as large as eyes."""
    return laid(Image.open(EXAMPLES / "night.jpg").convert("RGB"), *small_face(136), [(370, 209)])


def small_face(height: int) -> tuple[Image.Image, Image.Image]:
    """The astronaut's head so high: colours and alpha."""
    whole = Image.open(EXAMPLES / "astronaut.png")
    head = whole.crop((0, 0, whole.width, 136))
    head = head.resize((round(head.width * height / head.height), height), Image.Resampling.LANCZOS)
    return head.convert("RGB"), head.getchannel("A")


def busy() -> Image.Image:
    """Nothing but small patches of strong colours."""
    patches = Image.effect_noise((140, 110), 120)
    hues = [patches.transpose(way) for way in (Image.Transpose.ROTATE_180, Image.Transpose.FLIP_LEFT_RIGHT)]
    return Image.merge("RGB", [patches, *hues]).resize((560, 440), Image.Resampling.BICUBIC)


def line_art() -> Image.Image:
    edges = ImageOps.invert(terrace().convert("L").filter(ImageFilter.GaussianBlur(2)).filter(ImageFilter.FIND_EDGES))
    return edges.point(lambda value: 255 if value > 238 else 20).convert("RGB")


def cases() -> dict[str, Pasted]:
    whole = terrace()
    grey = ImageOps.grayscale(whole).convert("RGB")
    flat = Image.new("RGB", whole.size, (205, 190, 150))
    night = Image.open(EXAMPLES / "night.jpg").convert("RGB").resize((560, 443))
    return {
        "24 px": pasted(whole, [(330, 300)], 24),
        "most of the canvas": pasted(whole, [(20, 5)], 435),
        "at the border": pasted(whole, [(430, 300)], 200),
        "lines": thin(),
        "islands": pasted(whole, [(40, 330), (220, 220), (420, 320)], 90),
        "flat": pasted(flat, [(180, 130)], 220),
        "line art": pasted(line_art(), [(180, 130)], 220),
        "grey": pasted(grey, [(250, 200)], 220),
        "very wide": pasted(whole.crop((0, 280, 560, 360)), [(300, 4)], 72),
        "too sharp": pasted(whole, [(250, 200)], 220, lambda cup: cup.filter(ImageFilter.UnsharpMask(2, 500, 0))),
        "too soft": pasted(whole, [(250, 200)], 220, lambda cup: cup.filter(ImageFilter.GaussianBlur(5))),
        "busy": pasted(busy(), [(180, 130)], 220),
        "a face": face(),
        "eight small": pasted(whole, EIGHT, 34),
        "eight faces": laid(night, *small_face(44), EIGHT),
        "at night": pasted(night, [(250, 200)], 220),
    }


def shown(picture: Image.Image, mask: Image.Image) -> Image.Image:
    """The object and what is around it, in a square."""
    left, top, right, bottom = mask.getbbox() or (0, 0, *mask.size)
    half = max(40, round(0.62 * max(right - left, bottom - top)))
    x, y = (left + right) // 2, (top + bottom) // 2
    box = max(0, x - half), max(0, y - half), min(picture.width, x + half), min(picture.height, y + half)
    return ImageOps.pad(picture.crop(box), (SHOWN, SHOWN), Image.Resampling.LANCZOS, color="white")


def main(output: str) -> None:
    named = list(cases().items())
    across = len(named) // 2
    sheet = Image.new("RGB", (across * (SHOWN + 4), 4 * (SHOWN + 4) + 32), "white")
    draw = ImageDraw.Draw(sheet)
    for number, (name, (painting, composite, mask)) in enumerate(named):
        result = harmonize(painting, composite, mask, weights="slim")
        x, y = number % across * (SHOWN + 4), number // across * (2 * SHOWN + 24)
        draw.text((x + 2, y + 2), name, fill="black")
        sheet.paste(shown(composite, mask), (x, y + 16))
        sheet.paste(shown(result, mask), (x, y + 20 + SHOWN))
        print(name, flush=True)
    sheet.save(output, quality=88)


if __name__ == "__main__":
    main(sys.argv[1])
