"""How numbers and intervals are written for people, on the terminal and in the report."""

from __future__ import annotations

import math

from polyhead.contracts.evaluation import Interval

UNDEFINED = "–"


def number(value: float | None) -> str:
    """Three significant digits, whole numbers with thousands separators from 1,000 on, `–` where there is none.

    The minus is −. What rounds to zero has no sign: 0, and never −0.000.
    """
    if value is None or not math.isfinite(value):
        return UNDEFINED
    size = abs(value)
    if size < 5e-7:
        return "0"
    text = f"{size:#.3g}".rstrip(".")
    if size < 1e-3:
        text = f"{size:.2g}"
    elif size >= 999.5:
        text = f"{size:,.0f}" if size < 1e15 else f"{size:.2e}"
    return f"−{text}" if value < 0 else text


def signed(value: float) -> str:
    """As `number`, with its sign: +0.135, −1,200, 0."""
    text = number(value)
    return text if value < 0 or text in ("0", UNDEFINED) else f"+{text}"


def span(interval: Interval) -> str:
    """`0.75 to 0.875`; empty where there is no interval."""
    return "" if interval.low is None else f"{number(interval.low)} to {number(interval.high)}"
