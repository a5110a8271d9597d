"""A number to predict."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, model_validator

from polyhead.contracts.artifact import Record
from polyhead.contracts.section import Data, Model, require_ordered
from polyhead.errors import InvalidValueError
from polyhead.kinds.base import CONFIDENCE, UNIT, Confidence, TargetBase, Units
from polyhead.kinds.metrics import D2, MAE, MAPE, MEDIAN_AE, R2, R2_TRANSFORMED, RMSE, Metric

Transform = Literal["none", "log", "log1p", "sqrt", "quantile"]
Loss = Literal["huber", "mse", "mae"]


class RegressionTarget(TargetBase):
    """A number."""

    METRICS: ClassVar[tuple[Metric, ...]] = (R2, R2_TRANSFORMED, D2, MAE, MEDIAN_AE, RMSE, MAPE)

    kind: Data[Literal["regression"]]
    transform: Data[Transform] = Field(
        "none",
        description="The scale that the head learns. log: the logarithm, rows at or below 0 are rejected; log1p: the "
        "logarithm of 1 + the number, rows at or below -1 are rejected; sqrt: the square root, rows below 0 are "
        "rejected; quantile: the normal score of the number's quantile among the train rows, in whose range every "
        "prediction then is.",
    )
    loss: Model[Loss] = Field("huber", description="On the standardised target.")
    predict: Model[Literal["median", "mean"]] = Field(
        "median",
        description="median: what the head learns, turned back to the table's scale; of a transform that is near "
        "the median. mean: corrected by the train rows' residuals, so that sums of predictions are right; for "
        "transform: none, log and log1p.",
    )
    min: Data[float | None] = Field(None, description="Smallest accepted value; a row below it is rejected.")
    max: Data[float | None] = Field(None, description="Largest accepted value; a row above it is rejected.")
    unit: Data[Units | None] = UNIT
    confidence: Confidence = CONFIDENCE

    @model_validator(mode="after")
    def _ordered(self) -> RegressionTarget:
        require_ordered(self.min, self.max)
        return self

    @model_validator(mode="after")
    def _correctable(self) -> RegressionTarget:
        if self.predict == "mean" and self.transform in ("sqrt", "quantile"):
            raise InvalidValueError(
                "conflicting-keys",
                f"predict: mean needs one correction for all rows, and transform: {self.transform} has none: write "
                "predict: median, or transform: none, log or log1p",
            )
        return self


class Knots(Record):
    """Where the scale of quantiles bends; it is straight between.

    Attributes:
        numbers: On the table's scale, each larger than the one before; the first and the last are the train rows' ends.
        scores: What is learned of each, each larger than the one before.
    """

    numbers: list[float]
    scores: list[float]


class WeightedCentre(Record):
    """The mean of a regression target by row weights.

    Attributes:
        mean: On the transformed scale.
        value: Turned back to the table's scale: what a head says that looks at nothing.
    """

    mean: float
    value: float


class RegressionStatistics(Record):
    """Of a regression target; mean and variance on the transformed scale, median on the raw one.

    Attributes:
        median_error: Largest relative error of the median, as `NumericStatistics.quantile_error`.
        weighted: The same rows by their row weights; None without any, and of `transform: quantile`.
        knots: Of `transform: quantile`, whose mean and variance count as 0 and 1; None for the others.
    """

    kind: Literal["regression"] = "regression"
    transform: Transform
    count: int
    missing: int
    mean: float
    variance: float
    median: float
    median_error: float = 0.0
    weighted: WeightedCentre | None = None
    knots: Knots | None = None

    @property
    def names(self) -> list[str]:
        """What the head's logits mean: a number has no names."""
        return []
