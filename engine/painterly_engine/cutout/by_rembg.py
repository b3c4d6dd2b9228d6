"""The object by a network that knows what objects look like: rembg's, where it and its model are installed."""

from __future__ import annotations

import numpy as np
from PIL import Image

from painterly_engine.arrays import Array
from painterly_engine.pictures.files import Bytes
from painterly_protocol.errors import ErrorCode, PainterlyError

MODEL = "u2net"


def find(photo: Bytes) -> Array:
    """(H, W) float32 in [0, 1]. Never downloads anything.

    Raises:
        PainterlyError: BAD_REQUEST where rembg or its model is missing.
    """
    try:
        from rembg import new_session, remove
        from rembg.sessions.u2net import U2netSession
    except (ImportError, SystemExit) as error:  # rembg leaves the program where its runtime is missing
        raise PainterlyError(
            ErrorCode.BAD_REQUEST,
            "rembg is not installed.",
            "Install it with: pip install 'painterly-harmonize[rembg]', or use --method grabcut.",
        ) from error
    if U2netSession.resolve_existing(f"{MODEL}.onnx") is None:
        raise PainterlyError(
            ErrorCode.WEIGHTS_MISSING,
            f"rembg's model {MODEL}.onnx is not here, and Painterly does not download it by itself.",
            f"Run: rembg d {MODEL}, or put the file into {U2netSession.model_dir()}.",
        )
    try:
        mask = remove(Image.fromarray(photo), session=new_session(MODEL), only_mask=True)
    except Exception as error:  # a damaged model ends in one of the runtime's many exceptions
        raise PainterlyError(
            ErrorCode.WEIGHTS_CORRUPT, f"rembg's model cannot be used: {error}.", f"Remove it and run: rembg d {MODEL}"
        ) from error
    return np.asarray(mask.convert("L"), np.float32) / 255
