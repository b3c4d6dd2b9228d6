"""The pages as a person sees and touches them, in a real Chromium."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from painterly_engine.report.folder_page import folder_page, row
from painterly_engine.report.run_page import run_page
from support.browser import Page
from support.browser_build import Browser
from support.records import OBJECT, PAINTED, PASTED, SCENE_COLOURS, SEA, WIDTH, a_record, canvas

WHOLE, CLOSE = '[data-frame="whole"]', '[data-frame="close"]'
HOSTILE = "</title></script><img src=http://example.com/x onerror=alert(1)> & \"'"
JPEG = 12  # of 255 a flat colour may be off
Written = Callable[[str], Path]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Written:
    folder = tmp_path_factory.mktemp("pages")

    def write(text: str) -> Path:
        file = folder / f"page-{len(list(folder.iterdir()))}.html"
        file.write_text(text, encoding="utf-8")
        return file

    return write


@pytest.fixture
def page(browser: Browser, written: Written) -> Iterator[Page]:
    """The run's page, as on a desktop."""
    with Page(1200, 900, browser=browser) as opened:
        opened.open(written(run_page(a_record())))
        yield opened


def colour_at(page: Page, fraction: float, frame: str = WHOLE) -> tuple[int, ...]:
    """What is seen at the object's height, at a fraction of the slider's width."""
    seen = page.screenshot(f"{frame} .sides")
    y = int(seen.shape[0] * 0.5)
    return tuple(int(v) for v in seen[y, int(seen.shape[1] * fraction)])


def alike(one: tuple[int, ...], other: tuple[int, ...]) -> bool:
    return max(abs(a - b) for a, b in zip(one, other, strict=True)) <= JPEG


def edges(page: Page) -> tuple[tuple[float, float], tuple[float, float], tuple[float, float]]:
    """Points of the slider: near its left end, in the middle, near its right end."""
    x, y, width, height = page.box(f"{WHOLE} .sides")
    return (x + 0.02 * width, y + height / 2), (x + width / 2, y + height / 2), (x + 0.98 * width, y + height / 2)


LEFT_OF_OBJECT, RIGHT_OF_OBJECT = (OBJECT[1].start + 8) / WIDTH, (OBJECT[1].stop - 8) / WIDTH


def both(page: Page) -> list[str]:
    """Which picture shows at the left and at the right part of the object."""
    seen = [colour_at(page, where) for where in (LEFT_OF_OBJECT, RIGHT_OF_OBJECT)]
    return [next(name for name, colour in SCENE_COLOURS.items() if alike(one, colour)) for one in seen]


def test_the_page_is_whole_and_fetches_nothing(page: Page) -> None:
    assert page.asked_for == [page.address] and page.complaints == []
    broken = "[...document.images].filter(i => i.src && !i.naturalWidth).length"
    assert page.run(broken) == 0 and page.run("document.images.length") >= 10
    assert page.run("document.title") == "cup"


def test_it_shows_every_part(page: Page) -> None:
    text = page.run("document.body.innerText")
    headings = ["Before and after", "Figures", "From pasted to painted", "Masks",
                "Which places of the painting were imitated", "Loss curves", "All parameters"]  # fmt: skip
    assert [line for line in text.splitlines() if line in headings] == headings
    for words in ("loose mask", "matches at relu4_1", "1.062", "0 throughout: idle", "not asked for", "tiny"):
        assert words in text, words
    assert "Beware of <b>dogs</b>." in text


def test_the_slider_starts_across_the_object(page: Page) -> None:
    assert both(page) == ["pasted", "harmonized"]


def test_the_mouse_moves_the_slider(page: Page) -> None:
    left, middle, right = edges(page)
    page.drag(middle, right)
    assert both(page) == ["pasted", "pasted"]
    page.drag(right, left)
    assert both(page) == ["harmonized", "harmonized"]
    page.drag(left, middle)
    assert both(page) == ["pasted", "harmonized"]


def test_a_finger_moves_the_slider(page: Page) -> None:
    left, middle, right = edges(page)
    page.swipe(middle, right)
    assert both(page) == ["pasted", "pasted"]
    page.swipe(right, left)
    assert both(page) == ["harmonized", "harmonized"]


def test_a_finger_that_goes_down_scrolls_the_page(browser: Browser, written: Written) -> None:
    with Page(400, 500, browser=browser) as phone:
        phone.open(written(run_page(a_record())))
        x, y, width, height = phone.box(f"{WHOLE} .sides")
        before = phone.run("scrollY")
        phone.swipe((x + width / 2, y + height * 0.9), (x + width / 2, y - 150))
        scrolled = f"scrollY > {before + 50} ? done(true) : requestAnimationFrame(look)"
        assert phone.run(f"new Promise(done => {{ const look = () => {scrolled}; look(); }})")


def test_arrow_keys_move_the_slider(page: Page) -> None:
    page.run(f"document.querySelector('{WHOLE} input').focus()")
    page.press("End", 35)
    assert both(page) == ["pasted", "pasted"]
    page.press("Home", 36)
    assert both(page) == ["harmonized", "harmonized"]
    before = page.run(f"document.querySelector('{WHOLE} input').valueAsNumber")
    page.press("ArrowRight", 39)
    assert page.run(f"document.querySelector('{WHOLE} input').valueAsNumber") > before


def test_the_slider_can_be_reached_and_is_named(page: Page) -> None:
    page.run("document.querySelector('[data-view=close]').focus()")
    page.press("Tab", 9)
    assert page.run("document.activeElement.type") == "range"
    assert "left picture ends" in page.run("document.activeElement.ariaLabel")


def test_any_two_stages_can_be_compared(page: Page) -> None:
    choose = (
        "(() => {{ const s = document.querySelector('{frame} select[data-side={side}]');"
        "s.value = [...s.options].find(o => o.text === '{name}').value;"
        "s.dispatchEvent(new Event('change')); return document.querySelector('{frame} .{side} img').decode(); }})()"
    )
    page.run(choose.format(frame=WHOLE, side="right", name="first pass"))
    assert alike(colour_at(page, RIGHT_OF_OBJECT), (0, 160, 0)) and alike(colour_at(page, LEFT_OF_OBJECT), PASTED)
    page.run(choose.format(frame=WHOLE, side="left", name="painting alone"))
    assert alike(colour_at(page, LEFT_OF_OBJECT), SEA)
    page.run(choose.format(frame=WHOLE, side="right", name="harmonized"))
    assert alike(colour_at(page, RIGHT_OF_OBJECT), PAINTED)
    captions = page.run(f"[...document.querySelectorAll('{WHOLE} figcaption')].map(c => c.innerText)")
    assert sorted(captions) == ["harmonized", "painting alone"]


def test_the_close_up_shows_the_object_larger(page: Page) -> None:
    def share() -> float:
        """Of the visible frame that is the object's colour, pasted or painted."""
        seen = page.screenshot(".compare:not(.away) .sides").astype(int)
        return float(np.mean([np.abs(seen - colour).max(2) <= JPEG for colour in SCENE_COLOURS.values()], 0).mean() * 2)

    whole = share()
    page.click("[data-view=close]")
    assert page.run(f"getComputedStyle(document.querySelector('{WHOLE}')).display") == "none"
    assert share() > 2.5 * whole
    assert alike(colour_at(page, 0.4, CLOSE), PASTED) and alike(colour_at(page, 0.6, CLOSE), PAINTED)


def test_curves_are_drawn_in_colours_that_show(page: Page) -> None:
    colours = page.run("[...document.querySelectorAll('.curve')].map(c => getComputedStyle(c).stroke)")
    assert len(colours) == len(set(colours)) == 2 and "none" not in colours
    seen = page.screenshot(".charts figure").reshape(-1, 3)
    for colour in colours:
        wanted = [int(v) for v in colour.removeprefix("rgb(").rstrip(")").split(",")]
        assert (np.abs(seen.astype(int) - wanted).max(1) <= 8).sum() > 100


def test_dark_where_the_desktop_is_dark(browser: Browser, written: Written) -> None:
    file, means = written(run_page(a_record())), {}
    for dark in (False, True):
        with Page(1200, 900, dark=dark, browser=browser) as shown:
            shown.open(file)
            seen = shown.screenshot()
            means[dark] = float(np.median(seen))
            contrast = shown.run(
                "[getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor]"
            )
            ink, paper = (sum(map(int, c.removeprefix("rgb(").rstrip(")").split(","))) / 3 for c in contrast)
            assert abs(ink - paper) > 180
    assert means[False] > 200 and means[True] < 60


@pytest.mark.parametrize("width", [320, 390, 768, 1600])
def test_nothing_sticks_out_at_any_width(browser: Browser, written: Written, width: int) -> None:
    runs = [row(replace(a_record(), name=name * 20), ("other", canvas(SEA))) for name in ("a", "b ")]
    with Page(width, 800, browser=browser) as shown:
        for text in (run_page(a_record()), folder_page("runs", runs, {})):
            shown.open(written(text))
            assert shown.run("document.scrollingElement.scrollWidth") <= width
            x, _, wide, _ = shown.box("img")
            assert x >= 0 and x + wide <= width


def test_paper_shows_before_and_after_side_by_side(page: Page) -> None:
    page.print_on_screen()
    boxes = page.run(
        f"['left', 'right'].map(s => document.querySelector('{WHOLE} .' + s).getBoundingClientRect())"
        ".map(r => [r.left, r.right, r.width])"
    )
    (_, end, left_width), (start, _, right_width) = boxes
    assert end <= start and abs(left_width - right_width) < 2
    hidden = page.run("['input', '.handle', '.views', 'details'].map(s => document.querySelector(s).checkVisibility())")
    assert hidden == [False] * 4
    assert page.run(f"document.querySelector('{CLOSE} img').checkVisibility()")
    seen = page.screenshot(f"{WHOLE} .sides")
    half = seen.shape[1] // 2
    for part, colour in ((seen[:, :half], PASTED), (seen[:, half:], PAINTED)):
        assert (np.abs(part.astype(int) - colour).max(2) <= JPEG).mean() > 0.04
    assert page.pdf().startswith(b"%PDF-")


def test_names_and_remarks_are_text_never_markup(browser: Browser, written: Written) -> None:
    hostile: dict[str, Any] = {
        "parameters": {HOSTILE: HOSTILE},
        "about": {"notes": [HOSTILE], "network": {"name": HOSTILE}},
    }
    record = a_record(HOSTILE, **hostile)
    record = replace(record, stages=[replace(stage, name=HOSTILE) for stage in record.stages])
    with Page(browser=browser) as shown:
        for text in (run_page(record), folder_page(HOSTILE, [row(record), row(record)], {HOSTILE: "x.html"})):
            shown.open(written(text))
            assert shown.asked_for[-1].startswith("file:") and shown.complaints == []
            assert shown.run("document.querySelectorAll('[onerror]').length") == 0
            assert shown.run("document.querySelector('h1').textContent") == HOSTILE


def test_a_record_with_little_in_it_is_a_page_too(browser: Browser, written: Written) -> None:
    bare = a_record(parameters={}, about={}, figures=[], losses=[], stages=[])
    with Page(browser=browser) as shown:
        shown.open(written(run_page(bare)))
        assert shown.complaints == []
        headings = shown.run("[...document.querySelectorAll('h2')].map(h => h.innerText)")
        assert headings[:2] == ["Before and after", "From pasted to painted"] and "Loss curves" not in headings
        shown.open(written(folder_page("one", [row(bare)], {})))
        assert shown.complaints == [] and "1 run" in shown.run("document.body.innerText")


def test_the_sheet_shows_pasted_reference_and_harmonized_in_a_row(browser: Browser, written: Written) -> None:
    rows = [row(a_record("first"), ("theirs", canvas((250, 250, 250))[::2, ::2].copy())), row(a_record("second"))]
    with Page(browser=browser) as shown:
        shown.open(written(folder_page("runs", rows, {})))
        tiles = shown.run(
            "[...document.querySelectorAll('#run-first figure')].map(f =>"
            "[f.innerText.trim(), Math.round(f.getBoundingClientRect().top), f.getBoundingClientRect().left])"
        )
        names = ["pasted", "theirs", "harmonized"]
        assert [name for name, _, _ in tiles] == [*names, *(f"{name}, close-up" for name in names)]
        assert len({top for _, top, _ in tiles[:3]}) == 1 and len({top for _, top, _ in tiles}) == 2
        lefts = [left for _, _, left in tiles[:3]]
        assert lefts == sorted(lefts)
        seen = shown.screenshot("#run-first figure:nth-child(6)")
        assert alike(tuple(int(v) for v in seen[seen.shape[0] // 2, seen.shape[1] // 2]), PAINTED)
        assert shown.run("document.querySelectorAll('#run-second figure').length") == 4


def test_the_table_has_figures_their_mean_and_the_settings_that_differ(browser: Browser, written: Written) -> None:
    other = a_record("second", parameters={"preset": "draft", "size": None, "seed": 8})
    with Page(browser=browser) as shown:
        shown.open(written(folder_page("runs", [row(a_record("first")), row(other)], {})))
        tables = shown.run(
            "[...document.querySelectorAll('table')].map(t => [...t.rows].map(r => [...r.cells].map(c => c.innerText)))"
        )
    assert tables[0] == [
        ["run", "seam", "depth", "seconds"],
        ["first", "1.062", "–", "3.2"],
        ["second", "1.062", "–", "3.2"],
        ["mean", "1.062", "–", "3.2"],
    ]
    assert tables[1] == [["run", "seed"], ["first", "7"], ["second", "8"]]
    assert ["preset", "draft"] in tables[2] and not any(line[0] == "seed" for line in tables[2])
