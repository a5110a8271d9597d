"""Free text."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from polyhead.contracts.artifact import Record
from polyhead.contracts.section import Data, Fit
from polyhead.kinds.base import FeatureBase, VocabularyFile


class TextFeature(FeatureBase):
    """A column of free text."""

    kind: Data[Literal["text"]]
    vectorizer: Fit[Literal["tfidf"]] = Field("tfidf", description="TF-IDF as scikit-learn defines it.")
    ngrams: Fit[int] = Field(1, ge=1, le=3, description="Longest run of words that counts as a term, 1 to 3.")
    min_documents: Fit[int] = Field(2, ge=1, description="Train rows a term must occur in to be kept.")
    max_terms: Fit[int] = Field(20_000, ge=1, description="Most terms in the vocabulary, the most frequent first.")


class TextStatistics(Record):
    """A vocabulary of terms in the order of their code points, with idf = ln((1 + n) / (1 + df)) + 1.

    Attributes:
        documents: Train rows with a text, the n of the formula.
        tokenizer: Name of the tokenizer's definition; see `polyhead.kinds.features.text.tokenizer`.
    """

    kind: Literal["text"] = "text"
    count: int
    missing: int
    documents: int
    tokenizer: str
    ngrams: int
    vocabulary: VocabularyFile
