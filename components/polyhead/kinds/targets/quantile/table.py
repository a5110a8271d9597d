"""Columns of numbers whose quantiles are to be predicted."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from polyhead.kinds.coercion import Coercion, Source, number_coercion
from polyhead.kinds.fitting.fit import Site
from polyhead.kinds.fitting.quantiles import WeightedQuantiles
from polyhead.kinds.guessing.columns import Column
from polyhead.kinds.guessing.guess import Guess
from polyhead.kinds.protocols.table import TargetTable
from polyhead.kinds.targets.quantile.config import QuantileStatistics, QuantileTarget
from polyhead.kinds.targets.regression.table import NumberFit, RegressionSummary, learned_coercion


class QuantileFit(NumberFit[QuantileStatistics]):
    """What a regression target has, and the quantiles of the rows.

    Args:
        name: The target.
        target: Its scale and its levels.
    """

    def __init__(self, name: str, target: QuantileTarget) -> None:
        super().__init__(name, target.transform)
        self._levels = target.levels
        self.weighted_quantiles = WeightedQuantiles()

    def _weigh(self, known: pl.Series, weights: NDArray[np.float64]) -> None:
        super()._weigh(known, weights)
        self.weighted_quantiles.update(known.to_numpy(), weights)

    def finish(self, site: Site) -> QuantileStatistics:
        """The statistics of all rows seen.

        Raises:
            DataError: The train rows hold fewer than two different values.
        """
        del site
        scale = self.numbers()
        return QuantileStatistics(
            levels=self._levels,
            quantiles=self.quantiles.at(self._levels),
            weighted=self.weighted_quantiles.at(self._levels) if self.is_weighed else None,
            scale=scale,
        )


class QuantileTable(TargetTable[QuantileTarget]):
    """Numbers as float64."""

    single = True

    def coercion(self, source: Source, member: QuantileTarget) -> Coercion:
        """As of a regression target."""
        made = number_coercion(source, member.min, member.max, member.unit)
        return learned_coercion(source.values, made, member.transform)

    def guess(self, column: Column) -> Guess | None:
        """Nothing: a number is proposed as regression."""
        del column
        return None

    def summary(self) -> RegressionSummary:
        """The smallest and the largest number."""
        return RegressionSummary()

    def fit(self, name: str, member: QuantileTarget) -> QuantileFit:
        """An empty fit of numbers to predict."""
        return QuantileFit(name, member)
