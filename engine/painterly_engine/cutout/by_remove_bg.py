"""The object by the web service remove.bg, for who has a key: the photograph leaves this machine.

The key comes from the environment, goes into one header of one request to one address over TLS, and nowhere else: no
redirection is followed, and no error tells it.
"""

from __future__ import annotations

import email.message
import http.client
import io
import json
import re
import urllib.error
import urllib.request
import uuid
from collections.abc import Mapping
from typing import IO

import numpy as np
from PIL import Image

from painterly_engine.arrays import Array
from painterly_engine.pictures.files import Bytes
from painterly_protocol.errors import ErrorCode, PainterlyError

KEY = "REMOVE_BG_API_KEY"
ADDRESS = "https://api.remove.bg/v1.0/removebg"
TIMEOUT_S = 60.0
LARGEST = 200 * 2**20  # bytes of an answer
MOST_PIXELS = 25_000_000  # the service takes no more; its outline is then brought up to the photo's size
REASONS = {
    400: "it could not work with this photo",
    402: "the account has no credits left",
    403: "it does not accept the key",
    413: "the photo is too large for it",
    429: "it has been asked too often",
}
ADVICE = {
    402: "Buy credits at remove.bg, or use --method grabcut.",
    403: f"Check the key in {KEY}.",
    429: "Wait a minute and try again.",
}


def find(photo: Bytes, environment: Mapping[str, str], address: str = ADDRESS, timeout_s: float = TIMEOUT_S) -> Array:
    """(H, W) float32 in [0, 1], from the alpha that the service gives to a photograph (H, W, 3).

    Args:
        environment: where the key is.

    Raises:
        PainterlyError: BAD_REQUEST for all that can be said in a sentence.
    """
    request = _request(photo, _key(environment), address)
    try:
        with urllib.request.build_opener(_StayThere).open(request, timeout=timeout_s) as answer:
            body = answer.read(LARGEST + 1)
    except urllib.error.HTTPError as error:
        raise _refused(error) from error
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        slow = isinstance(reason, TimeoutError) or isinstance(error, TimeoutError)
        raise _failed(
            f"it gave no answer within {timeout_s:g} s" if slow else f"it cannot be reached ({reason})",
            "Try again, or use --method grabcut.",
        ) from error
    return _alpha(body, (photo.shape[0], photo.shape[1]))


def _key(environment: Mapping[str, str]) -> str:
    key = environment.get(KEY, "").strip()
    if not key:
        raise PainterlyError(
            ErrorCode.BAD_REQUEST,
            f"remove.bg wants a key, and {KEY} is not set.",
            f"Get one at remove.bg and set {KEY} in the environment, or use --method grabcut.",
        )
    if not re.fullmatch(r"[\x21-\x7e]+", key):  # the library's own error would show it
        raise PainterlyError(ErrorCode.BAD_REQUEST, f"What is in {KEY} cannot be a key.", "Copy it again.")
    return key


def _request(photo: Bytes, key: str, address: str) -> urllib.request.Request:
    """The pixels alone are sent: what else the file said, where it was taken for example, is not."""
    image = Image.fromarray(photo)
    if image.width * image.height > MOST_PIXELS:
        factor = (MOST_PIXELS / (image.width * image.height)) ** 0.5
        image = image.resize((int(image.width * factor), int(image.height * factor)), Image.Resampling.BOX)
    file = io.BytesIO()
    image.save(file, "jpeg", quality=92)
    mark = uuid.uuid4().hex
    fields = "".join(
        f'--{mark}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in {"size": "auto", "format": "png"}.items()
    )
    head = (
        f'{fields}--{mark}\r\nContent-Disposition: form-data; name="image_file"; filename="photo.jpg"\r\n'
        "Content-Type: image/jpeg\r\n\r\n"
    )
    headers = {"X-Api-Key": key, "Content-Type": f"multipart/form-data; boundary={mark}", "Accept": "image/png"}
    return urllib.request.Request(
        address, head.encode() + file.getvalue() + f"\r\n--{mark}--\r\n".encode(), headers, method="POST"
    )


class _StayThere(urllib.request.HTTPRedirectHandler):
    """Python would send the key along to wherever a redirection points."""

    def redirect_request(
        self,
        req: urllib.request.Request,  # noqa: ARG002 (urllib's signature)
        fp: IO[bytes],  # noqa: ARG002
        code: int,  # noqa: ARG002
        msg: str,  # noqa: ARG002
        headers: email.message.Message,  # noqa: ARG002
        newurl: str,  # noqa: ARG002
    ) -> None:
        return None


def _refused(error: urllib.error.HTTPError) -> PainterlyError:
    reason = REASONS.get(error.code, f"it answered with the error {error.code}")
    try:
        told = json.loads(error.read(10_000))["errors"][0]["title"]
    except (OSError, http.client.HTTPException, ValueError, KeyError, IndexError, TypeError):
        told = None
    if isinstance(told, str) and told.isprintable():
        reason = f"{reason} (“{told[:200]}”)"
    return _failed(reason, ADVICE.get(error.code, "Try again later, or use --method grabcut."))


def _alpha(body: bytes, size: tuple[int, int]) -> Array:
    """(H, W) of the photograph's size."""
    try:
        if len(body) > LARGEST:
            raise ValueError("too long")
        with Image.open(io.BytesIO(body)) as image:
            if not image.has_transparency_data:
                raise ValueError("without transparency")
            alpha = image.convert("RGBa").getchannel("a").resize((size[1], size[0]), Image.Resampling.BICUBIC)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise _failed("what it sent is no cut-out", "Try again, or use --method grabcut.") from error
    return np.asarray(alpha, np.float32) / 255


def _failed(reason: str, advice: str) -> PainterlyError:
    return PainterlyError(ErrorCode.BAD_REQUEST, f"remove.bg made no cut-out: {reason}.", advice)
