"""Numbers in text: how a table spells them, and what they look like in spellings that it does not state."""

from __future__ import annotations

import re
from collections.abc import Sequence

import polars as pl

from polyhead.contracts.numbers import NumbersSection

OTHER_SPELLING = (
    r"^\s*(?:\p{Sc}|[A-Z]{3} )?\s?[-+]?(?:[0-9]{1,3}(?:[,' .\u00a0\u202f][0-9]{3})+|[0-9]+)(?:[.,][0-9]+)?"
    r"\s?(?:[%°\p{Sc}]|\p{L}{1,4}[23²³]?)?\s*$"
)
"""Numbers in many spellings: with separators, and with a unit or a currency."""

PLAIN = NumbersSection()
"""As programs spell numbers."""

_SPACES = r"[ \u00a0\u2009\u202f]"
_MARKS = {" ": _SPACES, "'": "['\u2019]"}


def is_plain(spelling: NumbersSection, units: Sequence[str]) -> bool:
    """Whether numbers are spelled as programs spell them, so that there is nothing to make of them."""
    return spelling == PLAIN and not units


def plain_numbers(text: pl.Series, spelling: NumbersSection, units: Sequence[str]) -> pl.Series:
    """Numbers as programs spell them, from those of a table.

    A number may have separated thousands, in groups of three digits, or of two before the last three, as in India; a
    fraction, an exponent, and one of the units before or behind it, with or without a space. The sign may stand before
    a unit.

    Args:
        text: Cells without white space around them.
        spelling: How the table spells numbers.
        units: What may be before or behind a number.

    Returns:
        Text; null where a cell with a digit is spelled otherwise. Cells without any digit stay as they are.
    """
    mark = _mark(spelling.thousands)
    grouped = f"[0-9]{{1,3}}(?:{mark}[0-9]{{2,3}})*{mark}[0-9]{{3}}|" if mark else ""
    unit = "|".join(re.escape(one) for one in sorted(units, key=len, reverse=True))
    before, behind = (rf"(?:(?:{unit})\s*)?", rf"(?:\s*(?:{unit}))?") if units else ("", "")
    number = rf"([-+]?)((?:{grouped}[0-9]+)?)((?:{re.escape(spelling.decimal)}[0-9]*)?)((?:[eE][-+]?[0-9]+)?)"
    sign, inner, whole, fraction, exponent = (
        text.str.extract_groups(rf"^([-+]?)\s*{before}{number}{behind}$" if units else f"^(){number}$")
        .struct.unnest()
        .get_columns()
    )
    if mark:
        whole = whole.str.replace_all(mark, "")
    fraction = fraction.str.replace(spelling.decimal, ".", literal=True)
    columns = {"text": text, "sign": sign, "inner": inner, "whole": whole, "fraction": fraction, "exponent": exponent}
    plain = pl.concat_str("sign", "inner", "whole", "fraction", "exponent")
    has_digits = pl.col("text").str.contains("[0-9]")
    return pl.DataFrame(columns).select(pl.when(has_digits).then(plain).otherwise("text").alias("text")).to_series()


def said(spelling: NumbersSection, units: Sequence[str]) -> str:
    """How numbers are read, for a message; empty where they are plain."""
    parts = []
    if spelling != PLAIN:
        parts.append(f"decimal {spelling.decimal!r}")
    if spelling.thousands is not None:
        parts.append(f"thousands {spelling.thousands!r}")
    if units:
        parts.append(f"unit {' or '.join(repr(unit) for unit in units)}")
    return f" with {', '.join(parts)}" if parts else ""


def _mark(thousands: str | None) -> str:
    return "" if thousands is None else _MARKS.get(thousands, re.escape(thousands))
