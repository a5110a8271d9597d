"""Columns of sets of values."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl

from polyhead.kinds.coercion import TEXTS, Coercion, Source, set_coercion
from polyhead.kinds.features.multicategory.config import MulticategoryFeature, MulticategoryStatistics
from polyhead.kinds.fields import Field, field_of_words
from polyhead.kinds.fitting.counts import Counts
from polyhead.kinds.fitting.fit import Fit, Site
from polyhead.kinds.fitting.looks import Looks
from polyhead.kinds.fitting.spread import Spread
from polyhead.kinds.guessing.columns import Column
from polyhead.kinds.guessing.guess import Guess, set_guess
from polyhead.kinds.protocols.table import FeatureTable
from polyhead.kinds.slices import Slice, by_item
from polyhead.kinds.summaries import SetSummary
from polyhead.kinds.vocabulary import read_vocabulary, write_vocabulary


class MulticategoryFit(Fit[MulticategoryStatistics]):
    """The vocabulary of a multicategory, and how often rows have its values.

    Args:
        name: The feature.
        feature: How many values are kept, and how many rows must have each.
    """

    def __init__(self, name: str, feature: MulticategoryFeature) -> None:
        super().__init__(name)
        self._feature = feature
        self.rows = Counts()
        self.repeats = Spread()

    def _take(self, known: pl.Series) -> None:
        flat = known.alias("value").to_frame().with_row_index("row").explode("value", empty_as_null=False)
        if flat.height:
            counted = flat.group_by("row", "value").len("times")
            self.rows.update(counted["value"])
            self.repeats.update(counted["times"].to_numpy().astype(np.float64))

    def vocabulary(self) -> pl.DataFrame:
        """`token`, `count`: those of the most rows first, ties by code points."""
        return self.rows.most_frequent(at_least=self._feature.min_count, at_most=self._feature.max_size)

    def looks(self, site: Site) -> Looks:
        """The values, and those in the vocabulary."""
        del site
        return Looks(words=self.rows, fewest=self._feature.min_count, known=self.vocabulary())

    def finish(self, site: Site) -> MulticategoryStatistics:
        """The statistics of all rows seen; the vocabulary is written."""
        moments = self.repeats.moments
        mean, variance = moments.mean_and_variance()
        presence = moments.count / self.known if self.known else 0.0
        return MulticategoryStatistics(
            count=self.known,
            missing=self.missing,
            vocabulary=write_vocabulary(site.directory, self.name, self.vocabulary()),
            presence=presence,
            squares=presence * (mean**2 + variance) if moments.count else 0.0,
            most=int(self.repeats.range[1]),
        )


class MulticategoryTable(FeatureTable[MulticategoryFeature]):
    """Lists of words, sorted; a word is there as often as the cell has it."""

    single = False

    def coercion(self, source: Source, member: MulticategoryFeature) -> Coercion:
        """Lists of words, sorted, out of the accepted ones."""
        return set_coercion(source, member.separator, member.allowed, repeats=True)

    def guess(self, column: Column) -> Guess | None:
        """Lists of words or whole numbers, also written as text, and words with a mark between them."""
        guess = set_guess(column, "multicategory", "values")
        return guess if guess is not None and _holds_names(column) else None

    def spelled(self, value: Sequence[str]) -> str:
        """Word after word."""
        return ", ".join(value)

    def field(self, feature: MulticategoryFeature, statistics: MulticategoryStatistics, directory: Path) -> Field:
        """A line, as the table has it."""
        words = field_of_words(self.vocabulary(statistics, directory)).choices
        return Field("line", words, f"values with {feature.separator} between them; [] for none")

    def slices(self, statistics: MulticategoryStatistics, values: Sequence[Sequence[str]]) -> list[Slice]:
        """By each word that a row has."""
        del statistics
        return by_item(values)

    def summary(self) -> SetSummary:
        """How many different values."""
        return SetSummary()

    def vocabulary(self, statistics: MulticategoryStatistics, directory: Path) -> pl.Series:
        """The values of the vocabulary."""
        return read_vocabulary(directory, statistics.vocabulary)["token"]

    def fit(self, name: str, member: MulticategoryFeature) -> MulticategoryFit:
        """An empty fit of a vocabulary."""
        return MulticategoryFit(name, member)


def _holds_names(column: Column) -> bool:
    """Whether items of lists name things: they are neither measurements nor records."""
    dtype = column.series.dtype
    inner = dtype.inner if isinstance(dtype, (pl.List, pl.Array)) else pl.String()
    assert isinstance(inner, pl.DataType)
    if inner not in TEXTS and not inner.is_integer():
        return False
    numbers = pl.Series([], dtype=pl.Float32) if column.vectors is None else column.vectors.explode().drop_nulls()
    return bool((numbers == numbers.round()).all())
