"""How often each word occurs."""

from __future__ import annotations

import math
from typing import Self

import polars as pl

from polyhead.kinds.fitting.accumulator import Accumulator, State
from polyhead.kinds.fitting.strings import detached

_SCHEMA = pl.Schema({"token": pl.String, "count": pl.Int64})
_SPARE = 1 << 16  # rows of batches' counts that may wait to be added up


class Counts(Accumulator):
    """Exact counts of strings; memory grows with the number of different ones."""

    def __init__(self) -> None:
        self._added = pl.DataFrame(schema=_SCHEMA)
        self._waiting: list[pl.DataFrame] = []

    def update(self, tokens: pl.Series) -> None:
        """Take more strings, none of them null."""
        self._add(tokens.alias("token").value_counts().cast(_SCHEMA))

    def merge(self, other: Self) -> None:
        """Take what another has seen."""
        self._add(other.table())

    def table(self) -> pl.DataFrame:
        """Columns `token` string and `count` int64, one row per different string, in no certain order."""
        if self._waiting:
            every = pl.concat([self._added, *self._waiting])
            self._added = every.group_by("token").agg(pl.col("count").sum())
            self._waiting = []
        return self._added

    def most_frequent(self, *, at_least: float, at_most: int, up_to: float = math.inf) -> pl.DataFrame:
        """The most frequent strings first, ties by code points, as `table` has them.

        Args:
            at_least: The count that a string needs.
            at_most: Most strings.
            up_to: The count that a string may have. Default: any.
        """
        kept = self.table().filter(pl.col("count").is_between(at_least, up_to))
        return kept.sort("count", "token", descending=[True, False]).head(at_most)

    def by_token(self) -> dict[str, int]:
        """The counts, tokens by code points."""
        return dict(self.table().sort("token").rows())

    def _add(self, counts: pl.DataFrame) -> None:
        self._waiting.append(counts)
        if sum(table.height for table in self._waiting) > max(_SPARE, self._added.height):
            self.table()

    def state(self) -> State:
        """`tokens`, by code points, and the `counts` of each."""
        table = self.table().sort("token")
        return {"tokens": detached(table["token"]), "counts": table["count"]}

    @classmethod
    def restored(cls, state: State) -> Self:
        """Counts that continue from a state."""
        counts = cls()
        counts._added = pl.DataFrame({"token": state["tokens"], "count": state["counts"]})
        return counts
