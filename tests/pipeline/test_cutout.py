"""Cut-outs: a real GrabCut on a photograph whose truth is known, remove.bg's manners played by a local server."""

from __future__ import annotations

import io
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageFilter

from painterly_engine.cli.main import main
from painterly_engine.cutout import by_remove_bg
from painterly_engine.cutout.by_grabcut import find
from painterly_engine.cutout.matting import decontaminated, refined
from painterly_engine.cutout.seeds import Box, Seeds, marks_of
from painterly_protocol.errors import ErrorCode, PainterlyError

SIZE = (240, 320)
KEY = "s3cret-k3y-of-a-customer"


def noise(seed: int, colour: tuple[int, int, int], rough: int = 40) -> np.ndarray:
    values = np.random.default_rng(seed).integers(-rough, rough, (*SIZE, 3))
    blurred = Image.fromarray((values + 128).astype(np.uint8)).filter(ImageFilter.GaussianBlur(1.5))
    return (np.asarray(blurred, np.float32) - 128 + np.float32(colour)).clip(0, 255)


def truth() -> np.ndarray:
    """(H, W): a star with a soft edge of about 3 px."""
    y, x = np.mgrid[: SIZE[0], : SIZE[1]].astype(np.float32)
    angle, far = np.arctan2(y - 120, x - 150), np.hypot(y - 120, x - 150)
    return np.clip((60 + 18 * np.cos(5 * angle) - far) / 3 + 0.5, 0, 1)


OBJECT, GROUND = noise(1, (200, 60, 50)), noise(2, (60, 110, 80))


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    alpha = truth()[..., None]
    return np.rint(alpha * OBJECT + (1 - alpha) * GROUND).astype(np.uint8)


AROUND = Box(60, 30, 185, 180)


def off(alpha: np.ndarray) -> float:
    """Mean error over the star's area."""
    return float(np.abs(alpha - truth()).sum() / truth().sum())


def scribble(strokes: dict[tuple[int, int], tuple[slice, slice]]) -> np.ndarray:
    """Grey and half transparent where nothing was drawn."""
    drawn = np.full((*SIZE, 4), 90, np.uint8)
    for (value, alpha), place in strokes.items():
        drawn[place] = (value, value, value, alpha)
    return drawn


def test_a_box_finds_the_object_and_its_soft_edge(photo: np.ndarray) -> None:
    hard = find(photo, Seeds(AROUND))
    soft = refined(photo, hard)
    assert off(hard) < 0.05
    assert off(soft) < 0.8 * off(hard)
    assert ((soft > 0.1) & (soft < 0.9)).sum() > 0.5 * ((truth() > 0.1) & (truth() < 0.9)).sum()
    assert soft[120, 150] == 1 and soft[5, 5] == 0


def test_a_frame_is_background_where_nobody_says_anything(photo: np.ndarray) -> None:
    assert off(find(photo, Seeds())) < 0.05


def test_strokes_say_which_of_two_objects(photo: np.ndarray) -> None:
    two = photo.copy()
    two[20:60, 260:310] = OBJECT[20:60, 260:310]
    white, black = (250, 255), (5, 255)
    drawn = scribble({white: np.s_[115:125, 120:180], black: np.s_[15:65, 255:258]})
    drawn[30:50, 270:300] = (0, 0, 0, 255)
    drawn[200:230, 10:300] = (0, 0, 0, 255)
    assert off(find(two, Seeds(marks=marks_of(drawn, SIZE)))) < 0.06
    drawn[30:50, 270:300] = (255, 255, 255, 255)
    both = find(two, Seeds(marks=marks_of(drawn, SIZE)))
    assert both[40, 285] > 0.9 and both[120, 150] > 0.9


def test_a_white_stroke_alone_will_do(photo: np.ndarray) -> None:
    drawn = scribble({(255, 255): np.s_[110:130, 110:190]})
    assert off(find(photo, Seeds(marks=marks_of(drawn, SIZE)))) < 0.06


def test_the_same_photo_gives_the_same_cut(photo: np.ndarray) -> None:
    assert np.array_equal(find(photo, Seeds(AROUND)), find(photo, Seeds(AROUND)))


def test_colours_at_the_edge_are_the_objects_own(photo: np.ndarray) -> None:
    band = (truth() > 0.15) & (truth() < 0.85)
    cleaned = decontaminated(photo, truth())

    def error(picture: np.ndarray) -> float:
        return float(np.abs(picture[band].astype(float) - OBJECT[band]).mean())

    assert error(cleaned) < 0.5 * error(photo)
    assert np.array_equal(cleaned[truth() == 1], photo[truth() == 1])


def test_large_photos_are_refined_in_strips(photo: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    hard = find(photo, Seeds(AROUND))
    whole = refined(photo, hard)
    monkeypatch.setattr("painterly_engine.cutout.matting.STRIP", 3000)
    assert np.abs(refined(photo, hard) - whole).max() < 1e-4


@pytest.mark.parametrize("box", [Box(400, 10, 50, 50), Box(0, 0, 320, 240), Box(-5, -5, 900, 900), Box(10, 10, 2, 200)])
def test_a_box_of_nothing_or_everything_gets_a_sentence(photo: np.ndarray, box: Box) -> None:
    with pytest.raises(PainterlyError, match="box"):
        find(photo, Seeds(box))


def test_marks_are_checked() -> None:
    with pytest.raises(PainterlyError, match="white"):
        marks_of(scribble({(0, 255): np.s_[:9, :9]}), SIZE)
    with pytest.raises(PainterlyError) as caught:
        marks_of(np.zeros((50, 50, 4), np.uint8), SIZE)
    assert caught.value.code is ErrorCode.SIZE_MISMATCH
    half = marks_of(scribble({(255, 255): np.s_[100:120, 100:120]})[::2, ::2], SIZE)
    assert half.shape == SIZE and half[110, 110] == 1


@pytest.fixture
def file(photo: np.ndarray, tmp_path: Path) -> Path:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.fromarray(photo).save(tmp_path / "photo.png", icc_profile=profile)
    return tmp_path / "photo.png"


def test_the_command_writes_the_object_alone(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, whole = file.with_name("object.png"), file.with_name("whole.png")
    assert main(["cutout", str(file), "-o", str(out), "--box", "60,30,185,180"]) == 0
    assert main(["cutout", str(file), "-o", str(whole), "--box", "60,30,185,180", "--whole"]) == 0
    for name, box in {"beyond": "-5,30,255,180", "within": "0,30,250,180"}.items():
        assert main(["cutout", str(file), "-o", str(file.with_name(f"{name}.png")), "--box", box]) == 0
    assert file.with_name("beyond.png").read_bytes() == file.with_name("within.png").read_bytes()
    place = capsys.readouterr().out.splitlines()[0].rsplit("from ", 1)[1].split(" ")[0]
    x, y = map(int, place.split(","))
    image = Image.open(out)
    assert image.mode == "RGBA" and image.info["icc_profile"] and image.width < 200
    full = np.asarray(Image.open(whole))
    assert full.shape == (*SIZE, 4)
    assert np.array_equal(full[y : y + image.height, x : x + image.width], np.asarray(image))
    assert main(["composite", "--painting", str(file), "--object", str(out), "-o", str(file.with_name("c"))]) == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["-o", "{f}/object.jpg"], "transparency"),
        (["-o", "{f}/o.png", "--method", "remove.bg", "--box", "1,2,30,40"], "Leave out --box"),
        (["-o", "{f}/o.png", "--method", "remove.bg"], "REMOVE_BG_API_KEY is not set"),
        (["-o", "{f}/o.png", "--method", "rembg"], r"painterly-harmonize[rembg]"),
        (["-o", "{f}/o.png", "--scribble", "{f}/none.png"], "none.png"),
    ],
)
def test_bad_input_gets_a_sentence(
    file: Path, arguments: list[str], words: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(by_remove_bg.KEY, raising=False)
    monkeypatch.setitem(sys.modules, "rembg", None)
    filled = [argument.format(f=file.parent) for argument in arguments]
    assert main(["cutout", str(file), *filled]) == 1
    assert words in capsys.readouterr().err
    assert sorted(path.name for path in file.parent.iterdir()) == ["photo.png"]


def test_without_opencv_the_command_says_how_to_get_it(
    file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    assert main(["cutout", str(file), "-o", str(file.with_name("o.png"))]) == 1
    assert "painterly-harmonize[cutout]" in capsys.readouterr().err


def test_a_photo_of_nothing_gets_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Image.new("RGB", (12, 9), (90, 90, 90)).save(tmp_path / "tiny.png")
    assert main(["cutout", str(tmp_path / "tiny.png"), "-o", str(tmp_path / "o.png")]) == 1
    assert "--box" in capsys.readouterr().err


REMBG = """
class U2netSession:
    resolve_existing = staticmethod(lambda name: {model!r} if name == "u2net.onnx" else None)
    model_dir = staticmethod(lambda: "/models/u2net")
"""
REMOVE = """
def new_session(name):
    return name
def remove(image, session, only_mask):
    assert session == "u2net" and only_mask
    {body}
"""


@pytest.mark.parametrize(
    ("model", "body", "words"),
    [
        (None, "raise AssertionError('it would download')", "does not download"),
        ("u2net.onnx", "raise ValueError('protobuf')", "protobuf"),
        ("u2net.onnx", "return image.convert('L').point(lambda value: 255 if value > 95 else 0)", ""),
    ],
)
def test_rembg_is_asked_only_where_its_model_is(
    file: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    model: str | None,
    body: str,
    words: str,
) -> None:
    """Its place is taken by a few lines of the same names: the real one's models are hundreds of megabytes."""
    package = file.parent / "site/rembg/sessions"
    package.mkdir(parents=True)
    (package.parent / "__init__.py").write_text(REMOVE.format(body=body))
    (package / "__init__.py").write_text("")
    (package / "u2net.py").write_text(REMBG.format(model=model))
    for name in ("rembg", "rembg.sessions", "rembg.sessions.u2net"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.syspath_prepend(str(file.parent / "site"))
    out = file.with_name("object.png")
    status = main(["cutout", str(file), "-o", str(out), "--method", "rembg"])
    for name in ("rembg", "rembg.sessions", "rembg.sessions.u2net"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    assert words in capsys.readouterr().err
    assert out.exists() == (status == 0) == (not words)


# remove.bg: each answer is one behaviour of the service; the server says what it was asked.


class Service:
    """remove.bg on this machine.

    Attributes:
        answer: writes the response.
        asked: headers and body of every request.
    """

    def __init__(self) -> None:
        self.answer: Callable[[BaseHTTPRequestHandler], None] = lambda _handler: None
        self.asked: list[tuple[dict[str, str], bytes]] = []
        self.released = threading.Event()
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                service.asked.append((dict(self.headers), body))
                service.answer(self)

            def do_GET(self) -> None:
                service.asked.append((dict(self.headers), b""))

            def log_message(self, *_arguments: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}/v1.0/removebg"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.released.set()
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    running = Service()
    yield running
    running.close()


def sends(status: int, body: bytes, **headers: str) -> Callable[[BaseHTTPRequestHandler], None]:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def png(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, "png")
    return buffer.getvalue()


def test_remove_bg_gives_its_outline(photo: np.ndarray, service: Service) -> None:
    small = np.zeros((120, 160, 4), np.uint8)
    small[..., 3] = np.rint(255 * truth()[::2, ::2])
    service.answer = sends(200, png(small))
    alpha = by_remove_bg.find(photo, {by_remove_bg.KEY: f" {KEY}\n"}, service.address)
    assert alpha.shape == SIZE and off(alpha) < 0.05
    ((headers, body),) = service.asked
    assert headers["X-Api-Key"] == KEY and KEY.encode() not in body
    start = body.index(b"\xff\xd8")
    sent = np.asarray(Image.open(io.BytesIO(body[start:])))
    assert np.abs(sent.astype(int) - photo).mean() < 6
    assert b'name="size"\r\n\r\nauto' in body


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (400, b'{"errors":[{"title":"Could not identify foreground in image."}]}', "Could not identify foreground"),
        (402, b'{"errors":[{"title":"Insufficient credits"}]}', "no credits left"),
        (403, b'{"errors":[{"title":"API Key invalid"}]}', "does not accept the key"),
        (429, b'{"errors":[{"title":"Rate limit exceeded"}]}', "Wait a minute"),
        (500, b"<html>oops</html>", "error 500"),
        (403, b'{"errors": "\x00"}', "does not accept the key"),
        (302, b"", "error 302"),
        (200, b"not a picture", "no cut-out"),
        (200, b"", "no cut-out"),
        (200, png(np.zeros((9, 9, 3), np.uint8)), "no cut-out"),
        (200, png(np.zeros((9, 9, 4), np.uint8))[:45], "no cut-out"),
    ],
)
def test_remove_bg_saying_no_becomes_a_sentence(
    photo: np.ndarray, service: Service, status: int, body: bytes, words: str
) -> None:
    service.answer = sends(status, body, Location=f"{service.address}/elsewhere")
    with pytest.raises(PainterlyError, match=words) as caught:
        by_remove_bg.find(photo, {by_remove_bg.KEY: KEY}, service.address)
    assert KEY not in str(caught.value)
    assert len(service.asked) == 1, "a redirection was followed, with the key"


def test_remove_bg_staying_silent_or_away_becomes_a_sentence(photo: np.ndarray, service: Service) -> None:
    service.answer = lambda _handler: service.released.wait() and None
    with pytest.raises(PainterlyError, match="no answer within"):
        by_remove_bg.find(photo, {by_remove_bg.KEY: KEY}, service.address, timeout_s=0.3)
    service.answer = lambda handler: handler.connection.close()
    with pytest.raises(PainterlyError, match="cannot be reached"):
        by_remove_bg.find(photo, {by_remove_bg.KEY: KEY}, service.address)
    with pytest.raises(PainterlyError, match="cannot be reached"):
        by_remove_bg.find(photo, {by_remove_bg.KEY: KEY}, "http://127.0.0.1:9/")


@pytest.mark.parametrize("key", ["", "  ", "two\r\nlines: of-a-header", "schlüssel"])
def test_a_key_that_is_none_is_not_sent_and_not_shown(photo: np.ndarray, service: Service, key: str) -> None:
    with pytest.raises(PainterlyError, match="REMOVE_BG_API_KEY") as caught:
        by_remove_bg.find(photo, {by_remove_bg.KEY: key}, service.address)
    assert not service.asked and "of-a-header" not in str(caught.value)


def test_the_command_uses_the_environments_key(
    file: Path, service: Service, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cut = np.zeros((*SIZE, 4), np.uint8)
    cut[..., 3] = np.rint(255 * truth())
    service.answer = sends(200, png(cut))
    monkeypatch.setenv(by_remove_bg.KEY, KEY)
    monkeypatch.setattr(by_remove_bg.find, "__defaults__", (service.address, 5.0))
    out = file.with_name("object.png")
    assert main(["cutout", str(file), "-o", str(out), "--method", "remove.bg"]) == 0
    printed = capsys.readouterr()
    assert KEY not in printed.out + printed.err
    assert np.asarray(Image.open(out))[..., 3].max() == 255
