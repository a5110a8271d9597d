"""Vectors."""

from __future__ import annotations

from typing import Any, ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator

from polyhead.contracts.artifact import Record
from polyhead.contracts.section import Data, Model
from polyhead.errors import InvalidValueError
from polyhead.kinds.base import FeatureBase, column_names, require_columns

_LONGEST = 1 << 16
_COMPONENT_BYTES = 4


class VectorFeature(FeatureBase):
    """A column whose cells are lists of as many numbers each, or as many columns of numbers."""

    MODALITY: ClassVar[str] = "all vectors"

    kind: Data[Literal["vector"]]
    columns: Data[str | list[str] | None] = Field(
        None,
        description="Columns of one number each that are the vector together: the first and the last of some that are "
        "counted, emb_0..emb_767, or a list of all. A row without any of the numbers is a missing vector; one that "
        "lacks some is rejected. Default: column.",
    )
    length: Data[int | None] = Field(
        None,
        ge=1,
        le=_LONGEST,
        description="Numbers in a cell; a row with more or fewer is rejected. Default: as many as the rows have, which "
        "must all have the same.",
    )

    projection: Model[int | None] = Field(
        None,
        ge=1,
        le=_LONGEST,
        description="Most numbers of a vector that the model sees, for vectors that are long beside few rows. Of a "
        "longer one these are sums of all its numbers with signs drawn once, which keep distances about as they are. "
        "Default: all.",
    )

    @field_validator("columns", mode="before")
    @classmethod
    def _named(cls, value: object) -> object:
        return require_columns(value, "emb_0..emb_767")

    @model_validator(mode="after")
    def _said_once(self) -> VectorFeature:
        for key in ("column", "length"):
            if self.columns is not None and getattr(self, key) is not None:
                raise InvalidValueError("conflicting-keys", f"columns and {key} are mutually exclusive: keep one")
        return self

    def columns_of(self, name: str) -> list[str]:
        """Those of `columns`, or the one."""
        return column_names(self.columns) or super().columns_of(name)

    @property
    def numbers(self) -> int | None:
        """How many a cell has; None where only the rows say it."""
        return self.length or (None if self.columns is None else len(self.columns_of("")))

    @property
    def stored_bytes(self) -> int:
        """Its numbers, in 32 bits each; 0 while their number is not known."""
        return _COMPONENT_BYTES * (self.numbers or 0)

    def settled(self, statistics: Any) -> Self:
        """With the length that the train rows have."""
        return self.model_copy(update={"length": statistics.length})


class VectorStatistics(Record):
    """Moments and range of each component, over train rows; zeros, and variance 1, where there is no vector.

    Variances are population variances.

    Attributes:
        length: Components; 1 where neither the configuration nor a train row says how many.
    """

    kind: Literal["vector"] = "vector"
    count: int
    missing: int
    length: int
    mean: list[float]
    variance: list[float]
    minimum: list[float]
    maximum: list[float]
