"""Columns of several numbers to predict."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import polars as pl

from polyhead.errors import Problem
from polyhead.kinds.coercion import Coercion, Source, numbers_coercion
from polyhead.kinds.fitting.accumulator import State
from polyhead.kinds.fitting.fit import Fit, Site
from polyhead.kinds.fitting.looks import Looks
from polyhead.kinds.guessing.columns import Column
from polyhead.kinds.guessing.guess import Guess
from polyhead.kinds.protocols.table import TargetTable
from polyhead.kinds.summaries import Summary
from polyhead.kinds.targets.regression.config import Transform
from polyhead.kinds.targets.regression.table import NumberFit, RegressionSummary, learned_coercion
from polyhead.kinds.targets.regressions.config import RegressionsStatistics, RegressionsTarget


def item(place: int) -> Callable[[pl.Series], pl.Series]:
    """What takes one number out of each list; null where the list, or the number, is missing."""
    return lambda lists: lists.list.get(place, null_on_oob=True)


class RegressionsFit(Fit[RegressionsStatistics]):
    """What a regression target has, of each number.

    Args:
        name: The target.
        names: What the numbers are called.
        transform: To the scale that they are learned on.
    """

    def __init__(self, name: str, names: Sequence[str], transform: Transform) -> None:
        super().__init__(name)
        self._names = list(names)
        self._each = [_OneOfSeveral(f"{name}.{one}", transform) for one in names]

    def update(self, values: pl.Series, weights: pl.Series | None = None) -> None:
        """Take the values of more rows; arguments as of every fit."""
        super().update(values, weights)
        for place, fit in enumerate(self._each):
            fit.update(item(place)(values), weights)

    def _take(self, known: pl.Series) -> None:
        """Nothing: each number has a fit."""

    def merge(self, other: RegressionsFit) -> None:
        """Take what another has seen of other rows."""
        super().merge(other)
        for mine, theirs in zip(self._each, other._each, strict=True):
            mine.merge(theirs)

    def state(self) -> State:
        """All that was seen as plain values, those of each number below its place."""
        each = {f"{place}/{key}": of for place, fit in enumerate(self._each) for key, of in fit.state().items()}
        return {**super().state(), **each}

    def restore(self, state: State) -> None:
        """Take on a state."""
        super().restore(state)
        for place, fit in enumerate(self._each):
            start = f"{place}/"
            fit.restore({key.removeprefix(start): of for key, of in state.items() if key.startswith(start)})

    def looks(self, site: Site) -> Looks:
        """The numbers, by what they are called."""
        del site
        return Looks({name: fit.quantiles for name, fit in zip(self._names, self._each, strict=True)})

    def finish(self, site: Site) -> RegressionsStatistics:
        """The statistics of all rows seen.

        Raises:
            DataError: The train rows hold fewer than two different values of one of them.
        """
        del site
        each = [fit.numbers() for fit in self._each]
        return RegressionsStatistics(columns=self._names, count=self.known, missing=self.missing, each=each)


class _OneOfSeveral(NumberFit[None]):
    def finish(self, site: Site) -> None:
        """Nothing: its numbers are a part of the others' statistics."""


class RegressionsSummary(Summary):
    """A column of lists of numbers to predict."""

    def __init__(self) -> None:
        super().__init__()
        self._each: list[RegressionSummary] = []

    def _take(self, values: pl.Series) -> None:
        known = values.drop_nulls()
        self._each = self._each or [RegressionSummary() for _ in known[0]]
        for place, summary in enumerate(self._each):
            summary.add(item(place)(known))

    def problem(self, name: str, rows: int) -> Problem | None:
        """No row, or the first number that no row has or that is the same in all."""
        found = super().problem(name, rows)
        if found is not None:
            return found
        known = rows - self.missing
        each = (one.problem(f"{name}, number {place}", known) for place, one in enumerate(self._each, 1))
        return next((problem for problem in each if problem is not None), None)


class RegressionsTable(TargetTable[RegressionsTarget]):
    """Lists of float64, all of one length, in which a missing number is null."""

    single = False

    def coercion(self, source: Source, member: RegressionsTarget) -> Coercion:
        """Lists of numbers that the transform takes."""
        made = numbers_coercion(source, member.names, from_columns=member.columns is not None)
        return learned_coercion(source.values.list.min(), made, member.transform)

    def guess(self, column: Column) -> Guess | None:
        """Nothing: each column is proposed by itself."""
        del column
        return None

    def parts(self, name: str, member: RegressionsTarget) -> dict[str, Callable[[pl.Series], pl.Series]]:
        """Each number."""
        return {f"{name}.{one}": item(place) for place, one in enumerate(member.names)}

    def summary(self) -> RegressionsSummary:
        """Whether each number differs from row to row."""
        return RegressionsSummary()

    def fit(self, name: str, member: RegressionsTarget) -> RegressionsFit:
        """An empty fit of each number."""
        return RegressionsFit(name, member.names, member.transform)
