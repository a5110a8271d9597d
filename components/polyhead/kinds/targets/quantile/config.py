"""Quantiles of a number to predict."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from polyhead.contracts.artifact import Record
from polyhead.contracts.section import Data, Fit, require_ordered
from polyhead.errors import InvalidValueError
from polyhead.kinds.base import UNIT, TargetBase, Units
from polyhead.kinds.metrics import COVERAGE, D2, PINBALL, Metric
from polyhead.kinds.targets.regression.config import RegressionStatistics

Level = Annotated[float, Field(gt=0, lt=1)]


class QuantileTarget(TargetBase):
    """Several quantiles of a number."""

    METRICS: ClassVar[tuple[Metric, ...]] = (PINBALL, D2, COVERAGE)

    kind: Data[Literal["quantile"]]
    levels: Fit[list[Level]] = Field(
        [0.1, 0.5, 0.9],
        min_length=1,
        description="The share of rows that are to lie below each quantile, in ascending order.",
    )
    transform: Data[Literal["none", "log"]] = Field(
        "none", description="log: the head learns the logarithm; rows at or below zero are rejected."
    )
    min: Data[float | None] = Field(None, description="Smallest accepted value; a row below it is rejected.")
    max: Data[float | None] = Field(None, description="Largest accepted value; a row above it is rejected.")
    unit: Data[Units | None] = UNIT

    @model_validator(mode="after")
    def _ordered(self) -> QuantileTarget:
        require_ordered(self.min, self.max)
        if self.levels != sorted(set(self.levels)):
            raise InvalidValueError(
                "unordered-levels", f"levels {self.levels} do not ascend: write {sorted(set(self.levels))}"
            )
        return self


class QuantileStatistics(Record):
    """Of a quantile target.

    Attributes:
        levels: Of the quantiles, ascending.
        quantiles: Of the train rows, on the table's scale, one for each level.
        weighted: The same by their row weights; None without any.
        scale: Of the number, as of a regression target.
    """

    kind: Literal["quantile"] = "quantile"
    levels: list[float]
    quantiles: list[float]
    weighted: list[float] | None = None
    scale: RegressionStatistics

    @property
    def centres(self) -> list[float]:
        """What a head says that looks at nothing, one for each level."""
        return self.quantiles if self.weighted is None else self.weighted

    @property
    def names(self) -> list[str]:
        """What the head's logits mean: a number has no names."""
        return []

    @property
    def middle(self) -> int:
        """The place of the level that is next to the median, the lower one of two."""
        return min(range(len(self.levels)), key=lambda place: abs(self.levels[place] - 0.5))
