"""Columns of numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from polyhead.kinds.coercion import Coercion, Source, number_coercion
from polyhead.kinds.features.numeric.config import QUANTILES, Bounds, NumericFeature, NumericStatistics
from polyhead.kinds.fields import Field
from polyhead.kinds.fitting.fit import Fit, Site
from polyhead.kinds.fitting.looks import Looks
from polyhead.kinds.fitting.moments import Moments
from polyhead.kinds.fitting.quantiles import Quantiles
from polyhead.kinds.guessing.columns import Column, counted, listed
from polyhead.kinds.guessing.guess import Guess, Rank, holds_codes
from polyhead.kinds.protocols.table import FeatureTable
from polyhead.kinds.slices import Slice, by_range
from polyhead.kinds.summaries import NumberSummary
from polyhead.spelling import number

_QUARTILES = (0.25, 0.5, 0.75)
_SMALL = 5e-7


class NumericFit(Fit[NumericStatistics]):
    """Moments of a number and of its signed logarithm, and its quantiles.

    Args:
        name: The feature.
        clip: What numbers are held within. Default: any.
    """

    def __init__(self, name: str, clip: Bounds | None = None) -> None:
        super().__init__(name)
        self._clip = clip
        self.values, self.logarithms, self.quantiles = Moments(), Moments(), Quantiles()

    def _take(self, known: pl.Series) -> None:
        numbers = known.to_numpy() if self._clip is None else known.clip(*self._clip).to_numpy()
        self.values.update(numbers)
        self.logarithms.update(_signed_logarithm(numbers))
        self.quantiles.update(numbers)

    def looks(self, site: Site) -> Looks:
        """The numbers, after `clip`."""
        del site
        return Looks({"value": self.quantiles})

    def finish(self, site: Site) -> NumericStatistics:
        """The statistics of all rows seen; zeros and ones where there is no value at all."""
        del site
        mean, variance = self.values.mean_and_variance()
        log_mean, log_variance = self.logarithms.mean_and_variance()
        minimum, maximum = self.quantiles.range
        return NumericStatistics(
            count=self.known,
            missing=self.missing,
            mean=mean,
            variance=variance,
            log_mean=log_mean,
            log_variance=log_variance,
            minimum=minimum,
            maximum=maximum,
            quantiles=self.quantiles.at(QUANTILES),
            quantile_error=self.quantiles.error,
        )


def _signed_logarithm(numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    logarithms = np.abs(numbers)
    np.log1p(logarithms, out=logarithms)
    return np.copysign(logarithms, numbers, out=logarithms)


class NumericTable(FeatureTable[NumericFeature]):
    """Numbers as float64."""

    single = True

    def coercion(self, source: Source, member: NumericFeature) -> Coercion:
        """Float64, without units, within the range of the configuration."""
        return number_coercion(source, member.min, member.max, member.unit)

    def guess(self, column: Column) -> Guess | None:
        """Numbers that are not codes."""
        numbers, words = column.numbers, column.words
        if numbers is None or words is None or holds_codes(column):
            return None
        kinds, known = column.different_numbers, column.rows - numbers.null_count()
        junk = column.rows - column.series.null_count() - known if column.series.dtype == pl.String else 0
        why = f"{kinds} different {'whole ' if column.is_whole else ''}numbers"
        low, high = column.range
        if kinds == 2:
            why = f"{low:g} or {high:g}"
        if junk:
            odd = column.known.filter(numbers.is_null().filter(words.is_not_null()))
            why += f"; {listed(odd.unique().sort().head(3).to_list())} in {counted(len(odd), 'cell')}"
        return Guess("numeric", why=why, rank=Rank.NUMBERS)

    def spelled(self, value: float) -> str:
        """With three significant digits at most."""
        if 0 < abs(value) < _SMALL:
            return f"{value:.2e}".replace("-", "−")
        text = "" if np.isnan(value) else number(value)
        return text.rstrip("0").rstrip(".") if "." in text and "e" not in text else text

    def field(self, feature: NumericFeature, statistics: NumericStatistics, directory: Path) -> Field:
        """A number."""
        if not statistics.count:
            return Field("number")
        return Field("number", hint=f"{statistics.minimum:g} to {statistics.maximum:g} in the train rows")

    def slices(self, statistics: NumericStatistics, values: NDArray[np.float64]) -> list[Slice]:
        """By the quartiles of the train rows."""
        return by_range(values, [statistics.quantiles[QUANTILES.index(share)] for share in _QUARTILES])

    def summary(self) -> NumberSummary:
        """The smallest and the largest number."""
        return NumberSummary()

    def fit(self, name: str, member: NumericFeature) -> NumericFit:
        """An empty fit of numbers."""
        return NumericFit(name, member.clip)
