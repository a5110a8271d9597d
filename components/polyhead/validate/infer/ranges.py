"""Columns that are counted, such as `emb_0` to `emb_31`, and hold one vector together."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from polyhead.kinds.base import column_names
from polyhead.kinds.guessing.columns import Column
from polyhead.kinds.guessing.guess import Guess

_COUNTED = re.compile(r"(.*?)(\d+)", re.DOTALL)
_FEWEST = 16
"""Columns of which nobody looks at each."""


@dataclass(frozen=True)
class ColumnRange:
    """Columns that are one vector.

    Attributes:
        columns: In the order of their numbers, at least 16.
    """

    columns: tuple[str, ...]

    @property
    def words(self) -> str:
        """As the configuration names them: the first and the last."""
        return f"{self.columns[0]}..{self.columns[-1]}"

    @property
    def name(self) -> str:
        """What they have in common; empty for nothing."""
        return _COUNTED.fullmatch(self.columns[0])[1].rstrip("_- .")  # type: ignore[index]


def column_ranges(columns: Sequence[Column], guesses: Mapping[str, Guess]) -> list[ColumnRange]:
    """The ranges of columns that are vectors rather than numbers of their own.

    All hold fractions, under one name with a number behind it, without a gap between the numbers; and a row has all of
    them or none.

    Args:
        columns: That may be features.
        guesses: What each seems to hold.
    """
    by_start: dict[str, dict[int, Column]] = {}
    for column in columns:
        guess, match = guesses[column.name], _COUNTED.fullmatch(column.name)
        is_number = column.numbers is not None and not guess.left_out and not guess.options and not column.is_whole
        if match is not None and is_number:
            by_start.setdefault(match[1], {})[int(match[2])] = column
    found = []
    for counted in by_start.values():
        numbers = sorted(counted)
        names = tuple(counted[number].name for number in numbers)
        if len(numbers) >= _FEWEST and column_names(f"{names[0]}..{names[-1]}") == list(names) and _whole(counted):
            found.append(ColumnRange(names))
    return found


def _whole(counted: Mapping[int, Column]) -> bool:
    """Whether a row has all of some numbers or none."""
    there = pl.DataFrame([column.numbers.is_not_null().alias(column.name) for column in counted.values()])  # type: ignore[union-attr]
    return bool(there.select((pl.all_horizontal(pl.all()) == pl.any_horizontal(pl.all())).all()).item())
