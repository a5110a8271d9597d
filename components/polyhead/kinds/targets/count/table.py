"""Columns of whole numbers from 0 on to predict."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
from numpy.typing import NDArray

from polyhead.errors import DataError
from polyhead.kinds.coercion import Coercion, Source, number_coercion
from polyhead.kinds.fitting.fit import Fit, Site
from polyhead.kinds.fitting.looks import Looks
from polyhead.kinds.fitting.moments import Moments
from polyhead.kinds.fitting.quantiles import Quantiles
from polyhead.kinds.guessing.columns import Column
from polyhead.kinds.guessing.guess import Guess
from polyhead.kinds.protocols.table import TargetTable
from polyhead.kinds.targets.count.config import CountStatistics, CountTarget
from polyhead.kinds.targets.count.deviance import LEAST_DISPERSION, negative_binomial_deviances
from polyhead.kinds.targets.regression.table import RegressionSummary

LARGEST = 1e15
"""The largest count: up to it float64 holds every whole number."""

_CLOSE = 1e-3


class CountFit(Fit[CountStatistics]):
    """Mean and deviance of a count.

    Args:
        name: The target.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.numbers, self.products, self.weighted = Moments(), Moments(), Moments()
        self.quantiles = Quantiles()

    def _take(self, known: pl.Series) -> None:
        numbers = known.to_numpy()
        self.numbers.update(numbers)
        self.quantiles.update(numbers)
        self.products.update(numbers * np.log(np.maximum(numbers, 1)))

    def _weigh(self, known: pl.Series, weights: NDArray[np.float64]) -> None:
        self.weighted.update(weights * known.to_numpy())

    def looks(self, site: Site) -> Looks:
        """The counts."""
        del site
        return Looks({"value": self.quantiles})

    def finish(self, site: Site) -> CountStatistics:
        """The statistics of all rows seen.

        Raises:
            DataError: The train rows hold fewer than two different values.
        """
        del site
        mean, variance = self.numbers.mean_and_variance()
        if not self.known or variance == 0:
            raise DataError(
                "constant-target" if self.known else "empty-target",
                f"the training rows have {'only one value' if self.known else 'no value'}: nothing to learn",
                where=f"target '{self.name}'",
                hint="change the split or add rows",
            )
        if variance < (_CLOSE * mean) ** 2:
            deviance = variance / mean  # to which it tends, where the difference below would be one of roundings
        else:
            deviance = 2 * (self.products.mean_and_variance()[0] - mean * math.log(mean))
        dispersion, dispersed = self._dispersed(mean, variance, deviance)
        weighted = float(self.weighted.total / self.weights.total) if self.weighted.total > 0 else None
        return CountStatistics(
            count=self.known,
            missing=self.missing,
            mean=mean,
            weighted=weighted,
            deviance=deviance,
            dispersion=dispersion,
            dispersed_deviance=dispersed,
        )

    def _dispersed(self, mean: float, variance: float, deviance: float) -> tuple[float, float]:
        """The dispersion, and the mean deviance with it."""
        dispersion = (variance - mean) / mean**2
        if dispersion < LEAST_DISPERSION:
            return 0.0, deviance
        numbers, counts = self.quantiles.counted()
        each = negative_binomial_deviances(numbers, np.full(len(numbers), mean), dispersion)
        return dispersion, float(np.average(each, weights=counts))


class CountTable(TargetTable[CountTarget]):
    """Whole numbers as float64."""

    single = True

    def coercion(self, source: Source, member: CountTarget) -> Coercion:
        """Float64, whole and not below 0."""
        made = number_coercion(source, high=LARGEST, units=member.unit)
        hint = "a count is a whole number from 0 on: mend the cell, or make the target kind: regression"
        made = made.refusing("negative", f"is below 0; {hint}", source.values < 0)
        return made.refusing("not_whole", f"is not whole; {hint}", source.values != source.values.floor())

    def guess(self, column: Column) -> Guess | None:
        """Nothing: that whole numbers count something is not seen in a column."""
        del column
        return None

    def summary(self) -> RegressionSummary:
        """The smallest and the largest number."""
        return RegressionSummary()

    def fit(self, name: str, member: CountTarget) -> CountFit:
        """An empty fit of counts."""
        del member
        return CountFit(name)
