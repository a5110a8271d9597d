"""How a table seems to spell its numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from polyhead.contracts.numbers import NumbersSection
from polyhead.kinds.guessing.columns import Column
from polyhead.kinds.numerals import PLAIN

_SPELLINGS = (
    NumbersSection(decimal=",", thousands=None),
    NumbersSection(decimal=",", thousands="."),
    NumbersSection(decimal=",", thousands=" "),
    NumbersSection(decimal=",", thousands="'"),
    NumbersSection(decimal=".", thousands=","),
    NumbersSection(decimal=".", thousands="'"),
)
_NUMBER = r"^[-+]?[0-9][0-9., '\u00a0\u2009\u202f\u2019]*$"
_SEPARATED = r"[0-9][,' \u00a0\u2009\u202f\u2019][0-9]|\.[0-9]+\."
_TEXTS = (pl.String, pl.Categorical, pl.Enum)
_LOOKED_AT = 1_000


def spelling_of(frame: pl.DataFrame) -> NumbersSection:
    """The spelling in which the most cells of a table are in columns of numbers; of equal ones the plainest.

    Plain where two would read other numbers in as many cells: `1,234` alone may be either.

    Args:
        frame: The table, of which the first 1,000 rows are looked at.
    """
    head = frame.head(_LOOKED_AT)
    texts = [Column(head[name]) for name, dtype in head.schema.items() if dtype in _TEXTS]
    texts = [column for column in texts if column.share(_NUMBER) > 0.5]
    if not any(column.share(_SEPARATED) for column in texts):
        return PLAIN
    read = {spelling: _numbers(texts, spelling) for spelling in (PLAIN, *_SPELLINGS)}
    cells = {
        spelling: sum(len(values) - values.null_count() for values in read[spelling].values()) for spelling in read
    }
    best = [spelling for spelling, count in cells.items() if count == max(cells.values())]
    return best[0] if all(_agree(read[best[0]], read[other]) for other in best[1:]) else PLAIN


def _numbers(columns: Sequence[Column], spelling: NumbersSection) -> dict[str, pl.Series]:
    """The columns that are numbers in a spelling, as these."""
    read = {column.name: Column(column.series, spelling).numbers for column in columns}
    return {name: values for name, values in read.items() if values is not None}


def _agree(one: Mapping[str, pl.Series], other: Mapping[str, pl.Series]) -> bool:
    """Whether two spellings read the same numbers."""
    return one.keys() == other.keys() and all(values.equals(other[name]) for name, values in one.items())
