"""How numbers and intervals are written for people, on the terminal and in the report."""

from __future__ import annotations

import math

from polyhead.contracts.evaluation import Interval

UNDEFINED = "–"


def number(value: float | None) -> str:
    """Three significant digits, whole numbers with thousands separators from 1,000 on, `–` where there is none.

    What rounds to zero has no sign: 0, and never -0.000.
    """
    if value is None or not math.isfinite(value):
        return UNDEFINED
    if abs(value) < 5e-7:
        return "0"
    if abs(value) < 1e-3:
        return f"{value:.2g}"
    text = f"{value:#.3g}"
    if "e" in text or abs(value) >= 1_000:
        return f"{value:,.0f}" if abs(value) < 1e15 else f"{value:.2e}"
    return text.rstrip(".")


def signed(value: float) -> str:
    """As `number`, with its sign: +0.135, −1,200, 0."""
    text = number(abs(value))
    return text if text in ("0", UNDEFINED) else f"{'−' if value < 0 else '+'}{text}"


def span(interval: Interval) -> str:
    """`0.75 to 0.875`; empty where there is no interval."""
    return "" if interval.low is None else f"{number(interval.low)} to {number(interval.high)}"
