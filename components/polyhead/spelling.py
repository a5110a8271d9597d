"""How numbers and intervals are written for people, on the terminal and in the report."""

from __future__ import annotations

import math
from typing import Literal

from polyhead.contracts.evaluation import Interval

UNDEFINED = "–"

Format = Literal["plain", "percent"]
"""plain: `12.6`; percent, of a value that is in percent already: `12.6 %`."""

_UNITS: dict[Format, str] = {"plain": "", "percent": " %"}
_UNITS_OF_DIFFERENCES: dict[Format, str] = {"plain": "", "percent": " percentage points"}


def number(value: float | None, form: Format = "plain") -> str:
    """Three significant digits, whole numbers with thousands separators from 1,000 on, `–` where there is none.

    The minus is −. What rounds to zero has no sign: 0, and never −0.000.
    """
    text = _digits(value)
    return text if text == UNDEFINED else text + _UNITS[form]


def signed(value: float, form: Format = "plain") -> str:
    """A difference, as `number` with its sign: +0.135, −1,200, 0, +12.6 percentage points."""
    text = _digits(value)
    if text == UNDEFINED:
        return text
    return ("" if value < 0 or text == "0" else "+") + text + _UNITS_OF_DIFFERENCES[form]


def span(interval: Interval, form: Format = "plain") -> str:
    """`0.75 to 0.875`, `13.3 to 19.0 %`; empty where there is no interval."""
    return _span(interval, _UNITS[form])


def span_of_difference(interval: Interval, form: Format = "plain") -> str:
    """As `span`, of a difference: `−0.25 to 0.5`, `1.50 to 2.50 percentage points`."""
    return _span(interval, _UNITS_OF_DIFFERENCES[form])


def _span(interval: Interval, unit: str) -> str:
    return "" if interval.low is None else f"{_digits(interval.low)} to {_digits(interval.high)}{unit}"


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
