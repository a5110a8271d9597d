"""How numbers and intervals are written for people, on the terminal and in the report."""

from __future__ import annotations

import math
from typing import Literal

from polyhead.contracts.evaluation import Interval

UNDEFINED = "–"

Format = Literal["plain", "percent"]
"""plain: `12.6`; percent, of a value that is in percent already: `12.6 %`."""

_SUFFIXES: dict[Format, str] = {"plain": "", "percent": " %"}


def number(value: float | None, form: Format = "plain") -> str:
    """Three significant digits, whole numbers with thousands separators from 1,000 on, `–` where there is none.

    The minus is −. What rounds to zero has no sign: 0, and never −0.000.
    """
    text = _digits(value)
    return text if text == UNDEFINED else text + _SUFFIXES[form]


def signed(value: float, form: Format = "plain") -> str:
    """As `number`, with its sign: +0.135, −1,200, 0."""
    text = number(value, form)
    return text if value < 0 or _digits(value) in ("0", UNDEFINED) else f"+{text}"


def span(interval: Interval, form: Format = "plain") -> str:
    """`0.75 to 0.875`, `13.3 to 19.0 %`; empty where there is no interval."""
    return "" if interval.low is None else f"{_digits(interval.low)} to {number(interval.high, form)}"


def _digits(value: float | None) -> str:
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
