"""Columns of yes and no."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from polyhead.kinds.booleans import FALSE, MEANINGS, NO_YES, TRUE
from polyhead.kinds.coercion import NO_NUMBER, Coercion, Source, is_other, word_coercion
from polyhead.kinds.features.boolean.config import BooleanFeature, BooleanStatistics
from polyhead.kinds.fields import Field
from polyhead.kinds.fitting.counts import Counts
from polyhead.kinds.fitting.fit import Fit, Site
from polyhead.kinds.fitting.looks import Looks
from polyhead.kinds.guessing.columns import Column
from polyhead.kinds.guessing.guess import Guess, Rank
from polyhead.kinds.protocols.table import FeatureTable
from polyhead.kinds.slices import Slice, by_word
from polyhead.kinds.summaries import WordSummary

_ACCEPTED = ", ".join(f"{yes}/{no}" for no, yes in NO_YES)


class BooleanFit(Fit[BooleanStatistics]):
    """How many rows have yes, and how many no.

    Args:
        name: The feature.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.counts = Counts()

    def _take(self, known: pl.Series) -> None:
        self.counts.update(known)

    def looks(self, site: Site) -> Looks:
        """Yes and no."""
        del site
        return Looks(words=self.counts)

    def finish(self, site: Site) -> BooleanStatistics:
        """The statistics of all rows seen."""
        del site
        return BooleanStatistics(count=self.known, missing=self.missing, true=self.counts.by_token().get(TRUE, 0))


class BooleanTable(FeatureTable[BooleanFeature]):
    """`true` or `false` a cell."""

    single = True
    repeats = True

    def coercion(self, source: Source, member: BooleanFeature) -> Coercion:
        """`true` or `false`, from any of the words; those of `NO_NUMBER` are missing."""
        del member
        made = word_coercion(source)
        meant = made.values.str.to_lowercase().replace({**MEANINGS, **dict.fromkeys(NO_NUMBER)})
        detail = f"accepted are {_ACCEPTED}: correct it, or use kind: category"
        return Coercion(meant, made.rules).refusing("not_a_boolean", detail, is_other(source.values, [FALSE, TRUE]))

    def guess(self, column: Column) -> Guess | None:
        """Words of which some mean yes, others no, and none anything else. Numbers 0 and 1 stay numbers."""
        words = set(column.known.unique().str.to_lowercase()) if column.is_boolean else set()
        if len({MEANINGS[word] for word in words & MEANINGS.keys()}) < 2:
            return None
        no, yes = next((no, yes) for no, yes in NO_YES if {no, yes} <= words)
        return Guess("boolean", why=f"{yes} or {no}", rank=Rank.FEW)

    def field(self, feature: BooleanFeature, statistics: BooleanStatistics, directory: Path) -> Field:
        """Yes or no, as the words of the clean table."""
        return Field("choice", ("true", "false"))

    def slices(self, statistics: BooleanStatistics, values: Sequence[str]) -> list[Slice]:
        """Yes and no."""
        del statistics
        return by_word(values)

    def summary(self) -> WordSummary:
        """How many different values, two at most."""
        return WordSummary()

    def fit(self, name: str, member: BooleanFeature) -> BooleanFit:
        """An empty fit of counts."""
        del member
        return BooleanFit(name)
