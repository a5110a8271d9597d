"""Charts as small static SVG: nothing runs in the page, and one chart serves light and dark paper.

Colours and type come from the page's style sheet through classes, so a chart holds no colour, no font and no id. It is
hidden from readers of the text; what it shows stands in a table beside it. Coordinates have one decimal, so the same
numbers give the same bytes. A scatter plot of 1,500 points takes about 12 kB: its points are lines of no length, with
round ends, in a few paths.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from markupsafe import Markup, escape
from numpy.typing import NDArray

from polyhead.page.tables import Table

Point = tuple[float, float]

WIDTH = 320
_LEFT, _RIGHT, _TOP, _BOTTOM = 58, 18, 10, 40
_LAYERS = 6
"""Paths that the points of a scatter plot are shared among: overlaps within one do not darken."""

_TICK_WIDTH = 44

NOTHING = Markup()


@dataclass(frozen=True)
class Chart:
    """A chart and what surrounds it.

    Attributes:
        title: Above it.
        svg: The drawing; empty where the table says it all.
        caption: What to know when reading it; empty where the title says it all.
        series: What lines are called, by the class that colours them; empty with a single one.
        table: Its numbers. Default: none.
        heading: What the table is called where it is folded; empty to show it at once.
        look: Class of a table that is shown at once: `matrix` for one of shaded cells. Default: as any table.
    """

    title: str
    svg: Markup = NOTHING
    caption: str = ""
    series: tuple[tuple[str, str], ...] = ()
    table: Table | None = None
    heading: str = "The numbers as a table"
    look: str = ""


@dataclass(frozen=True)
class Axis:
    """A range of values along a side of a chart.

    Attributes:
        title: Under or beside the axis.
        low: The first value.
        high: The last; larger than the first.
        logarithmic: Whether equal ratios are equally far apart; `low` is then above 0.
        percent: Whether values are shares, written in percent.
        whole: Whether only whole numbers are marked.
    """

    title: str
    low: float
    high: float
    logarithmic: bool = False
    percent: bool = False
    whole: bool = False

    def at(self, value: float) -> float:
        """Where a value is, from 0 to 1; beyond for a value outside."""
        if self.logarithmic:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)

    def ticks(self, most: int) -> list[tuple[float, str]]:
        """At most so many marked values with their texts."""
        values = _log_ticks(self.low, self.high, most) if self.logarithmic else _ticks(self.low, self.high, most)
        if self.whole:
            values = [value for value in values if value == round(value)]
        if self.percent:
            return [(value, f"{100 * value:.0f} %".replace("-", "−")) for value in values]
        if self.logarithmic:
            return [(value, _labels([value])[0]) for value in values]
        return list(zip(values, _labels(values), strict=True))


def axis_over(title: str, values: Iterable[float], *, logarithmic: bool = False, room: float = 0.04) -> Axis:
    """An axis that holds these values with some room at both ends.

    Args:
        title: Of the axis.
        values: At least one, all finite; above 0 for a logarithmic axis.
        logarithmic: See `Axis`.
        room: At each end, as a share of the range.
    """
    held = list(values)
    low, high = min(held), max(held)
    if logarithmic:
        factor = (high / low) ** room if high > low else 1.25
        return Axis(title, low / factor, high * factor, logarithmic=True)
    gap = room * (high - low) or abs(high) * 0.05 or 1.0
    return Axis(title, low - gap, high + gap)


@dataclass
class Plot:
    """A frame with two axes that lines and points are drawn into.

    Attributes:
        x: From left to right.
        y: From bottom to top.
        width: Of the whole, in pixels.
        height: Of the whole, in pixels.
    """

    x: Axis
    y: Axis
    width: int = WIDTH
    height: int = 294
    _marks: list[str] = field(default_factory=list)

    @property
    def _inner(self) -> tuple[float, float, float, float]:
        return _LEFT, self.width - _RIGHT, _TOP, self.height - _BOTTOM

    def place(self, point: Point) -> tuple[float, float]:
        """Where a point is, in pixels from the top left corner; values outside go to the edge."""
        left, right, top, bottom = self._inner
        across, up = (min(max(axis.at(value), 0.0), 1.0) for axis, value in zip((self.x, self.y), point, strict=True))
        return left + across * (right - left), bottom - up * (bottom - top)

    def _path(self, points: Iterable[Point]) -> str:
        return "L".join(f"{_px(x)} {_px(y)}" for x, y in map(self.place, points))

    def line(self, points: Sequence[Point], kind: str) -> None:
        """A line through points; `kind` is the class that gives its look."""
        if len(points) > 1:
            self._marks.append(f'<path class="line {kind}" d="M{self._path(points)}"/>')

    def dots(self, points: Sequence[Point], kind: str) -> None:
        """Points; `kind` is the class that gives their look."""
        path = "".join(f"M{_px(x)} {_px(y)}h0" for x, y in map(self.place, points))
        self._marks.append(f'<path class="dots {kind}" d="{path}"/>')

    def cloud(self, points: Sequence[Point]) -> None:
        """Many points in whole pixels, darker where they lie on one another."""
        pixels = list(dict.fromkeys((round(x), round(y)) for x, y in map(self.place, points)))
        for start in range(min(_LAYERS, len(pixels))):
            layer = pixels[start::_LAYERS]
            steps = zip([(0, 0), *layer], layer, strict=False)
            path = "".join(f"m{x - before_x} {y - before_y}h0" for (before_x, before_y), (x, y) in steps)
            self._marks.append(f'<path class="dots cloud" d="{path}"/>')

    def whiskers(self, spans: Iterable[tuple[float, float, float]], kind: str) -> None:
        """Upright lines at `x` from `low` to `high`."""
        for x, low, high in spans:
            self._marks.append(f'<path class="whisker {kind}" d="M{self._path([(x, low), (x, high)])}"/>')

    def words(self, point: Point, text: str, *, below: bool = False) -> None:
        """A text beside a point, on the side with more room."""
        x, y = self.place(point)
        left, right, *_ = self._inner
        side, gap = ("end", -8) if x > (left + right) / 2 else ("start", 8)
        down = 15 if below else -7
        self._marks.append(
            f'<text class="said" x="{_px(x + gap)}" y="{_px(y + down)}" text-anchor="{side}">{escape(text)}</text>'
        )

    def svg(self) -> Markup:
        """The drawing."""
        left, right, top, bottom = self._inner
        parts = []
        for value, text in self.x.ticks(max(2, int((right - left) / _TICK_WIDTH))):
            x = _px(self.place((value, self.y.low))[0])
            parts.append(f'<path class="grid" d="M{x} {top}V{_px(bottom)}"/>')
            parts.append(f'<text x="{x}" y="{_px(bottom + 15)}" text-anchor="middle">{escape(text)}</text>')
        for value, text in self.y.ticks(max(2, int((bottom - top) / _TICK_WIDTH))):
            y = self.place((self.x.low, value))[1]
            parts.append(f'<path class="grid" d="M{left} {_px(y)}H{_px(right)}"/>')
            parts.append(f'<text x="{left - 6}" y="{_px(y + 4)}" text-anchor="end">{escape(text)}</text>')
        parts.append(f'<path class="axis" d="M{left} {top}V{_px(bottom)}H{_px(right)}"/>')
        if self.x.title:
            middle = _px((left + right) / 2)
            title = escape(self.x.title)
            parts.append(f'<text class="title" x="{middle}" y="{self.height - 6}" text-anchor="middle">{title}</text>')
        if self.y.title:
            turned = f"translate(11 {_px((top + bottom) / 2)}) rotate(-90)"
            title = escape(self.y.title)
            parts.append(f'<text class="title" transform="{turned}" text-anchor="middle">{title}</text>')
        return drawing("".join([*parts, *self._marks]), self.width, self.height)


def drawing(content: str, width: float, height: float) -> Markup:
    """An SVG element that readers of the text do not meet.

    Args:
        content: What is in it, as markup in which every text is escaped.
        width: In pixels; it is never wider, and narrower in a narrow place.
        height: In pixels.
    """
    box = f"{_px(width)} {_px(height)}"
    return Markup(  # noqa: S704  # drawn from numbers and escaped texts
        f'<svg class="plot" viewBox="0 0 {box}" width="{_px(width)}" height="{_px(height)}" aria-hidden="true">'
        f"{content}</svg>"
    )


def thinned(x: NDArray[np.float64], y: NDArray[np.float64], most: int) -> list[Point]:
    """Points of a line that rises or falls, without those that its look does not need.

    Args:
        x: In order, finite, float64 (n,), at least one.
        y: Beside it.
        most: How many to keep at most, two at least: the ends, and of the corners those that are about as far apart
            along the line.
    """
    steps = np.diff(np.stack([x, y]), axis=1) != 0
    corner = np.ones(len(x), dtype=bool)
    corner[1:-1] = (steps[:, :-1] | steps[:, 1:]).all(axis=0)  # else straight on, across or up
    x, y = x[corner], y[corner]
    if len(x) > most:
        gone = np.append(0.0, np.cumsum(np.abs(np.diff(x)) + np.abs(np.diff(y))))
        kept = np.unique(np.searchsorted(gone, np.linspace(0.0, gone[-1], most)))
        x, y = x[kept], y[kept]
    return [(float(across), float(up)) for across, up in zip(x, y, strict=True)]


def _px(value: float) -> str:
    """Pixels with at most one decimal."""
    text = f"{value:.1f}".removesuffix(".0")
    return "0" if text == "-0" else text


def _ticks(low: float, high: float, most: int) -> list[float]:
    """Round values within a range, two at least: one alone says nothing of the scale."""
    rough = (high - low) / max(most, 1)
    size = 10.0 ** math.floor(math.log10(rough))
    steps = [round_one * size for round_one in (0.5, 1, 2, 5, 10)]
    fits = next(at for at, step in enumerate(steps) if step >= rough * (1 - 1e-9))
    found = _multiples(steps[fits], low, high)
    return found if len(found) > 1 else _multiples(steps[fits - 1], low, high)


def _multiples(step: float, low: float, high: float) -> list[float]:
    places = range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)
    return [0.0 if place == 0 else place * step for place in places]


def _log_ticks(low: float, high: float, most: int) -> list[float]:
    """Powers of ten within a range, with steps between them where there are few."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for steps in ((1, 2, 5), (1, 3), (1,)):
        found = [step * 10.0**decade for decade in decades for step in steps if low <= step * 10.0**decade <= high]
        if len(found) <= most:
            break
    return found[:: math.ceil(len(found) / most)] if len(found) > 1 else _ticks(low, high, most)


def _labels(values: Sequence[float]) -> list[str]:
    """The same decimals for all; thousands and millions in short."""
    largest = max(map(abs, values), default=0.0)
    units = ((1e12, "T", 1e12), (1e9, "G", 1e9), (1e6, "M", 1e6), (1e3, "k", 1e4))
    unit, suffix = next(((size, end) for size, end, start in units if largest >= start), (1.0, ""))
    if largest >= 1e16 or 0 < largest < 1e-5:
        return [f"{value:.0e}".replace("-", "−") for value in values]
    scaled = [value / unit for value in values]
    places = next(
        (n for n in range(7) if all(abs(v - round(v, n)) < 1e-7 * max(1.0, largest / unit) for v in scaled)), 7
    )
    return [f"{value:,.{places}f}{suffix if value else ''}".replace("-", "−") for value in scaled]
