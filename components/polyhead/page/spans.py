"""Intervals as bars: a score among its references, and a column of differences around a line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from polyhead.contracts.evaluation import Interval
from polyhead.page.charts import drawing
from polyhead.page.tables import short

_WIDTH, _LETTER, _GAP = 440, 6.0, 8
_MIDDLE, _FIRST_LINE, _LINE = 14, 40, 15
_LEFT, _RIGHT = 96, 8
_LONGEST = 22
_CELL = Markup('<span class="span" style="--zero:{:.1f}%">{}<span class="dot{}" style="--x:{:.1f}%"></span></span>')
_SPAN = Markup('<span class="reach" style="--x:{:.1f}%;--w:{:.1f}%"></span>')
_LONE = Markup('<span class="span" style="--zero:{:.1f}%"></span>')


@dataclass(frozen=True)
class Tick:
    """A reference on a bar.

    Attributes:
        name: What it is.
        value: Where it is.
        text: The value in words.
        strong: Whether it is the one to beat.
    """

    name: str
    value: float
    text: str
    strong: bool = False


@dataclass(frozen=True)
class _Scale:
    """Values between two ends, turned round where lower is better."""

    low: float
    high: float
    falling: bool

    def share(self, number: float) -> float:
        """Where a number is, from 0 at the left to 1."""
        share = min(max((number - self.low) / (self.high - self.low), 0.0), 1.0)
        return 1 - share if self.falling else share


def score_bar(
    value: float | None, interval: Interval, ticks: Sequence[Tick], *, falling: bool, labelled: bool = True
) -> Markup:
    """A score with its interval among references, better to the right.

    The scale ends at the best score that there is: 1, or 0 where lower is better.

    Args:
        value: The score; without one there is no bar.
        interval: Of the score.
        ticks: The references.
        falling: Whether lower values are better, so that the scale is turned round.
        labelled: Whether the references are named below. Default: yes.
    """
    if value is None:
        return Markup()
    span = None if interval.low is None or interval.high is None else (interval.low, interval.high)
    numbers = [value, *(tick.value for tick in ticks)]
    bounded = min(numbers) >= 0 if falling else max(numbers) <= 1
    best = (0.0 if falling else 1.0) if bounded else None
    shown = [*numbers, *(span or ())]
    low, high = min(shown), max(shown)
    if best is not None:
        low, high = (best, high) if falling else (low, best)
    room = 0.04 * (high - low) or abs(value) * 0.05 or 1.0
    low, high = low - room, high + room
    if best is not None:
        low, high = (best, high) if falling else (low, best)

    left = _LEFT if labelled else _RIGHT
    scale = _Scale(low, high, falling)

    def at(number: float) -> float:
        return left + scale.share(number) * (_WIDTH - left - _RIGHT)

    parts = [f'<path class="axis" d="M{left} {_MIDDLE}H{_WIDTH - _RIGHT}"/>']
    if best is not None:
        parts.append(f'<path class="axis" d="M{at(best):.1f} {_MIDDLE - 4}v8"/>')
    named = [(at(tick.value), f"{short(tick.name, _LONGEST)} {tick.text}", tick) for tick in ticks]
    lines = _lines(named) if labelled else []
    for x, _, line, _ in lines:
        down = _FIRST_LINE + line * _LINE + 2
        parts.append(f'<path class="leader" d="M{x:.1f} {_MIDDLE}V{down}"/>')
    for tick in ticks:
        kind = "tick strong" if tick.strong else "tick"
        parts.append(f'<path class="{kind}" d="M{at(tick.value):.1f} {_MIDDLE - 8}v16"/>')
    if span:
        ends = sorted((at(span[0]), at(span[1])))
        parts.append(f'<path class="reach" d="M{ends[0]:.1f} {_MIDDLE}H{max(ends[1], ends[0] + 0.1):.1f}"/>')
    parts.append(f'<circle class="score" cx="{at(value):.1f}" cy="{_MIDDLE}" r="5.5"/>')
    for x, text, line, strong in lines:
        kind, down = " strong" if strong else "", _FIRST_LINE + line * _LINE
        parts.append(f'<text class="name{kind}" x="{x - 4:.1f}" y="{down}" text-anchor="end">{escape(text)}</text>')
    deepest = max((line for _, _, line, _ in lines), default=-1)
    height = _FIRST_LINE + deepest * _LINE + 5 if lines else 2 * _MIDDLE
    return drawing("".join(parts), _WIDTH, height)


def _lines(labels: Sequence[tuple[float, str, Tick]]) -> list[tuple[float, str, int, bool]]:
    """On which line each label stands, so that none lies on another or on the way of a tick.

    A label ends at its tick. From the left, each stands below all whose ticks are where it stands; these end above it.
    """
    placed: list[tuple[float, str, int, bool]] = []
    for x, text, tick in sorted(labels, key=lambda label: label[0]):
        start = x - _LETTER * len(text) - _GAP
        line = 1 + max((line for other, _, line, _ in placed if other > start), default=-1)
        placed.append((x, text, line, tick.strong))
    return placed


def span_cells(
    rows: Sequence[tuple[float | None, tuple[float, float] | None, bool]],
    zero: float,
    *,
    falling: bool,
    within: Sequence[bool] = (),
) -> list[Markup]:
    """A cell for each row of a table: a dot with its interval, around one line through all of them.

    Args:
        rows: A value, None where there is none; its interval, None without one; whether it stands out.
        zero: What the line marks.
        falling: Whether the scale is turned round, as in `score_bar`.
        within: Which rows the scale has to hold; others may lie at its end. Default: all.
    """
    held = [row for row, is_in in zip(rows, within, strict=True) if is_in] if any(within) else rows
    shown = [zero, *(number for value, span, _ in held if value is not None for number in (value, *(span or ())))]
    low, high = min(shown), max(shown)
    room = 0.06 * (high - low) or 1.0
    scale = _Scale(low - room, high + room, falling)

    def at(number: float) -> float:
        return 100 * scale.share(number)

    cells = []
    for value, span, marked in rows:
        if value is None:
            cells.append(_LONE.format(at(zero)))
            continue
        reach = Markup()
        if span:
            ends = sorted((at(span[0]), at(span[1])))
            reach = _SPAN.format(ends[0], ends[1] - ends[0])
        cells.append(_CELL.format(at(zero), reach, " marked" if marked else "", at(value)))
    return cells
