"""Several numbers to predict at once."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from polyhead.contracts.artifact import Record
from polyhead.contracts.section import Data, Model
from polyhead.errors import InvalidValueError
from polyhead.kinds.base import CONFIDENCE, Confidence, TargetBase, column_names, require_columns
from polyhead.kinds.metrics import MAE, MAPE, R2, R2_TRANSFORMED, RMSE, Metric
from polyhead.kinds.targets.regression.config import Loss, RegressionStatistics, Transform

_MOST = 1_024


class RegressionsTarget(TargetBase):
    """Several numbers of a row: as many columns, or one column of lists. A metric is its mean over the columns.

    A number that is missing teaches nothing, and the others of its row do. A row without any is missing.
    """

    METRICS: ClassVar[tuple[Metric, ...]] = (R2, R2_TRANSFORMED, MAE, RMSE, MAPE)

    kind: Data[Literal["regressions"]]
    columns: Data[str | list[str] | None] = Field(
        None,
        description="The columns to predict, one number each: a list, or the first and the last of some that are "
        "counted, day_1..day_7. Default: column.",
    )
    length: Data[int | None] = Field(
        None,
        ge=2,
        le=_MOST,
        description="Numbers in a cell of a column of lists; a row with more or fewer is rejected. Needed without "
        "columns.",
    )
    transform: Data[Transform] = Field("none", description="The scale that each is learned on, as of regression.")
    loss: Model[Loss] = Field("huber", description="On the standardised numbers; the mean over those that are known.")

    confidence: Confidence = CONFIDENCE

    @field_validator("columns", mode="before")
    @classmethod
    def _named(cls, value: object) -> object:
        return require_columns(value, "day_1..day_7")

    @model_validator(mode="after")
    def _said_once(self) -> RegressionsTarget:
        for key in ("column", "length"):
            if self.columns is not None and getattr(self, key) is not None:
                raise InvalidValueError("conflicting-keys", f"columns and {key} are mutually exclusive: keep one")
        if self.columns is None and self.length is None:
            raise InvalidValueError(
                "missing-key", "needs columns, a list such as [width, height], or length for a column of lists"
            )
        return self

    def columns_of(self, name: str) -> list[str]:
        """Those of `columns`, or the one."""
        return column_names(self.columns) or super().columns_of(name)

    @property
    def names(self) -> list[str]:
        """What the numbers are called: as their columns, or by their place in the list, from 1."""
        return column_names(self.columns) or [str(place + 1) for place in range(self.length or 0)]


class RegressionsStatistics(Record):
    """Of several numbers to predict.

    Attributes:
        columns: What they are called, in the order of the head's logits.
        count: Rows with any of them.
        missing: Rows with none.
        each: Of each, as of a regression target.
    """

    kind: Literal["regressions"] = "regressions"
    columns: list[str]
    count: int
    missing: int
    each: list[RegressionStatistics]

    @property
    def names(self) -> list[str]:
        """What the head's logits mean."""
        return self.columns
