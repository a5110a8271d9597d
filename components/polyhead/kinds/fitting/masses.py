"""How much the rows of each word weigh together."""

from __future__ import annotations

from typing import Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from polyhead.kinds.fitting.accumulator import Accumulator, State
from polyhead.kinds.fitting.moments import Moments


class Masses(Accumulator):
    """Exact sums of weights by word; for a column of few different words."""

    def __init__(self) -> None:
        self._sums: dict[str, Moments] = {}

    def update(self, tokens: pl.Series, weights: NDArray[np.float64]) -> None:
        """Take more words, none of them null, each with its weight."""
        frame = pl.DataFrame({"token": tokens, "weight": weights})
        for (token,), rows in frame.group_by("token"):
            self._sums.setdefault(str(token), Moments()).update(rows["weight"].to_numpy())

    def merge(self, other: Self) -> None:
        """Take what another has seen."""
        for token, sums in other._sums.items():
            self._sums.setdefault(token, Moments()).merge(sums)

    def shares(self, tokens: list[str], whole: Moments) -> list[float]:
        """What the rows of each of some words weigh, where the mean of all rows is 1.

        Args:
            tokens: The words.
            whole: Of the weights of all rows, some of them above 0.
        """
        totals = [self._sums[token].total if token in self._sums else 0 for token in tokens]
        return [total * whole.count / whole.total for total in totals]

    def state(self) -> State:
        """`tokens`, by code points, and of each the count, the sum and the sum of squares as `Moments` has them."""
        tokens = sorted(self._sums)
        states = [self._sums[token].state() for token in tokens]
        return {
            "tokens": pl.Series(tokens, dtype=pl.String),
            "counts": pl.Series([state["count"] for state in states], dtype=pl.Int64),
            "totals": pl.Series([state["total"] for state in states], dtype=pl.String),
            "squares": pl.Series([state["squares"] for state in states], dtype=pl.String),
        }

    @classmethod
    def restored(cls, state: State) -> Self:
        """Masses that continue from a state."""
        masses = cls()
        for token, count, total, squares in zip(
            state["tokens"], state["counts"], state["totals"], state["squares"], strict=True
        ):
            masses._sums[token] = Moments.restored({"count": count, "total": total, "squares": squares})
        return masses
