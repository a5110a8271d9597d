"""Tables of texts, with small bars in their cells where a number is a share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

_LONGEST_TEXT = 160
_TRACK = Markup('<span class="bar" style="--v:{:.1f}%">{}</span>')


@dataclass(frozen=True)
class Table:
    """A table of texts.

    Attributes:
        columns: The headings.
        rows: A text per column; markup is taken as it is, anything else is escaped. The first cell heads its row.
        numeric: The columns, by position, that are aligned as numbers.
        marked: Rows, by position, that stand out.
        under: What stands below each row, across its columns; empty where nothing does. Default: nothing anywhere.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    numeric: frozenset[int] = frozenset()
    marked: frozenset[int] = frozenset()
    under: Sequence[str] = ()


def short(text: str, length: int = _LONGEST_TEXT) -> str:
    """The text, cut to at most `length` characters."""
    return text if len(text) <= length else text[: length - 1] + "…"


def breakable(name: str) -> Markup:
    """A name that a narrow place breaks behind its underscores."""
    return Markup("_<wbr>").join(name.split("_"))


def bar(share: float, text: str) -> Markup:
    """A cell's text over a bar.

    Args:
        share: How much of the cell the bar fills, from 0 to 1.
        text: What the cell says.
    """
    return _TRACK.format(100 * min(max(share, 0.0), 1.0), text)


def muted(text: str) -> Markup:
    """A text that steps back, for a number that is not there."""
    return Markup('<span class="muted">{}</span>').format(text)
