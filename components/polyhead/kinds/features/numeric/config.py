"""Numbers."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator, model_validator

from polyhead.contracts.artifact import Record
from polyhead.contracts.section import Data, Fit, Model, require_ordered
from polyhead.errors import InvalidValueError
from polyhead.kinds.base import UNIT, FeatureBase, Units

QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
"""Shares of the train rows whose quantiles a number's statistics hold."""

Bounds = tuple[float | None, float | None]
"""A lowest and a highest number; None where there is none."""

Scale = Literal["both", "standard", "log1p", "minmax", "robust", "quantile", "none"]
"""What the network sees of a number."""


class NumericFeature(FeatureBase):
    """A column of numbers."""

    kind: Data[Literal["numeric"]]
    min: Data[float | None] = Field(None, description="Smallest accepted value; a row below it is rejected.")
    max: Data[float | None] = Field(None, description="Largest accepted value; a row above it is rejected.")
    unit: Data[Units | None] = UNIT
    clip: Fit[Bounds | None] = Field(
        None,
        description="What a number is held within, such as [0, 100], or [0, null] without an upper end: one outside "
        "counts as the end, for the statistics too, and its row stays.",
    )
    scale: Model[Scale] = Field(
        "both",
        description="What the network sees, fitted on train rows. standard: the number, less their mean, over their "
        "standard deviation; log1p: the same of sign(x) * log(1 + |x|); both: these two side by side; minmax: 0 for "
        "the smallest to 1 for the largest; robust: the number, less their median, over the distance between their "
        "quartiles; quantile: the share of them that is smaller, from 0 to 1, straight between the smallest, the 1, 5, "
        "25, 50, 75, 95 and 99 % quantiles and the largest; none: the number as it is. Default: both.",
    )

    @field_validator("clip")
    @classmethod
    def _rising(cls, value: Bounds | None) -> Bounds | None:
        if value is None:
            return None
        low, high = value
        if low is None and high is None:
            raise InvalidValueError("invalid-range", "has neither end: give one of them, or leave clip out")
        if low is not None and high is not None and low >= high:
            raise InvalidValueError("invalid-range", f"must have the lower end first, received [{low:g}, {high:g}]")
        return value

    @model_validator(mode="after")
    def _ordered(self) -> NumericFeature:
        require_ordered(self.min, self.max)
        return self


class NumericStatistics(Record):
    """Moments of the value, after `clip`, and of its signed logarithm, sign(x) * log(1 + |x|), over train rows.

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
