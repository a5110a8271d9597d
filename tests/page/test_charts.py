"""Drawings: where things stand, and that any numbers give sound ones."""

from __future__ import annotations

import math
import re
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyhead.contracts.evaluation import Interval
from polyhead.page.charts import Axis, Plot, axis_over, thinned
from polyhead.page.spans import Tick, score_bar, span_cells

NUMBERS = st.floats(-1e90, 1e90, allow_nan=False)


@given(st.lists(NUMBERS, min_size=1, max_size=8), st.booleans())
def test_any_numbers_have_an_axis_with_marks_inside(values: list[float], logarithmic: bool) -> None:
    """All values lie within it, and its marks are in order and within it."""
    logarithmic = logarithmic and min(values) > 1e-90
    axis = axis_over("x", values, logarithmic=logarithmic)
    assert axis.low < axis.high
    assert all(-1e-9 <= axis.at(value) <= 1 + 1e-9 for value in values)
    marks = [axis.at(value) for value, _ in axis.ticks(5)]
    assert marks == sorted(marks)
    assert len(marks) <= 6
    assert all(-1e-6 <= mark <= 1 + 1e-6 for mark in marks)


def test_marks_are_round_and_share_their_decimals() -> None:
    assert [text for _, text in Axis("x", 0, 1).ticks(5)] == ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]
    assert [text for _, text in Axis("x", 0, 1, percent=True).ticks(5)][:2] == ["0 %", "20 %"]
    assert [text for _, text in Axis("x", 0, 60_000).ticks(3)] == ["0", "20k", "40k", "60k"]
    assert [text for _, text in Axis("x", -1.5, 1).ticks(5)] == ["−1.5", "−1.0", "−0.5", "0.0", "0.5", "1.0"]
    assert [text for _, text in Axis("x", 1, 3, whole=True).ticks(8)] == ["1", "2", "3"]
    assert [text for _, text in Axis("x", 1, 1000, logarithmic=True).ticks(5)] == ["1", "10", "100", "1,000"]
    huge = Axis("x", 1e4, 1e10, logarithmic=True).ticks(4)
    assert [text for _, text in huge] == ["10k", "1M", "100M", "10G"]


def test_an_axis_has_two_marks_at_least() -> None:
    """One alone says nothing of the scale; a range in which a coarse step has one gets a finer step."""
    assert [text for _, text in Axis("x", 0.55, 1.45).ticks(3)] == ["0.6", "0.8", "1.0", "1.2", "1.4"]
    assert [text for _, text in Axis("x", 0.45, 1.45).ticks(3)] == ["0.5", "1.0"]


def test_a_plot_is_well_formed_and_its_texts_are_escaped() -> None:
    plot = Plot(Axis("<b>&", 0, 1), Axis("y", 0, 10))
    plot.line([(0, 0), (1, 10)], "first")
    plot.cloud([(0.5, 5.0), (0.5, 5.0), (0.25, 2.5)])
    plot.words((0.9, 9.0), "</text><script>")
    root = ET.fromstring(plot.svg())
    assert "".join(root.itertext()).count("<script>") == 1
    assert [element.tag for element in root if element.tag not in ("path", "text")] == []
    (line,) = (element.get("d") for element in root if element.get("class") == "line first")
    (left, bottom), (right, top) = (map(float, point.split()) for point in str(line)[1:].split("L"))
    assert (right - left, bottom - top) == (244, 244)  # equal axes are equally long
    clouds = "".join(str(element.get("d")) for element in root if element.get("class") == "dots cloud")
    assert clouds.count("h0") == 2


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=300))
def test_a_thinned_line_keeps_its_ends_and_its_points(steps: list[tuple[float, float]]) -> None:
    """What is kept was there, in order, and with all corners of a short line nothing is lost."""
    x, y = (np.sort(np.array(side)) for side in zip(*steps, strict=True))
    kept = thinned(x, y, 40)
    assert len(kept) <= 40
    assert (kept[0], kept[-1]) == ((x[0], y[0]), (x[-1], y[-1]))
    assert kept == sorted(kept)
    assert set(kept) <= set(zip(x.tolist(), y.tolist(), strict=True))


def place(bar: str, kind: str) -> list[float]:
    """Where marks of a class begin, from the left."""
    found = re.findall(rf'class="{kind}" (?:d="M|cx=")([\d.]+)', bar)
    return [float(one) for one in found]


@pytest.mark.parametrize("falling", [False, True])
def test_a_bar_has_better_to_the_right(falling: bool) -> None:
    """A reference that is worse stands left of the score, whichever way the metric runs; the best ends the bar."""
    worse, better = (0.9, 0.1) if falling else (0.1, 0.95)
    ticks = [Tick("prior", worse, "w"), Tick("deployed", better, "b", strong=True)]
    bar = score_bar(0.5, Interval(low=0.4, high=0.6, method="m"), ticks, falling=falling)
    (prior,), (deployed,), (score,) = place(bar, "tick"), place(bar, "tick strong"), place(bar, "score")
    assert prior < score < deployed <= 432
    (start, end) = map(float, re.findall(r'class="reach" d="M([\d.]+) 14H([\d.]+)"', bar)[0])
    assert start < score < end
    assert score_bar(None, Interval(), [], falling=falling) == ""


@given(st.lists(st.floats(0, 1), min_size=1, max_size=7))
def test_names_of_references_lie_on_no_other_name_and_on_no_line_to_one(values: list[float]) -> None:
    ticks = [Tick(f"reference {n}", value, f"{value:.3f}") for n, value in enumerate(values)]
    bar = score_bar(0.5, Interval(), ticks, falling=False)
    names = [
        (float(x) - 6 * len(text), float(x), int(y))
        for x, y, text in re.findall(r'<text class="name" x="([\d.]+)" y="(\d+)" text-anchor="end">([^<]+)', bar)
    ]
    lines = [(float(x), int(y)) for x, y in re.findall(r'class="leader" d="M([\d.]+) 14V(\d+)"', bar)]
    assert len(names) == len(lines) == len(values)
    for at, (start, end, y) in enumerate(names):
        for other_start, other_end, other_y in names[at + 1 :]:
            assert y != other_y or end <= other_start or other_end <= start
        for x, down in lines:
            assert not (start < x < end and down >= y)


def test_bars_in_cells_stand_around_one_line() -> None:
    cells = span_cells([(0.2, (0.1, 0.3), False), (-0.1, None, True), (None, None, False)], 0.0, falling=False)
    zeros = {re.findall(r"--zero:([\d.]+)%", cell)[0] for cell in cells}
    assert len(zeros) == 1
    zero = float(zeros.pop())
    dots = [float(re.findall(r'class="dot(?: marked)?" style="--x:([\d.]+)', cell)[0]) for cell in cells[:2]]
    assert dots[1] < zero < dots[0]
    assert "marked" in cells[1]
    assert "dot" not in cells[2]
    assert not any(math.isnan(dot) for dot in dots)


def test_a_bar_that_the_scale_need_not_hold_lies_at_its_end() -> None:
    rows = [(0.2, None, False), (0.4, None, False), (-3000.0, None, False)]
    places = [
        [float(re.findall(r'class="dot" style="--x:([\d.]+)', cell)[0]) for cell in span_cells(rows, 0.3, **options)]
        for options in ({"falling": False}, {"falling": False, "within": [True, True, False]})
    ]
    assert places[0][1] - places[0][0] < 1
    assert places[1][1] - places[1][0] > 80
    assert places[1][2] == 0
