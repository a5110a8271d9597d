"""A whole number from 0 on to predict."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from polyhead.contracts.artifact import Record
from polyhead.contracts.section import Data, Later, Model
from polyhead.kinds.base import CONFIDENCE, UNIT, Confidence, TargetBase, Units
from polyhead.kinds.metrics import D2, MAE, NEGATIVE_BINOMIAL_DEVIANCE, POISSON_DEVIANCE, RMSE, Metric


class CountTarget(TargetBase):
    """A whole number from 0 on."""

    METRICS: ClassVar[tuple[Metric, ...]] = (POISSON_DEVIANCE, D2, NEGATIVE_BINOMIAL_DEVIANCE, MAE, RMSE)

    kind: Data[Literal["count"]]
    unit: Data[Units | None] = UNIT
    distribution: Annotated[Model[Literal["poisson", "negative_binomial"]], Later] = Field(
        "poisson",
        description="Whose deviance the head learns by; it predicts the mean of either. negative_binomial: for counts "
        "that scatter more than Poisson's. Their variance is the mean and a dispersion, that of the train rows, times "
        "its square, so large ones decide less. Default: poisson.",
    )
    confidence: Confidence = CONFIDENCE


class CountStatistics(Record):
    """Of a count.

    Attributes:
        count: Train rows with a number.
        missing: Train rows without one.
        mean: Of the numbers, above 0.
        weighted: Their mean by row weights, above 0; None without any.
        deviance: Mean Poisson deviance of the numbers from their mean, above 0.
        dispersion: How much they scatter more than Poisson's: what their variance is above the mean, over the square of
            the mean (the method of moments); 0 where it is not above.
        dispersed_deviance: Mean negative binomial deviance of the numbers from their mean, above 0; that of Poisson
            where the dispersion is 0.
    """

    kind: Literal["count"] = "count"
    count: int
    missing: int
    mean: float
    weighted: float | None = None
    deviance: float
    dispersion: float
    dispersed_deviance: float

    @property
    def centre(self) -> float:
        """What a head says that looks at nothing."""
        return self.mean if self.weighted is None else self.weighted

    @property
    def names(self) -> list[str]:
        """What the head's logits mean: a number has no names."""
        return []
