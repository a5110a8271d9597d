"""Free text."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from polyhead.contracts.artifact import Record
from polyhead.contracts.section import Data, Fit
from polyhead.errors import InvalidValueError
from polyhead.kinds.base import FeatureBase, VocabularyFile

_Shortest = Annotated[int, Field(ge=1, le=3)]
_Longest = Annotated[int, Field(ge=1, le=8)]


class TextFeature(FeatureBase):
    """A column of free text."""

    kind: Data[Literal["text"]]
    vectorizer: Fit[Literal["tfidf"]] = Field("tfidf", description="TF-IDF as scikit-learn defines it.")
    analyzer: Fit[Literal["words", "characters", "both"]] = Field(
        "both",
        description="What terms are made of. words: whole words. characters: the characters within a word, as "
        "scikit-learn's char_wb, for names, codes and spellings that vary. both: one beside the other. Words alone "
        "take a fifth of the time where texts are long.",
    )
    ngrams: Fit[int] = Field(1, ge=1, le=3, description="Longest run of words that counts as a term, 1 to 3.")
    characters: Fit[tuple[_Shortest, _Longest]] = Field(
        (2, 4),
        description="Shortest and longest run of characters that counts as a term, 1 to 3 and up to 8; the ends of a "
        "word count as characters.",
    )
    min_documents: Fit[int] = Field(2, ge=1, description="Train rows a term must occur in to be kept.")
    max_terms: Fit[int] = Field(
        20_000,
        ge=1,
        description="Most terms in the vocabulary of words, and in that of characters, the most frequent first.",
    )

    @field_validator("characters")
    @classmethod
    def _ordered(cls, value: tuple[int, int]) -> tuple[int, int]:
        shortest, longest = value
        if shortest > longest:
            raise InvalidValueError(
                "invalid-range", f"the shortest run, {shortest}, is longer than the longest, {longest}"
            )
        return value


class Terms(Record):
    """The terms of one kind, in the order of their code points, with idf = ln((1 + n) / (1 + df)) + 1.

    Attributes:
        tokenizer: Name of the tokenizer's definition; see `polyhead.kinds.features.text.tokenizer`.
        shortest: Words or characters of a term, at least.
        longest: At most.
        vocabulary: The terms.
    """

    tokenizer: str
    shortest: int
    longest: int
    vocabulary: VocabularyFile


class TextStatistics(Record):
    """What the terms of the train rows' texts are.

    Attributes:
        documents: Train rows with a text, the n of the formula.
        terms: By tokenizer, words before characters. A term's id counts from 0 over all of them.
    """

    kind: Literal["text"] = "text"
    count: int
    missing: int
    documents: int
    terms: list[Terms]

    @property
    def size(self) -> int:
        """How many terms."""
        return sum(of.vocabulary.size for of in self.terms)
