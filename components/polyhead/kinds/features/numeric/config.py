"""Numbers."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from polyhead.contracts.artifact import Record
from polyhead.contracts.section import Data, require_ordered
from polyhead.kinds.base import FeatureBase

QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
"""Shares of the train rows whose quantiles a number's statistics hold."""


class NumericFeature(FeatureBase):
    """A column of numbers."""

    kind: Data[Literal["numeric"]]
    min: Data[float | None] = Field(None, description="Smallest accepted value; a row below it is rejected.")
    max: Data[float | None] = Field(None, description="Largest accepted value; a row above it is rejected.")

    @model_validator(mode="after")
    def _ordered(self) -> NumericFeature:
        require_ordered(self.min, self.max)
        return self


class NumericStatistics(Record):
    """Moments of the value and of its signed logarithm, sign(x) * log(1 + |x|), over train rows.

    Variances are population variances, as in scikit-learn's StandardScaler.

    Attributes:
        quantiles: At the shares of `QUANTILES`, between two neighbours in proportion.
        quantile_error: Largest relative error of these neighbours: 0 for up to 32,768 different values, else a power
            of two that depends on how many octaves the values span, usually about 0.0005.
    """

    kind: Literal["numeric"] = "numeric"
    count: int
    missing: int
    mean: float
    variance: float
    log_mean: float
    log_variance: float
    minimum: float
    maximum: float
    quantiles: list[float]
    quantile_error: float
