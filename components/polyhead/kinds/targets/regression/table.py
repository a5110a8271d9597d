"""Columns of numbers to predict."""

from __future__ import annotations

from dataclasses import replace
from typing import Generic, TypeVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from polyhead.errors import DataError, Problem
from polyhead.kinds.coercion import Coercion, Source, number_coercion
from polyhead.kinds.fitting.fit import Fit, Site
from polyhead.kinds.fitting.looks import Looks
from polyhead.kinds.fitting.moments import Moments
from polyhead.kinds.fitting.quantiles import Quantiles
from polyhead.kinds.guessing.columns import Column
from polyhead.kinds.guessing.guess import Guess, Rank, holds_classes, unlabelled
from polyhead.kinds.protocols.table import TargetTable
from polyhead.kinds.summaries import NumberSummary
from polyhead.kinds.targets.regression.config import RegressionStatistics, RegressionTarget, Transform, WeightedCentre
from polyhead.kinds.targets.regression.scale import Scale, knots_of

S = TypeVar("S")

_SKEW_OF_LOG = 1.0
_LOWERED = 500  # bits by which weights are lowered, so that the largest times the largest number is one for `Moments`


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


class NumberFit(Fit[S], Generic[S]):
    """Mean and variance on the transformed scale and the quantiles of a number to predict.

    Args:
        name: The target.
        transform: To the scale that it is learned on.
    """

    def __init__(self, name: str, transform: Transform) -> None:
        super().__init__(name)
        self._scale = Scale(transform)
        self.transformed, self.quantiles, self.weighted = Moments(), Quantiles(), Moments()

    def _take(self, known: pl.Series) -> None:
        numbers = known.to_numpy()
        self.transformed.update(self._scale.learned(numbers))
        self.quantiles.update(numbers)

    def _weigh(self, known: pl.Series, weights: NDArray[np.float64]) -> None:
        self.weighted.update(np.ldexp(weights, -_LOWERED) * self._scale.learned(known.to_numpy()))

    def looks(self, site: Site) -> Looks:
        """The numbers."""
        del site
        return Looks({"value": self.quantiles})

    def _centre(self, scale: Scale) -> WeightedCentre | None:
        """None of the scale of quantiles, which is not known before all rows are."""
        if not self.is_weighed or scale.knots is not None:
            return None
        mean = np.array((self.weighted.total << _LOWERED) / self.weights.total)
        return WeightedCentre(mean=float(mean), value=float(scale.back(mean)))

    def numbers(self) -> RegressionStatistics:
        """The statistics of the numbers of all rows seen.

        Raises:
            DataError: The train rows hold fewer than two different values, or their variance is no 64-bit number.
        """
        different = 0 if not self.known else 1 if self.quantiles.minimum == self.quantiles.maximum else 2
        if different < 2:
            raise DataError(
                "constant-target" if different else "empty-target",
                f"the training rows have {'only one value' if different else 'no value'}: nothing to learn",
                where=f"target '{self.name}'",
                hint="change the split or add rows",
            )
        mean, variance = self.transformed.mean_and_variance()
        scale = self._scale
        if scale.transform == "quantile":
            scale = replace(scale, knots=knots_of(self.quantiles))
            mean, variance = 0.0, 1.0
        if variance < np.finfo(np.float64).tiny:
            raise DataError(
                "constant-target",
                f"the training rows have values from {self.quantiles.minimum} to {self.quantiles.maximum}, which "
                "are too close to each other to learn",
                where=f"target '{self.name}'",
                hint="give the target in a smaller unit, so that its numbers are larger, or less of an offset",
            )
        return RegressionStatistics(
            transform=scale.transform,
            count=self.known,
            missing=self.missing,
            mean=mean,
            variance=variance,
            median=self.quantiles.at([0.5])[0],
            median_error=self.quantiles.error,
            weighted=self._centre(scale),
            knots=scale.knots,
        )


class RegressionFit(NumberFit[RegressionStatistics]):
    """The statistics of a regression target.

    Args:
        name: The target.
        target: The scale that it is learned on.
    """

    def __init__(self, name: str, target: RegressionTarget) -> None:
        super().__init__(name, target.transform)

    def finish(self, site: Site) -> RegressionStatistics:
        """The statistics of all rows seen.

        Raises:
            DataError: The train rows hold fewer than two different values.
        """
        del site
        return self.numbers()


def learned_coercion(numbers: pl.Expr, made: Coercion, transform: Transform) -> Coercion:
    """How a column becomes numbers that a head can learn: as it is made, of what the transform takes.

    Args:
        numbers: The number of each cell, or the smallest one.
        made: How the cells become numbers.
        transform: To the scale that is learned.
    """
    if transform == "log":
        return made.refusing("not_positive", "transform: log needs numbers above zero", numbers <= 0)
    if transform == "log1p":
        return made.refusing("out_of_range", "transform: log1p needs numbers above -1", numbers <= -1)
    if transform == "sqrt":
        return made.refusing("negative", "transform: sqrt needs numbers from zero", numbers < 0)
    return made


class RegressionTable(TargetTable[RegressionTarget]):
    """Numbers as float64."""

    single = True

    def coercion(self, source: Source, member: RegressionTarget) -> Coercion:
        """Float64 without units, within the range of the configuration, and of what its transform takes."""
        made = number_coercion(source, member.min, member.max, member.unit)
        return learned_coercion(source.values, made, member.transform)

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
