"""Columns of free text."""

from __future__ import annotations

import math
from pathlib import Path

import polars as pl

from polyhead.kinds.coercion import Coercion, Source, word_coercion
from polyhead.kinds.features.text import tokenizer
from polyhead.kinds.features.text.config import Terms, TextFeature, TextStatistics
from polyhead.kinds.fields import Field
from polyhead.kinds.fitting.counts import Counts
from polyhead.kinds.fitting.fit import Fit, Site
from polyhead.kinds.fitting.looks import Looks
from polyhead.kinds.fitting.quantiles import Quantiles
from polyhead.kinds.guessing.columns import Column
from polyhead.kinds.guessing.guess import LIST, MOSTLY, Guess, Rank, holds_text
from polyhead.kinds.protocols.table import FeatureTable
from polyhead.kinds.summaries import WordSummary
from polyhead.kinds.vocabulary import read_vocabulary, write_vocabulary

_TEXTS = 4096  # texts that are cut into terms at a time
_LONG = 300  # characters of a text, on average, from which `init` leaves runs of characters out for their cost


class TextFit(Fit[TextStatistics]):
    """The terms of a text and the number of texts that have each.

    Args:
        name: The feature.
        feature: Which terms are counted, and how many are kept.
    """

    def __init__(self, name: str, feature: TextFeature) -> None:
        super().__init__(name)
        self._feature = feature
        self._left_out = tokenizer.stopped(feature.stop_words)
        self.words, self.characters, self.lengths = Counts(), Counts(), Quantiles()

    def _take(self, known: pl.Series) -> None:
        self.lengths.update(known.str.len_chars().cast(pl.Float64).to_numpy())
        for batch in known.to_frame().iter_slices(_TEXTS):
            texts = batch.to_series()
            if self._feature.analyzer != "characters":
                _count(self.words, tokenizer.terms(texts, self._feature.ngrams, self._left_out))
            if self._feature.analyzer != "words":
                _count(self.characters, tokenizer.characters(texts, *self._feature.characters))

    def vocabulary(self, documents: Counts) -> pl.DataFrame:
        """`token`, `count` (documents), `idf`, by code points.

        idf = ln((1 + n) / (1 + df)) + 1, scikit-learn's smooth idf; n is the number of texts.

        Args:
            documents: How many texts have each term.
        """
        feature = self._feature
        least, most = self._documents(feature.min_documents), self._documents(feature.max_documents)
        chosen = documents.most_frequent(at_least=least, up_to=most, at_most=feature.max_terms).sort("token")
        idf = [math.log((1 + self.known) / (1 + count)) + 1 for count in chosen["count"]]
        return chosen.with_columns(pl.Series("idf", idf, dtype=pl.Float64))

    def _documents(self, share: float) -> float:
        """How many texts a count or a share of them is."""
        return share if isinstance(share, int) else share * self.known

    def looks(self, site: Site) -> Looks:
        """Characters in a text, its words or else its runs of characters, and those in the vocabulary."""
        del site
        terms = self.characters if self._feature.analyzer == "characters" else self.words
        return Looks(
            {"length": self.lengths},
            words=terms,
            fewest=self._documents(self._feature.min_documents),
            known=self.vocabulary(terms),
        )

    def finish(self, site: Site) -> TextStatistics:
        """The statistics of all rows seen; the vocabularies are written."""
        feature = self._feature
        terms = []
        if feature.analyzer != "characters":
            file = write_vocabulary(site.directory, self.name, self.vocabulary(self.words))
            terms.append(Terms(tokenizer=tokenizer.WORDS, shortest=1, longest=feature.ngrams, vocabulary=file))
        if feature.analyzer != "words":
            file = write_vocabulary(site.directory, f"{self.name}.characters", self.vocabulary(self.characters))
            shortest, longest = feature.characters
            terms.append(Terms(tokenizer=tokenizer.CHARACTERS, shortest=shortest, longest=longest, vocabulary=file))
        return TextStatistics(count=self.known, missing=self.missing, documents=self.known, terms=terms)


def _count(documents: Counts, terms: pl.Series) -> None:
    documents.update(terms.list.unique().explode(empty_as_null=False, keep_nulls=False))


class TextTable(FeatureTable[TextFeature]):
    """Text as it is, including blanks at its ends."""

    single = False

    def coercion(self, source: Source, member: TextFeature) -> Coercion:
        """Text, spelled as words are, blanks at its ends included."""
        del member
        return word_coercion(source, strip=False)

    def guess(self, column: Column) -> Guess | None:
        """Lists written as text, and free text."""
        if not column.distinct or column.numbers is not None:
            return None
        if column.share(LIST) > MOSTLY:
            return Guess("text", why="lists, written as text; their words count one by one", rank=Rank.TAGS)
        if not holds_text(column):
            return None
        if column.is_unspaced:
            why = "free text without spaces between words, so runs of characters are its terms"
            return Guess("text", {"analyzer": "characters"}, why=why)
        options = {"analyzer": "words"} if column.known.str.len_chars().mean() > _LONG else {}  # type: ignore[operator]
        return Guess("text", options, why=f"free text, about {column.length:.0f} words in a cell")

    def field(self, feature: TextFeature, statistics: TextStatistics, directory: Path) -> Field:
        """Text."""
        return Field("text")

    def summary(self) -> WordSummary:
        """How many different texts."""
        return WordSummary()

    def vocabulary(self, statistics: TextStatistics, directory: Path) -> pl.Series:
        """The words of the vocabulary, or else its runs of characters."""
        return read_vocabulary(directory, statistics.terms[0].vocabulary)["token"]

    def fit(self, name: str, member: TextFeature) -> TextFit:
        """An empty fit of terms."""
        return TextFit(name, member)
