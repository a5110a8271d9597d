"""A number to predict."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, model_validator

from polyhead.contracts.artifact import Record
from polyhead.contracts.section import Data, Model, require_ordered
from polyhead.kinds.base import UNIT, TargetBase, Units
from polyhead.kinds.metrics import MAE, MAPE, R2, R2_TRANSFORMED, RMSE, Metric


class RegressionTarget(TargetBase):
    """A number."""

    METRICS: ClassVar[tuple[Metric, ...]] = (R2, R2_TRANSFORMED, MAE, RMSE, MAPE)

    kind: Data[Literal["regression"]]
    transform: Data[Literal["none", "log"]] = Field(
        "none", description="log: the head learns the logarithm; rows at or below zero are rejected."
    )
    loss: Model[Literal["huber", "mse", "mae"]] = Field("huber", description="On the standardised target.")
    predict: Model[Literal["median", "mean"]] = Field(
        "median",
        description="median: what the head learns, turned back to the table's scale; of a transform: log that is near "
        "the median. mean: corrected by the train rows' residuals, so that sums of predictions are right.",
    )
    min: Data[float | None] = Field(None, description="Smallest accepted value; a row below it is rejected.")
    max: Data[float | None] = Field(None, description="Largest accepted value; a row above it is rejected.")
    unit: Data[Units | None] = UNIT

    @model_validator(mode="after")
    def _ordered(self) -> RegressionTarget:
        require_ordered(self.min, self.max)
        return self


class RegressionStatistics(Record):
    """Of a regression target; mean and variance on the transformed scale, median on the raw one.

    Attributes:
        median_error: Largest relative error of the median, as `NumericStatistics.quantile_error`.
    """

    kind: Literal["regression"] = "regression"
    transform: Literal["none", "log"]
    count: int
    missing: int
    mean: float
    variance: float
    median: float
    median_error: float = 0.0

    @property
    def names(self) -> list[str]:
        """What the head's logits mean: a number has no names."""
        return []
