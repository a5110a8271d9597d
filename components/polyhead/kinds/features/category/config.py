"""Categories: one of a set of values."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from polyhead.contracts.artifact import Record
from polyhead.contracts.section import Data, Fit, Later, Model
from polyhead.contracts.words import Word
from polyhead.kinds.base import FeatureBase, VocabularyFile

MISSING_ID, UNSEEN_ID = 0, 1
"""Ids of a category: a missing value; the first of the `hash_buckets` ids that values outside the vocabulary have.

The vocabulary's values follow.
"""


TARGET_MEANS = "target_means"
"""Beside the vocabularies of a bundle: by feature, float32 (folds + 1, ids, numbers), as NumPy writes arrays."""


class CategoryFeature(FeatureBase):
    """A column with one of a set of values, spelled as `polyhead.contracts.words` says: 85255.0 is `85255`."""

    kind: Data[Literal["category"]]
    allowed: Data[list[Word] | None] = Field(
        None, min_length=1, description="Accepted values; a row with another is rejected."
    )
    min_count: Fit[int] = Field(1, ge=1, description="Train rows a value needs to enter the vocabulary.")
    max_size: Fit[int] = Field(
        10_000, ge=0, description="Most values in the vocabulary, the most frequent first; 0: all values are hashed."
    )
    hash_buckets: Model[int] = Field(
        1,
        ge=1,
        le=100_000,
        description="Learned vectors that values outside the vocabulary share, by a hash of the value: for columns of "
        "very many values, of which max_size keeps the frequent ones. Default: 1, the same for all of them.",
    )
    target_means: Annotated[Model[bool], Later] = Field(
        False,
        description="Whether the network and the trees also see what each target is on average where a row has the "
        "value, smoothed towards the mean of all train rows. Of a train row they see what other train rows have. "
        "Default: false.",
    )

    @property
    def advice(self) -> list[str]:
        """Neither a vocabulary nor buckets, and means of the values of no vocabulary."""
        if self.max_size:
            return []
        blind = ["max_size: 0 leaves nothing but whether a value is missing: set hash_buckets"]
        return [
            *(blind if self.hash_buckets == 1 else []),
            *(["max_size: 0 leaves no value for target_means"] if self.target_means else []),
        ]

    @property
    def first_id(self) -> int:
        """The id of the vocabulary's first value."""
        return UNSEEN_ID + self.hash_buckets


class CategoryStatistics(Record):
    """A vocabulary of values, the most frequent first, ties in the order of their code points."""

    kind: Literal["category"] = "category"
    count: int
    missing: int
    vocabulary: VocabularyFile
