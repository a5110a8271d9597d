"""A whole number from 0 on to predict."""

from __future__ import annotations

from typing import ClassVar, Literal

from polyhead.contracts.artifact import Record
from polyhead.contracts.section import Data
from polyhead.kinds.base import CONFIDENCE, UNIT, Confidence, TargetBase, Units
from polyhead.kinds.metrics import D2, MAE, POISSON_DEVIANCE, RMSE, Metric


class CountTarget(TargetBase):
    """A whole number from 0 on."""

    METRICS: ClassVar[tuple[Metric, ...]] = (POISSON_DEVIANCE, D2, MAE, RMSE)

    kind: Data[Literal["count"]]
    unit: Data[Units | None] = UNIT
    confidence: Confidence = CONFIDENCE


class CountStatistics(Record):
    """Of a count.

    Attributes:
        count: Train rows with a number.
        missing: Train rows without one.
        mean: Of the numbers, above 0.
        weighted: Their mean by row weights, above 0; None without any.
        deviance: Mean Poisson deviance of the numbers from their mean, above 0.
    """

    kind: Literal["count"] = "count"
    count: int
    missing: int
    mean: float
    weighted: float | None = None
    deviance: float

    @property
    def centre(self) -> float:
        """What a head says that looks at nothing."""
        return self.mean if self.weighted is None else self.weighted

    @property
    def names(self) -> list[str]:
        """What the head's logits mean: a number has no names."""
        return []
