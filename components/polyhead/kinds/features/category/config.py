"""Categories: one of a set of values."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from polyhead.contracts.artifact import Record
from polyhead.contracts.section import Data, Fit
from polyhead.contracts.words import Word
from polyhead.kinds.base import FeatureBase, VocabularyFile

MISSING_ID, UNSEEN_ID, FIRST_ID = 0, 1, 2
"""Ids of a category: a missing value, a value outside the vocabulary, the vocabulary's first value."""


class CategoryFeature(FeatureBase):
    """A column with one of a set of values, spelled as `polyhead.contracts.words` says: 85255.0 is `85255`."""

    SLICES: ClassVar[bool] = True

    kind: Data[Literal["category"]]
    allowed: Data[list[Word] | None] = Field(
        None, min_length=1, description="Accepted values; a row with another is rejected."
    )
    min_count: Fit[int] = Field(1, ge=1, description="Train rows a value needs to enter the vocabulary.")
    max_size: Fit[int] = Field(10_000, ge=1, description="Most values in the vocabulary, the most frequent first.")


class CategoryStatistics(Record):
    """A vocabulary of values, the most frequent first, ties in the order of their code points."""

    kind: Literal["category"] = "category"
    count: int
    missing: int
    vocabulary: VocabularyFile
