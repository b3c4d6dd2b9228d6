"""Loss curves as SVG."""

from __future__ import annotations

import math
import re
from xml.etree import ElementTree

import pytest

from painterly_engine.report import chart
from painterly_engine.report.record import LossPoint


def points(*values: tuple[int, dict[str, float]], phase: str = "pass-one") -> list[LossPoint]:
    return [LossPoint(phase, iteration, named) for iteration, named in values]


def drawing(one: chart.Chart) -> ElementTree.Element:
    return ElementTree.fromstring(chart.svg(one, "Losses & more"))


def test_a_chart_for_each_phase_in_order() -> None:
    losses = points((1, {"a": 2.0})) + points((1, {"b": 3.0}), phase="pass-two") + points((11, {"a": 1.0}))
    first, second = chart.charts(losses)
    assert (first.phase, second.phase) == ("pass-one", "pass-two")
    assert first.curves == (chart.Curve("a", ((1, 2.0), (11, 1.0))),)


def test_what_a_logarithm_cannot_show_is_named_or_left_out() -> None:
    (one,) = chart.charts(points((1, {"a": 0.0, "idle": 0.0}), (11, {"a": 5.0, "idle": 0.0}), (21, {"a": math.inf})))
    assert one.curves == (chart.Curve("a", ((11, 5.0),)),) and one.silent == ("idle",)


def test_iterations_that_begin_anew_go_on_to_the_right() -> None:
    (one,) = chart.charts(points(*[(i, {"a": 9.0 - i}) for i in (1, 5, 1, 5, 1)]))
    assert [i for i, _ in one.curves[0].points] == [1, 5, 6, 10, 11] and one.restarts == (5, 10)
    assert len([e for e in drawing(one) if e.get("class") == "restart"]) == 2


def test_lines_go_down_where_values_do_and_stay_inside() -> None:
    (one,) = chart.charts(points((1, {"a": 1e6}), (11, {"a": 1e3}), (21, {"a": 1.0})))
    (path,) = [e.get("d", "") for e in drawing(one) if e.get("class") == "curve c0"]
    places = [tuple(map(float, pair.split())) for pair in path[1:].split("L")]
    assert [y for _, y in places] == pytest.approx([chart.TOP, (chart.TOP + chart.HEIGHT - chart.BOTTOM) / 2,
                                                    chart.HEIGHT - chart.BOTTOM])  # fmt: skip
    assert [x for x, _ in places] == sorted(x for x, _ in places)
    assert places[0][0] == chart.LEFT and places[-1][0] == chart.WIDTH - chart.RIGHT


def test_names_at_the_ends_never_overlap() -> None:
    names = [f"loss {k}" for k in range(9)]
    (one,) = chart.charts(points((1, dict.fromkeys(names, 100.0)), (11, dict.fromkeys(names, 1.0))))
    labels = [e for e in drawing(one) if e.get("class") == "label"]
    heights = [float(e.get("y", "nan")) for e in labels]
    assert sorted(e.text or "" for e in labels) == names
    assert min(b - a for a, b in zip(sorted(heights), sorted(heights)[1:], strict=False)) >= chart.LABEL_GAP - 0.01
    assert min(heights) > 0 and max(heights) < chart.HEIGHT


def test_a_single_point_is_a_dot_and_text_is_escaped() -> None:
    (one,) = chart.charts(points((1, {"<script>": 5.0})))
    elements = list(drawing(one))
    assert [e.tag for e in elements if (e.get("class") or "").startswith("curve")] == ["circle"]
    assert "<script>" in [e.text for e in elements]
    assert drawing(one).get("aria-label") == "Losses & more"


@pytest.mark.parametrize("values", [(1e-9, 1e9), (3.0, 3.0), (0.5, 0.7), (1e5, 9e5)])
def test_the_axis_has_a_few_round_numbers(values: tuple[float, float]) -> None:
    (one,) = chart.charts(points((1, {"a": values[0]}), (1001, {"a": values[1]})))
    marks = [e for e in drawing(one).iter() if e.get("class") == "tick"]
    powers = ["".join(e.itertext()) for e in marks if e.get("text-anchor") == "end"]
    assert 2 <= len(powers) <= 8 and all(re.fullmatch(r"10?0?0?|0\.0?1|10−?\d", power) for power in powers)
    iterations = [int(e.text or "") for e in marks if e.get("text-anchor") == "middle" and e.text != "iteration"]
    assert iterations == [1, 200, 400, 600, 800, 1000]


def test_the_drawing_is_as_wide_as_its_longest_name_needs() -> None:
    def drawn(name: str) -> chart.Chart:
        return chart.charts([LossPoint("total", n, {name: 1.0 / n}) for n in (1, 2)])[0]

    assert chart.width(drawn("style")) == chart.WIDTH
    long = drawn("style layers 1_1,2_1,3_1,4_1,5_1")
    assert chart.width(long) > chart.WIDTH + 100
    assert f'viewBox="0 0 {chart.width(long)} ' in chart.svg(long, "Losses")
