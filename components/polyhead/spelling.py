"""How numbers and intervals are written for people, on the terminal and in the report."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

from polyhead.contracts.evaluation import Interval

UNDEFINED = "–"

_WIDEST = 1e9
"""From which on a number in a table is written with an exponent."""

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


def decimals(value: float | None) -> int:
    """How many decimals to write numbers with that stand beside one another, by the one that matters most.

    Three significant digits of it, three decimals from 0.01 to 1 and six at most below: 3 for 0.86, 0.05 and a perfect
    1, 2 for 1.5, 1 for 12.6, 0 for 1,200.
    """
    size = abs(value) if value is not None and math.isfinite(value) else 0.0
    if size < 5e-7:
        return 3
    if 0.01 <= size <= 1:
        return 3
    places = 2 - math.floor(math.log10(size * (1 + 1e-12)))
    return min(max(places, 0), 6)


def fixed(value: float | None, places: int, form: Format = "plain") -> str:
    """A number with so many decimals, and thousands separators; as `number` where it is too long for that."""
    return _fixed(value, places) + ("" if _is_undefined(value) else _UNITS[form])


def fixed_span(interval: Interval, places: int, form: Format = "plain") -> str:
    """As `span`, with so many decimals."""
    if interval.low is None:
        return ""
    return f"{_fixed(interval.low, places)} to {_fixed(interval.high, places)}{_UNITS[form]}"


def fixed_difference(value: float | None, places: int, form: Format = "plain") -> str:
    """A difference with so many decimals and its sign."""
    text = _fixed(value, places)
    sign = "" if text[0] in f"−{UNDEFINED}" or not text.strip("0.") else "+"
    return f"{sign}{text}" + ("" if _is_undefined(value) else _UNITS_OF_DIFFERENCES[form])


def fixed_difference_span(interval: Interval, places: int) -> str:
    """`−0.25 to +0.50`, without a unit; empty where there is no interval."""
    if interval.low is None:
        return ""
    return f"{fixed_difference(interval.low, places)} to {fixed_difference(interval.high, places)}"


def listed(names: Sequence[str]) -> str:
    """One name after another: `a`, `a and b`, `a, b and c`."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def percent(share: float | None) -> str:
    """A share from 0 to 1 with one decimal: `98.0 %`."""
    return _fixed(None if share is None else 100 * share, 1) + ("" if _is_undefined(share) else " %")


def _fixed(value: float | None, places: int) -> str:
    if value is None or not math.isfinite(value):
        return UNDEFINED
    text = f"{abs(value):.2e}" if abs(value) >= _WIDEST else f"{abs(value):,.{places}f}"
    return f"−{text}" if value < 0 and text.strip("0.") else text


def _is_undefined(value: float | None) -> bool:
    return value is None or not math.isfinite(value)


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
