"""Contact sheets: captioned pictures side by side."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from painterly_engine.pictures.files import Bytes

GAP = 12
CAPTION = 26
PAPER, INK = (250, 249, 246), (40, 38, 35)


def contact_sheet(pictures: Sequence[tuple[str, Bytes]], height: int = 360) -> Bytes:
    """One row of captioned pictures, each (h, w) or (h, w, 3), scaled to ``height`` pixels."""
    tiles = [(caption, _tile(picture, height)) for caption, picture in pictures]
    width = GAP + sum(tile.width + GAP for _, tile in tiles)
    sheet = Image.new("RGB", (width, height + CAPTION + 2 * GAP), PAPER)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(15)
    x = GAP
    for caption, tile in tiles:
        sheet.paste(tile, (x, GAP))
        draw.text((x, GAP + height + 6), caption, INK, font)
        x += tile.width + GAP
    return np.asarray(sheet)


def stack(sheets: Sequence[Bytes]) -> Bytes:
    """Sheets under each other, on paper as wide as the widest."""
    width = max(sheet.shape[1] for sheet in sheets)
    paper = [np.full((sheet.shape[0], width, 3), PAPER, np.uint8) for sheet in sheets]
    for page, sheet in zip(paper, sheets, strict=True):
        page[:, : sheet.shape[1]] = sheet
    return np.vstack(paper)


def _tile(picture: Bytes, height: int) -> Image.Image:
    image = Image.fromarray(picture).convert("RGB")
    return image.resize((round(image.width * height / image.height), height), Image.Resampling.LANCZOS)
