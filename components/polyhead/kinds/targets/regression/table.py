"""Columns of numbers to predict."""

from __future__ import annotations

import numpy as np
import polars as pl

from polyhead.errors import DataError, Problem
from polyhead.kinds.coercion import Coercion, Source, number_coercion
from polyhead.kinds.fitting.fit import Fit, Site
from polyhead.kinds.fitting.moments import Moments
from polyhead.kinds.fitting.quantiles import Quantiles
from polyhead.kinds.guessing.columns import Column
from polyhead.kinds.guessing.guess import Guess, Rank, holds_classes, unlabelled
from polyhead.kinds.protocols.table import TargetTable
from polyhead.kinds.summaries import NumberSummary
from polyhead.kinds.targets.regression.config import RegressionStatistics, RegressionTarget

_SKEW_OF_LOG = 1.0


class RegressionSummary(NumberSummary):
    """A column of numbers to predict."""

    def problem(self, name: str, rows: int) -> Problem | None:
        """No number, or one only."""
        found = super().problem(name, rows)
        if found is not None or self.minimum != self.maximum:
            return found
        return Problem(
            "constant-target",
            f"every row has the value {self.minimum:g}: nothing to learn",
            where=f"target '{name}'",
            hint="give it different values, or remove the target",
        )


class RegressionFit(Fit[RegressionStatistics]):
    """Mean and variance on the transformed scale and the median of a regression target.

    Args:
        name: The target.
        target: The scale that it is learned on.
    """

    def __init__(self, name: str, target: RegressionTarget) -> None:
        super().__init__(name)
        self._target = target
        self.transformed, self.quantiles = Moments(), Quantiles()

    def _take(self, known: pl.Series) -> None:
        numbers = known.to_numpy()
        self.transformed.update(np.log(numbers) if self._target.transform == "log" else numbers)
        self.quantiles.update(numbers)

    def finish(self, site: Site) -> RegressionStatistics:
        """The statistics of all rows seen.

        Raises:
            DataError: The train rows hold fewer than two different values.
        """
        del site
        different = 0 if not self.known else 1 if self.quantiles.minimum == self.quantiles.maximum else 2
        if different < 2:
            raise DataError(
                "constant-target" if different else "empty-target",
                f"the training rows have {'only one value' if different else 'no value'}: nothing to learn",
                where=f"target '{self.name}'",
                hint="change the split or add rows",
            )
        mean, variance = self.transformed.mean_and_variance()
        return RegressionStatistics(
            transform=self._target.transform,
            count=self.known,
            missing=self.missing,
            mean=mean,
            variance=variance,
            median=self.quantiles.at([0.5])[0],
            median_error=self.quantiles.error,
        )


class RegressionTable(TargetTable[RegressionTarget]):
    """Numbers as float64."""

    single = True

    def coercion(self, source: Source, member: RegressionTarget) -> Coercion:
        """Float64 without units, within the configuration's range, and above zero where the logarithm is learned."""
        made = number_coercion(source, member.min, member.max, member.unit)
        if member.transform == "log":
            made = made.refusing("not_positive", "transform: log needs numbers above zero", source.values <= 0)
        return made

    def guess(self, column: Column) -> Guess | None:
        """Numbers that are not classes."""
        if column.numbers is None or holds_classes(column):
            return None
        numbers = column.numbers.drop_nulls()
        skewed = numbers.min() > 0 and (numbers.skew() or 0) > _SKEW_OF_LOG  # type: ignore[operator]
        why = f"{column.different_numbers} different numbers"
        if skewed:
            why += ", a few far above the others"
        options = {"transform": "log"} if skewed else {}
        return Guess("regression", options, why + unlabelled(column), rank=Rank.NUMBERS)

    def summary(self) -> RegressionSummary:
        """The smallest and the largest number."""
        return RegressionSummary()

    def fit(self, name: str, member: RegressionTarget) -> RegressionFit:
        """An empty fit of numbers to predict."""
        return RegressionFit(name, member)
