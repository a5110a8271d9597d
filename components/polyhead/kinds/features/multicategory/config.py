"""Multicategories: any number of values in a cell."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from polyhead.contracts.artifact import Record
from polyhead.contracts.section import Data, Fit, Model
from polyhead.contracts.words import Word
from polyhead.kinds.base import FeatureBase, VocabularyFile

Encoding = Literal["presence", "counts"]
"""What a value of a cell counts as: 1, or how often the cell has it."""


class MulticategoryFeature(FeatureBase):
    """A column whose cells have any number of values, in no order, spelled as those of a category.

    `[]` has none; an empty cell is missing.
    """

    kind: Data[Literal["multicategory"]]
    separator: Data[str] = Field("|", min_length=1, description="What separates the values of a text cell.")
    allowed: Data[list[Word] | None] = Field(
        None, min_length=1, description="Accepted values; a row with another is rejected."
    )
    encoding: Model[Encoding] = Field(
        "presence",
        description="presence: a value is there or not. counts: how often the cell has it, up to as often as any cell "
        "of a train row has one.",
    )
    min_count: Fit[int] = Field(1, ge=1, description="Train rows that must have a value for the vocabulary to have it.")
    max_size: Fit[int] = Field(10_000, ge=1, description="Most values in the vocabulary, the most frequent first.")


class MulticategoryStatistics(Record):
    """A vocabulary of values, those of the most rows first, ties in the order of their code points.

    Attributes:
        presence: How many different values a train row has, on average.
        squares: The sum of the squares of how often it has each, on average.
        most: How often a train row has one value, at most.
    """

    kind: Literal["multicategory"] = "multicategory"
    count: int
    missing: int
    vocabulary: VocabularyFile
    presence: float
    squares: float
    most: int
