"""Free text."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from polyhead.contracts.artifact import Record
from polyhead.contracts.section import Data, Fit
from polyhead.errors import InvalidValueError
from polyhead.kinds.base import FeatureBase, VocabularyFile

_Shortest = Annotated[int, Field(ge=1, le=3)]
_Longest = Annotated[int, Field(ge=1, le=8)]

Documents = int | float
"""A number of texts, or a share of them."""


class TextFeature(FeatureBase):
    """A column of free text."""

    MODALITY: ClassVar[str] = "all text"

    kind: Data[Literal["text"]]
    vectorizer: Fit[Literal["tfidf"]] = Field("tfidf", description="TF-IDF as scikit-learn defines it.")
    analyzer: Fit[Literal["words", "characters", "both"]] = Field(
        "both",
        description="What terms are made of. words: whole words. characters: the characters within a word, as "
        "scikit-learn's char_wb, for names, codes, spellings that vary, and languages without spaces between words. "
        "both: one beside the other. Words alone take a fifth of the time where texts are long.",
    )
    ngrams: Fit[int] = Field(1, ge=1, le=5, description="Longest run of words that counts as a term, 1 to 5.")
    stop_words: Fit[list[str]] = Field(
        [],
        description="Words that are left out before runs of words are formed. They are read as the texts are, in any "
        "case. Runs of characters do not heed them.",
    )
    characters: Fit[tuple[_Shortest, _Longest]] = Field(
        (2, 4),
        description="Shortest and longest run of characters that counts as a term, 1 to 3 and up to 8; the ends of a "
        "word count as characters.",
    )
    min_documents: Fit[Documents] = Field(
        1,
        description="Texts of train rows that a term must occur in: a whole number, or their share, such as 0.01. 1 is "
        "one text, 1.0 is all.",
    )
    max_documents: Fit[Documents] = Field(
        1.0, description="Texts of train rows that a term may occur in, likewise. Default: all."
    )
    max_terms: Fit[int] = Field(
        20_000,
        ge=1,
        description="Most terms in the vocabulary of words, and in that of characters, the most frequent first.",
    )

    @field_validator("min_documents", "max_documents", mode="before")
    @classmethod
    def _some(cls, value: object) -> object:
        is_number = isinstance(value, int) and not isinstance(value, bool) and value >= 1
        if not is_number and not (isinstance(value, float) and 0 < value <= 1):
            raise InvalidValueError(
                "invalid-range",
                f"{value!r} is neither a number of texts, such as 1, nor a share of them above 0 and up to 1.0",
            )
        return value

    @model_validator(mode="after")
    def _any_term(self) -> TextFeature:
        least, most = self.min_documents, self.max_documents
        if type(least) is type(most) and least > most:
            raise InvalidValueError("invalid-range", f"min_documents {least} is above max_documents {most}")
        return self

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
