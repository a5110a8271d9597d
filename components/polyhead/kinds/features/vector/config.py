"""Vectors."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field

from polyhead.contracts.artifact import Record
from polyhead.contracts.section import Data
from polyhead.kinds.base import FeatureBase

_LONGEST = 1 << 16
_COMPONENT_BYTES = 4


class VectorFeature(FeatureBase):
    """A column whose cells are lists of as many numbers each."""

    kind: Data[Literal["vector"]]
    length: Data[int | None] = Field(
        None,
        ge=1,
        le=_LONGEST,
        description="Numbers in a cell; a row with more or fewer is rejected. Default: as many as the rows have, which "
        "must all have the same.",
    )

    @property
    def stored_bytes(self) -> int:
        """Its numbers, in 32 bits each; 0 while their number is not known."""
        return _COMPONENT_BYTES * (self.length or 0)

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
