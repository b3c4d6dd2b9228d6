"""Videos: real files written and read back, real optical flow, the real network on small frames."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from painterly_engine.arrays import to_pixels
from painterly_engine.cli.main import main
from painterly_engine.network.shelf import NetworkShelf
from painterly_engine.presets import Repaint
from painterly_engine.progress import SILENT
from painterly_engine.repainting import run_repaint
from painterly_engine.video import files
from painterly_engine.video.clip import make_clip
from painterly_engine.video.files import Frame, Source, Target
from painterly_engine.video.film import Film
from painterly_engine.video.flicker import Flicker
from painterly_engine.video.flow import Flow, carried
from painterly_engine.video.keeping import Keeper
from painterly_engine.video.making import make_video
from painterly_engine.video.masks import everywhere, masks_in
from painterly_engine.video.painters import Before, FeedForward, Repainting, State
from painterly_engine.video.trial import run_trials
from painterly_protocol.errors import PainterlyError
from painterly_protocol.request import HarmonizeRequest
from support.halting import killed_after

HEIGHT, WIDTH, FRAMES = 96, 128, 12
PATIENCE_S = 300


def texture(seed: int, size: tuple[int, int] = (HEIGHT, WIDTH)) -> np.ndarray:
    noise = np.random.default_rng(seed).integers(0, 255, (*size, 3), np.uint8)
    return cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 3), None, 0, 255, cv2.NORM_MINMAX)


@pytest.fixture(scope="module")
def painting() -> np.ndarray:
    return texture(7, (150, 190))


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory, painting: np.ndarray) -> Path:
    """A red disc over a painting, with a tone; its masks lie beside it."""
    folder = tmp_path_factory.mktemp("clip")
    y, x = np.mgrid[:60, :60] - 29.5
    disc = (np.clip(28 - np.hypot(x, y), 0, 1) * 255).astype(np.uint8)
    colours = texture(3, (60, 60)) // 3 + np.uint8([150, 20, 20])
    make_clip(folder / "clip.mp4", folder / "masks", painting, np.dstack([colours, disc]), FRAMES, (HEIGHT, WIDTH))
    return folder / "clip.mp4"


def read(path: Path) -> tuple[list[Frame], list[bytes], Source]:
    """Frames and the sound's packets."""
    sound: list[bytes] = []
    with Source(path) as source:
        return list(source.read(lambda packet: sound.append(bytes(packet)))), sound, source


class Inverting:
    """A painter that takes no time, and counts."""

    def __init__(self) -> None:
        self.painted: list[bool] = []

    def paint(self, frame: np.ndarray, mask: np.ndarray, before: Before | None) -> np.ndarray:
        self.painted.append(before is None)
        share = mask[..., None] / np.float32(255)
        return frame / np.float32(255) * (1 - share) + share * (1 - frame / np.float32(255))

    def state(self) -> State:
        return {"count": torch.tensor([len(self.painted)])}

    def remember(self, state: State) -> None:
        pass


class Remembering(Inverting):
    """One that darkens what it paints with every frame that it has seen of a shot."""

    def __init__(self) -> None:
        super().__init__()
        self.seen = 0

    def paint(self, frame: np.ndarray, mask: np.ndarray, before: Before | None) -> np.ndarray:
        self.seen += 1
        return super().paint(frame, mask, before) / self.seen

    def state(self) -> State:
        return {"seen": torch.tensor([self.seen])}

    def remember(self, state: State) -> None:
        self.seen = int(state["seen"]) if state else 0


def written(path: Path, frames: list[np.ndarray], times: list[int], rate: int = 25, **options: Any) -> Path:
    """A video without sound."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(options.get("codec", "libx264"), rate=rate)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = options.get("pix_fmt", "yuv420p")
        stream.codec_context.time_base = Fraction(1, 1000)
        stream.options = {} if "codec" in options else {"crf": "10"}
        for pixels, time in zip(frames, times, strict=True):
            picture = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            picture.pts, picture.time_base = time, Fraction(1, 1000)
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return path


class TestFiles:
    def test_times_rate_sound_and_size_stay(self, clip: Path, tmp_path: Path) -> None:
        out = tmp_path / "out.mp4"
        with Source(clip) as source, Target(out, source) as target:
            for frame in source.read(target.hear):
                target.show(frame)
        frames, sound, source = read(clip)
        again, same_sound, copied = read(out)
        assert len(again) == len(frames) == FRAMES == copied.frames
        assert copied.rate == source.rate == 24
        assert [f.time * copied.time_base for f in again] == [f.time * source.time_base for f in frames]
        assert same_sound == sound and len(sound) > 10
        assert copied.audio[0].codec_context.name == "aac"
        off = np.abs(np.stack([f.pixels for f in again]).astype(int) - np.stack([f.pixels for f in frames]))
        assert off.mean() < 3
        assert not list(tmp_path.glob(".*"))

    def test_times_that_are_not_even_stay(self, tmp_path: Path) -> None:
        times = [0, 40, 100, 110, 300, 340]
        uneven = written(tmp_path / "uneven.mkv", [texture(n) for n in range(6)], times)
        with Source(uneven) as source, Target(tmp_path / "out.mkv", source) as target:
            for frame in source.read():
                target.show(frame)
        found, _, copied = read(tmp_path / "out.mkv")
        assert [round(1000 * frame.time * copied.time_base) for frame in found] == times

    @pytest.mark.parametrize("size", [(HEIGHT, WIDTH), (HEIGHT + 1, WIDTH - 1), (720, 96)])
    def test_colours_stay(self, tmp_path: Path, size: tuple[int, int]) -> None:
        """Of odd sizes too, and of those tall enough to be taken for high definition."""
        plain = np.zeros((*size, 3), np.uint8)
        plain[:, : size[1] // 2], plain[:, size[1] // 2 :] = (200, 40, 60), (30, 120, 220)
        given = written(tmp_path / "in.mkv", [plain] * 3, [0, 40, 80], pix_fmt="bgr0", codec="ffv1")
        with Source(given) as source, Target(tmp_path / "out.mp4", source, 4) as target:
            for frame in source.read():
                target.show(frame)
        (first, *_), _, _ = read(tmp_path / "out.mp4")
        assert first.pixels.shape == plain.shape
        for x in (size[1] // 4, 3 * size[1] // 4):
            assert np.abs(first.pixels[40, x].astype(int) - plain[40, x]).max() <= 4

    def test_the_same_frames_make_the_same_file(self, tmp_path: Path) -> None:
        """As large as x264's widest instructions need it."""
        scene = texture(1, (240, 340))
        frames = [np.ascontiguousarray(scene[:, number : number + 320]) for number in range(20)]
        given = written(tmp_path / "in.mkv", frames, [40 * n for n in range(20)], pix_fmt="bgr0", codec="ffv1")
        made = set()
        for _ in range(8):
            with Source(given) as source, Target(tmp_path / "out.mp4", source) as target:
                for frame in source.read():
                    target.show(frame)
            made.add((tmp_path / "out.mp4").read_bytes())
        assert len(made) == 1

    def test_frames_are_turned_as_players_turn_them(self) -> None:
        class Lying:
            rotation = -90

            def to_ndarray(self, format: str) -> np.ndarray:
                assert format == "rgb24"
                return np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)

        upright = files._upright(Lying())
        assert upright.shape == (3, 2, 3) and upright[0, 1].tolist() == [0, 1, 2]

    @pytest.mark.parametrize("damage", ["text", "empty", "missing", "sound only", "half"])
    def test_what_is_no_video_gets_a_sentence_and_leaves_nothing(
        self, clip: Path, tmp_path: Path, damage: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        bad = tmp_path / "bad.mp4"
        if damage == "sound only":
            with av.open(str(bad), "w") as container:
                stream = container.add_stream("aac", rate=48000, layout="mono")
                silence = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
                silence.sample_rate = 48000
                container.mux([*stream.encode(silence), *stream.encode(None)])
        elif damage != "missing":
            whole = clip.read_bytes()
            bad.write_bytes({"text": b"not a video", "empty": b"", "half": whole[: len(whole) // 2]}[damage])
        Image.fromarray(texture(1)).save(tmp_path / "painting.png")
        out = tmp_path / "out.mp4"
        assert main(["video", str(bad), "--painting", str(tmp_path / "painting.png"), "-o", str(out)]) == 1
        assert "cannot be read as a video" in capsys.readouterr().err
        assert not out.exists() and not list(tmp_path.glob(".*"))

    def test_a_sound_that_the_file_cannot_hold_gets_a_sentence(self, tmp_path: Path) -> None:
        with av.open(str(tmp_path / "in.mkv"), "w") as container:
            video = container.add_stream("libx264", rate=25)
            video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
            sound = container.add_stream("pcm_u8", rate=44100, layout="mono")
            for n in range(4):
                container.mux(video.encode(av.VideoFrame.from_ndarray(texture(n), format="rgb24")))
                samples = av.AudioFrame.from_ndarray(np.full((1, 2048), 128, np.uint8), format="u8", layout="mono")
                samples.sample_rate, samples.pts = 44100, 2048 * n
                container.mux(sound.encode(samples))
            container.mux([*video.encode(None), *sound.encode(None)])
        with (
            pytest.raises(PainterlyError, match=r"Use \.mp4 or \.mkv"),
            Source(tmp_path / "in.mkv") as source,
            Target(tmp_path / "out.mp4", source) as target,
        ):
            for frame in source.read(target.hear):
                target.show(frame)
        assert sorted(path.name for path in tmp_path.iterdir()) == ["in.mkv"]


class TestMotion:
    def shifted(self, dx: int, dy: int) -> tuple[np.ndarray, np.ndarray]:
        large = texture(5, (HEIGHT + 40, WIDTH + 40))
        return large[20 : 20 + HEIGHT, 20 : 20 + WIDTH], large[20 + dy : 20 + dy + HEIGHT, 20 + dx : 20 + dx + WIDTH]

    def test_a_shift_is_found_and_sure(self) -> None:
        before, now = self.shifted(4, -3)
        motion = Flow().between(before, now)
        inner = np.s_[16:-16, 16:-16]
        assert np.abs(motion.back[inner] - (4, -3)).mean() < 0.2
        assert motion.sure[inner].mean() > 0.9 and not motion.is_cut
        moved = carried(before.astype(np.float32), motion.back)
        assert np.abs(moved - now)[inner].mean() < 3
        assert motion.sure[:, -3:].mean() < 0.5, "what has come in at the right was not there before"

    def test_what_has_come_into_sight_is_not_sure(self) -> None:
        before, now = self.shifted(0, 0)
        now = now.copy()
        now[30:60, 40:80] = texture(99)[30:60, 40:80]
        sure = Flow().between(before, now).sure
        assert sure[36:54, 48:72].mean() < 0.2 < 0.9 < sure[:20].mean()

    def test_another_scene_is_a_cut(self) -> None:
        assert Flow().between(texture(1), texture(2)).is_cut

    def test_the_figure_is_one_for_the_input_itself_and_more_for_noise(self) -> None:
        rng = np.random.default_rng(0)
        first, second = (
            (one + rng.normal(0, 2, one.shape)).clip(0, 255).astype(np.uint8) for one in self.shifted(2, 1)
        )
        motion = Flow().between(first, second)
        everywhere_there = np.ones((HEIGHT, WIDTH), bool)

        def figure(*outputs: np.ndarray) -> float:
            flicker = Flicker()
            flicker.add(motion, (first, second), (outputs[0], outputs[1]), everywhere_there)
            assert flicker.figure is not None
            return flicker.figure

        assert figure(first, second) == pytest.approx(1)
        assert figure(first, np.roll(second, 40, 2) ^ 8) > 1.5
        assert figure(first * 0, second * 0) == 0
        assert Flicker().figure is None


class TestFilm:
    def film(self, folder: Path, painter: Any = None, steadiness: float = 0.8) -> Film:
        return Film(painter or Inverting(), Keeper(folder), "settings", steadiness)

    def frames(self, seeds: list[int], per_shot: int = 3) -> list[tuple[Frame, np.ndarray]]:
        pictures = [np.roll(texture(seed), n, 1) for seed in seeds for n in range(per_shot)]
        mask = np.zeros((HEIGHT, WIDTH), np.uint8)
        mask[20:70, 30:90] = 255
        return [(Frame(n, picture, 40 * n), mask) for n, picture in enumerate(pictures)]

    def test_outside_the_mask_nothing_changes(self, tmp_path: Path) -> None:
        frames = self.frames([1])
        for (frame, mask), painted in zip(frames, self.film(tmp_path).paint(frames), strict=True):
            assert np.array_equal(painted.frame.pixels[mask == 0], frame.pixels[mask == 0])
            assert (painted.frame.pixels != frame.pixels)[mask > 0].mean() > 0.9
            assert painted.frame.time == frame.time

    def test_an_empty_mask_leaves_the_frame_alone(self, tmp_path: Path) -> None:
        frames = [(frame, mask * 0) for frame, mask in self.frames([1])]
        painter = Inverting()
        found = [painted.frame.pixels for painted in self.film(tmp_path, painter).paint(frames)]
        assert all(np.array_equal(one, frame.pixels) for one, (frame, _) in zip(found, frames, strict=True))
        assert not painter.painted

    def test_a_cut_begins_anew_and_shots_know_nothing_of_each_other(self, tmp_path: Path) -> None:
        painter = Inverting()
        film = self.film(tmp_path / "both", painter)
        both = [painted.frame.pixels for painted in film.paint(self.frames([1, 2]))]
        assert film.shots == 2 and painter.painted == [True, False, False, True, False, False]
        alone = [painted.frame.pixels for painted in self.film(tmp_path / "alone").paint(self.frames([2]))]
        assert all(np.array_equal(one, other) for one, other in zip(both[3:], alone, strict=True))

    def test_without_steadiness_every_frame_is_for_itself(self, tmp_path: Path) -> None:
        painter = Inverting()
        for painted, (frame, _) in zip(
            self.film(tmp_path, painter, 0.0).paint(self.frames([1])), self.frames([1]), strict=True
        ):
            assert np.array_equal(painted.frame.pixels[20:70, 30:90], 255 - frame.pixels[20:70, 30:90])
        assert painter.painted == [True] * 3

    def test_only_what_depends_on_a_change_is_painted_again(self, tmp_path: Path) -> None:
        frames = self.frames([1, 2])
        list(self.film(tmp_path).paint(frames))
        changed = frames[1][0].pixels.copy()
        changed[0, 0] ^= 1
        frames[1] = (Frame(1, changed, 40), frames[1][1])
        kept = [painted.was_kept for painted in self.film(tmp_path).paint(frames)]
        assert kept == [True, False, False, True, True, True]
        other = Film(Inverting(), Keeper(tmp_path), "other settings", 0.8)
        assert not any(painted.was_kept for painted in other.paint(self.frames([1])))

    def test_what_a_change_leaves_to_paint_ends_as_if_all_were_painted(self, tmp_path: Path) -> None:
        """The painter went on from nothing where its memory was no longer kept, and the shot's rest changed colour."""
        frames = self.frames([1], 8)
        list(self.film(tmp_path / "work", Remembering()).paint(frames))
        frames[5] = (frames[5][0], np.where(np.arange(WIDTH) < 40, 0, frames[5][1]).astype(np.uint8))
        again = list(self.film(tmp_path / "work", Remembering()).paint(frames))
        fresh = list(self.film(tmp_path / "fresh", Remembering()).paint(frames))
        assert [painted.was_kept for painted in again] == [True] * 5 + [False] * 3
        assert all(np.array_equal(a.frame.pixels, b.frame.pixels) for a, b in zip(again, fresh, strict=True))

    @pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_bytes(b"no memory")])
    def test_a_frame_whose_memory_is_lost_is_painted_again(
        self, tmp_path: Path, damage: Callable[[Path], object]
    ) -> None:
        frames = self.frames([1], 4)
        list(self.film(tmp_path, Remembering()).paint(frames))
        damage(sorted(tmp_path.glob("*.state"))[1])
        frames.append((Frame(4, np.roll(frames[3][0].pixels, 1, 1), 160), frames[3][1]))
        again = list(self.film(tmp_path, Remembering()).paint(frames))
        fresh = list(self.film(tmp_path / "fresh", Remembering()).paint(frames))
        assert [painted.was_kept for painted in again] == [True, False, True, True, False]
        assert all(np.array_equal(a.frame.pixels, b.frame.pixels) for a, b in zip(again, fresh, strict=True))

    def test_damaged_frames_are_painted_again_and_clearing_leaves_others_files(self, tmp_path: Path) -> None:
        list(self.film(tmp_path).paint(self.frames([1])))
        first = min(tmp_path.glob("*.png"))
        first.write_bytes(first.read_bytes()[:100])
        kept = [painted.was_kept for painted in self.film(tmp_path).paint(self.frames([1]))]
        assert kept == [False, True, True]
        assert {path.stem for path in tmp_path.glob("*.state")} == {path.stem for path in tmp_path.glob("*.png")}
        (tmp_path / "mine.png").write_bytes(b"")
        Keeper(tmp_path).clear()
        assert [path.name for path in tmp_path.iterdir()] == ["mine.png"]


@pytest.fixture(scope="module")
def shelf() -> NetworkShelf:
    return NetworkShelf()


class TestPainters:
    def flicker(self, clip: Path, folder: Path, painter: Any, steadiness: float, masked: bool = True) -> float:
        masks = masks_in(clip.with_name("masks")) if masked else everywhere
        made = make_video(clip, folder / "out.mp4", painter, masks, Keeper(folder / "work"), "", steadiness)
        assert made.frames == FRAMES and made.shots == 1 and made.flicker is not None
        return made.flicker

    def test_one_pass_is_steadier_with_memory(
        self, clip: Path, tmp_path: Path, painting: np.ndarray, shelf: NetworkShelf
    ) -> None:
        def painter() -> FeedForward:
            return FeedForward(painting, 128, 1.0, 0.3, shelf)

        single = self.flicker(clip, tmp_path / "a", painter(), 0.0, masked=False)
        steady = self.flicker(clip, tmp_path / "b", painter(), 0.8, masked=False)
        assert steady < 0.7 * single

    def test_one_pass_paints_and_stays_calm_in_its_statistics(
        self, clip: Path, painting: np.ndarray, shelf: NetworkShelf
    ) -> None:
        painter = FeedForward(painting, 128, 1.0, 0.3, shelf)
        (first, second, *_), _, _ = read(clip)
        whole = everywhere(first)
        painted = painter.paint(first.pixels, whole, None)
        assert painted.dtype == np.float32 and painted.min() >= 0 and painted.max() <= 1
        assert np.abs(painted - first.pixels / 255).mean() > 0.02
        state = {name: values.clone() for name, values in painter.state().items()}
        following = Before(painted, np.zeros(whole.shape, np.float32))
        here = painter.paint(second.pixels, whole, following)
        other = FeedForward(painting, 128, 1.0, 0.3, shelf)
        other.remember(state)
        assert np.array_equal(other.paint(second.pixels, whole, following), here)
        bright = (255 - second.pixels // 4).astype(np.uint8)
        painter.remember(state)
        painter.paint(bright, whole, following)
        moved = painter.state()["relu4_1.mean"] - state["relu4_1.mean"]
        painter.remember({})
        painter.paint(bright, whole, None)
        jump = painter.state()["relu4_1.mean"] - state["relu4_1.mean"]
        torch.testing.assert_close(moved, 0.12 * jump, rtol=1e-3, atol=1e-3)

    def test_repainting_sets_out_from_the_frame_before(
        self, clip: Path, painting: np.ndarray, shelf: NetworkShelf
    ) -> None:
        painter = Repainting(painting, Repaint(sides=(48,), iterations=6), 0.5, 0.5, "slim", shelf)
        (first, *_), _, _ = read(clip)
        mask = masks_in(clip.with_name("masks"))(first)
        alone = painter.paint(first.pixels, mask, None)
        inside = mask == 255
        assert np.array_equal(alone[mask == 0][:50], (first.pixels / np.float32(255))[mask == 0][:50])
        assert np.abs(alone - first.pixels / 255)[inside].mean() > 0.01
        green = np.zeros_like(alone) + np.float32([0.2, 0.7, 0.3])
        off = [
            np.abs(painter.paint(first.pixels, mask, Before(green, np.full(mask.shape, s, np.float32))) - green)
            for s in (0.0, 0.9)
        ]
        assert off[1][inside].mean() < 0.8 * off[0][inside].mean()

    def test_a_shots_first_frame_is_painted_as_a_still_is(
        self, clip: Path, painting: np.ndarray, shelf: NetworkShelf
    ) -> None:
        """Small objects too, of which less is given up."""
        settings = Repaint(sides=(48,), iterations=6)
        (first, *_), _, _ = read(clip)
        mask = np.zeros(first.pixels.shape[:2], np.uint8)
        mask[30:44, 40:56] = 255
        request = HarmonizeRequest(*map(to_pixels, (first.pixels, first.pixels, mask)), style=to_pixels(painting))
        still = run_repaint(request, shelf.get("slim"), settings, shelf.device, SILENT)
        painted = Repainting(painting, settings, 0.5, 0.5, "slim", shelf).paint(first.pixels, mask, None)
        box = np.s_[still.y : still.y + still.picture().shape[0], still.x : still.x + still.picture().shape[1]]
        assert np.array_equal(np.round(painted[box] * 255).astype(np.uint8), still.picture())

    @pytest.mark.long
    def test_repainting_is_steadier_with_memory(
        self, clip: Path, tmp_path: Path, painting: np.ndarray, shelf: NetworkShelf
    ) -> None:
        def painter() -> Repainting:
            return Repainting(painting, Repaint(sides=(64, 128), iterations=4), 0.5, 0.5, "slim", shelf)

        single = self.flicker(clip, tmp_path / "a", painter(), 0.0)
        assert self.flicker(clip, tmp_path / "b", painter(), 0.8) < 0.7 * single


class TestMasks:
    def test_a_folder_in_the_order_of_its_numbers(self, tmp_path: Path) -> None:
        for number in (10, 9, 1):
            Image.new("L", (8, 6), number).save(tmp_path / f"mask{number}.png")
        masks = masks_in(tmp_path)
        frames = [Frame(n, np.zeros((6, 8, 3), np.uint8), n) for n in range(4)]
        assert [int(masks(frame)[0, 0]) for frame in frames[:3]] == [1, 9, 10]
        with pytest.raises(PainterlyError, match="more frames"):
            masks(frames[3])
        with pytest.raises(PainterlyError, match="8×6 px, the video 9×6"):
            masks(Frame(0, np.zeros((6, 9, 3), np.uint8), 0))

    def test_one_for_all_and_none(self, tmp_path: Path) -> None:
        Image.new("L", (8, 6), 77).save(tmp_path / "one.png")
        masks = masks_in(tmp_path / "one.png")
        assert all(int(masks(Frame(n, np.zeros((6, 8, 3), np.uint8), n))[0, 0]) == 77 for n in (0, 50))
        (tmp_path / "empty").mkdir()
        with pytest.raises(PainterlyError, match="no masks"):
            masks_in(tmp_path / "empty")


class TestCommand:
    @pytest.fixture
    def painted(self, tmp_path: Path, painting: np.ndarray) -> Path:
        Image.fromarray(painting).save(tmp_path / "painting.png")
        return tmp_path / "painting.png"

    def start(self, *arguments: str | Path) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "painterly_engine.cli", "video", *map(str, arguments)]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def test_a_video_that_was_killed_goes_on_and_ends_the_same(self, clip: Path, painted: Path, tmp_path: Path) -> None:
        job = [clip, "--painting", painted, "--masks", clip.with_name("masks"), "--size", "64"]
        killed_after("10 of 12", "video", *job, "-o", tmp_path / "killed.mp4")
        assert not (tmp_path / "killed.mp4").exists()
        kept = len(list((tmp_path / "killed.mp4.frames").glob("*.png")))
        assert kept >= 10
        for name in ("killed", "whole"):
            with self.start(*job, "-o", tmp_path / f"{name}.mp4") as process:
                printed, errors = process.communicate(timeout=PATIENCE_S)
            assert process.returncode == 0, errors
            assert ("painted before" in printed) == (name == "killed"), printed
            assert "flicker" in printed
        again, whole = (read(tmp_path / f"{name}.mp4")[0] for name in ("killed", "whole"))
        assert all(np.array_equal(a.pixels, b.pixels) for a, b in zip(again, whole, strict=True))
        assert read(tmp_path / "whole.mp4")[1] == read(clip)[1]
        assert sorted(path.name for path in tmp_path.iterdir()) == ["killed.mp4", "painting.png", "whole.mp4"]

    def test_ctrl_c_keeps_what_is_finished(
        self, clip: Path, painted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from painterly_engine.cli import video

        def stop(_shown: object, done: int, *_: int) -> None:
            if done == 3:
                raise KeyboardInterrupt

        monkeypatch.setattr(video._Shown, "told", stop)
        out, work = tmp_path / "out.mp4", tmp_path / "work"
        job = ["video", str(clip), "--painting", str(painted), "-o", str(out), "--work", str(work), "--size", "64"]
        assert main(job) == 130
        assert len(list(work.glob("*.png"))) == 3 and not out.exists() and not list(tmp_path.glob(".*"))

    def test_the_first_frames_can_be_tried(
        self, clip: Path, painted: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        out = tmp_path / "out.mp4"
        job = ["video", str(clip), "--painting", str(painted), "-o", str(out), "--size", "64"]
        assert main([*job, "--frames", "3"]) == 0
        told = capsys.readouterr().out
        assert len(read(out)[0]) == 3 and "3 frames in 1 shot" in told and "network slim" in told
        assert main([*job, "--frames", "5"]) == 0
        assert len(read(out)[0]) == 5 and "3 of them painted before" in capsys.readouterr().out

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (["{c}", "-o", "{t}/out.gif"], "video format"),
            (["{c}", "-o", "{c}"], "written over"),
            (["{c}", "-o", "{t}/none/out.mp4"], "no folder"),
            (["{c}", "-o", "{t}/out.mp4", "--quality", "99"], "quality of 99"),
            (["{c}", "-o", "{t}/out.mp4", "--frames", "0"], "0 frames"),
            (["{c}", "-o", "{t}/out.mp4", "--size", "3"], "working size of 3"),
            (["{c}", "-o", "{t}/out.mp4", "--masks", "{t}/painting.png"], "of the video's size"),
            (["{c}", "-o", "{t}/out.mp4", "--method", "two-pass", "--iterations", "0"], "0 iterations"),
        ],
    )
    def test_bad_input_gets_a_sentence(
        self,
        clip: Path,
        painted: Path,
        tmp_path: Path,
        arguments: list[str],
        words: str,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        filled = [argument.format(c=clip, t=tmp_path) for argument in arguments]
        assert main(["video", *filled, "--painting", str(painted)]) == 1
        assert words in capsys.readouterr().err
        assert not (tmp_path / "out.mp4").exists()

    @pytest.mark.parametrize("module", ["av", "cv2"])
    def test_without_its_libraries_it_says_how_to_get_them(
        self,
        clip: Path,
        painted: Path,
        tmp_path: Path,
        module: str,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        monkeypatch.setitem(sys.modules, module, None)
        assert main(["video", str(clip), "--painting", str(painted), "-o", str(tmp_path / "out.mp4")]) == 1
        assert "painterly-harmonize[video]" in capsys.readouterr().err


def test_frames_stream(tmp_path: Path) -> None:
    """No more than a few frames are alive at a time, however many there are."""
    import gc

    alive: list[int] = []

    def living() -> int:
        return sum(type(one) is Frame for one in gc.get_objects())

    gc.collect()
    others = living()  # of another test that has failed, say

    def counted(frames: Iterator[Frame]) -> Iterator[tuple[Frame, np.ndarray]]:
        for frame in frames:
            alive.append(living() - others)
            yield frame, everywhere(frame)

    pictures = [np.roll(texture(1), n, 1) for n in range(60)]
    written(tmp_path / "long.mp4", pictures, [40 * n for n in range(60)])
    with Source(tmp_path / "long.mp4") as source, Target(tmp_path / "out.mp4", source) as target:
        for painted in Film(Inverting(), Keeper(tmp_path / "work"), "", 0.8).paint(counted(source.read(target.hear))):
            target.show(painted.frame)
    assert len(alive) == 60 and max(alive) <= 6


@pytest.mark.long
def test_the_benchmark_tells_what_steadiness_is_worth(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`painterly bench --suite video` with a smaller clip; its 60 frames' figures stand in docs/video.md."""
    found = run_trials(tmp_path, print, frames=6, size=(120, 214))
    flicker = {(row["name"], row["steadiness"]): row["flicker"] for row in found}
    for name in {row["name"] for row in found}:
        single, steady = flicker[name, 0.0], flicker[name, 0.8]
        assert isinstance(single, float) and isinstance(steady, float) and steady < 0.7 * single, name
    assert Image.open(tmp_path / "video.png").width > 800 and (tmp_path / "video.json").exists()
    assert "two-pass" in capsys.readouterr().out
