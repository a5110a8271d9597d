"""Tables of texts."""

from __future__ import annotations

from dataclasses import dataclass

_LONGEST_TEXT = 160


@dataclass(frozen=True)
class Table:
    """A table of texts; `numeric` names the columns, by position, that are aligned as numbers."""

    columns: list[str]
    rows: list[list[str]]
    numeric: frozenset[int] = frozenset()


def short(text: str, length: int = _LONGEST_TEXT) -> str:
    """The text, cut to at most `length` characters."""
    return text if len(text) <= length else text[: length - 1] + "…"
