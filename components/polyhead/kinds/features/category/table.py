"""Columns of categories."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from polyhead.kinds.coercion import Coercion, Source, one_word_coercion
from polyhead.kinds.features.category.config import CategoryFeature, CategoryStatistics
from polyhead.kinds.fields import Field, field_of_words
from polyhead.kinds.fitting.counts import Counts
from polyhead.kinds.fitting.fit import Fit, Site
from polyhead.kinds.fitting.looks import Looks
from polyhead.kinds.guessing.columns import Column, shown
from polyhead.kinds.guessing.guess import (
    FEW,
    Guess,
    Rank,
    almost_numbers,
    holds_codes,
    holds_text,
    other_spelling,
)
from polyhead.kinds.protocols.table import FeatureTable
from polyhead.kinds.slices import Slice, by_word
from polyhead.kinds.summaries import WordSummary
from polyhead.kinds.vocabulary import read_vocabulary, write_vocabulary

_FOLD_NAMES = re.compile(r"k?[ _-]?folds?")


class CategoryFit(Fit[CategoryStatistics]):
    """The vocabulary of a category.

    Args:
        name: The feature.
        feature: How many tokens are kept, and how often each must occur.
    """

    def __init__(self, name: str, feature: CategoryFeature) -> None:
        super().__init__(name)
        self._feature = feature
        self.counts = Counts()

    def _take(self, known: pl.Series) -> None:
        self.counts.update(known)

    def vocabulary(self) -> pl.DataFrame:
        """`token`, `count`: the most frequent first, ties by code points."""
        return self.counts.most_frequent(at_least=self._feature.min_count, at_most=self._feature.max_size)

    def looks(self, site: Site) -> Looks:
        """The values, and those in the vocabulary."""
        del site
        return Looks(words=self.counts, fewest=self._feature.min_count, known=self.vocabulary())

    def finish(self, site: Site) -> CategoryStatistics:
        """The statistics of all rows seen; the vocabulary is written."""
        vocabulary = write_vocabulary(site.directory, self.name, self.vocabulary())
        return CategoryStatistics(count=self.known, missing=self.missing, vocabulary=vocabulary)


class CategoryTable(FeatureTable[CategoryFeature]):
    """One word a cell."""

    single = True
    repeats = True

    def coercion(self, source: Source, member: CategoryFeature) -> Coercion:
        """One word, spelled as all words are, out of the accepted ones."""
        return one_word_coercion(source, member.allowed)

    def guess(self, column: Column) -> Guess | None:
        """Codes, and words that are not text."""
        if column.distinct == 1 and column.missing:
            return Guess("category", why=f"{shown(column.known[0])} or empty", rank=Rank.FEW)
        if column.distinct > 1 and column.named(_FOLD_NAMES) and column.is_whole:
            return Guess("category", why="looks like the number of a fold", left_out=True, rank=Rank.FEW)
        if column.numbers is not None:
            return _codes(column) if holds_codes(column) else None
        return _words(column) if column.distinct and not holds_text(column) else None

    def field(self, feature: CategoryFeature, statistics: CategoryStatistics, directory: Path) -> Field:
        """One of the words."""
        return field_of_words(self.vocabulary(statistics, directory))

    def slices(self, statistics: CategoryStatistics, values: Sequence[str]) -> list[Slice]:
        """By word."""
        del statistics
        return by_word(values)

    def summary(self) -> WordSummary:
        """How many different values."""
        return WordSummary()

    def vocabulary(self, statistics: CategoryStatistics, directory: Path) -> pl.Series:
        """The values of the vocabulary."""
        return read_vocabulary(directory, statistics.vocabulary)["token"]

    def fit(self, name: str, member: CategoryFeature) -> CategoryFit:
        """An empty fit of a vocabulary."""
        return CategoryFit(name, member)


def _codes(column: Column) -> Guess:
    kinds, known = column.different_numbers, column.rows - column.numbers.null_count()  # type: ignore[union-attr]
    if column.names_things and kinds > max(FEW, known // 20):
        why = "every row has its own" if column.is_unique else f"{kinds} different ids say little of rows to come"
        return Guess("category", why=why, left_out=True, rank=Rank.NUMBERS)
    if kinds <= max(FEW, known // 2):
        return Guess("category", why=f"{kinds} codes", rank=Rank.NUMBERS)
    return Guess("category", why=f"{kinds} different codes in {known} rows", left_out=True, rank=Rank.NUMBERS)


def _words(column: Column) -> Guess:
    known, distinct = column.known, column.distinct
    almost = almost_numbers(column)
    spelling = "" if almost else other_spelling(column)
    note = f"; {spelling}" if spelling else ""
    if distinct > max(FEW, len(known) // 20) and distinct / len(known) > 0.5:
        if almost:
            why = almost
        elif column.is_unique:
            why = "every row has its own"
        else:
            why = f"{distinct} different words in {len(known)} rows: too few rows of each to learn from"
        return Guess("category", why=why + note, left_out=True)
    return Guess("category", why=f"{distinct} different words" + note)
