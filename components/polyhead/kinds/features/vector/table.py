"""Columns of vectors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from polyhead.errors import Problem, counted
from polyhead.kinds.coercion import Coercion, Source, vector_coercion
from polyhead.kinds.features.vector.config import VectorFeature, VectorStatistics
from polyhead.kinds.fields import Field
from polyhead.kinds.fitting.components import Components
from polyhead.kinds.fitting.fit import Fit, Site
from polyhead.kinds.fitting.looks import Looks
from polyhead.kinds.fitting.quantiles import Quantiles
from polyhead.kinds.fitting.spread import Spread
from polyhead.kinds.guessing.columns import Column
from polyhead.kinds.guessing.guess import LIST, MOSTLY, Guess, Rank
from polyhead.kinds.protocols.table import FeatureTable
from polyhead.kinds.summaries import Summary

_SHORTEST = 2  # numbers in a list that `init` takes for a vector


class VectorFit(Fit[VectorStatistics]):
    """Moments and ranges of a vector's components.

    Args:
        name: The feature.
        length: Of the vectors, where the configuration says it.
    """

    def __init__(self, name: str, length: int | None) -> None:
        super().__init__(name)
        self._length = length
        self.components, self.lengths = Components(), Quantiles()

    def _take(self, known: pl.Series) -> None:
        vectors = known.explode().to_numpy().reshape(len(known), -1).astype(np.float64)
        self.components.update(vectors)
        self.lengths.update(np.sqrt((vectors * vectors).sum(1)))

    def looks(self, site: Site) -> Looks:
        """How long the vectors are."""
        del site
        return Looks({"length": self.lengths})

    def finish(self, site: Site) -> VectorStatistics:
        """The statistics of all rows seen; zeros and ones where there is no vector at all."""
        del site
        spreads = self.components.spreads or [Spread() for _ in range(self._length or 1)]
        moments = [spread.moments.mean_and_variance() for spread in spreads]
        return VectorStatistics(
            count=self.known,
            missing=self.missing,
            length=len(spreads),
            mean=[mean for mean, _ in moments],
            variance=[variance for _, variance in moments],
            minimum=[spread.range[0] for spread in spreads],
            maximum=[spread.range[1] for spread in spreads],
        )


class VectorSummary(Summary):
    """A column of vectors: how many have how many components."""

    def __init__(self) -> None:
        super().__init__()
        self._lengths: dict[int, int] = {}

    def _take(self, values: pl.Series) -> None:
        for length, count in values.drop_nulls().list.len().alias("length").value_counts().iter_rows():
            self._lengths[length] = self._lengths.get(length, 0) + count

    def conflict(self, where: str) -> Problem | None:
        """Vectors of several lengths, and none of them in the configuration."""
        if len(self._lengths) < 2:
            return None
        often = sorted(self._lengths, key=lambda length: (-self._lengths[length], length))
        shown = ", ".join(f"{length} in {counted(self._lengths[length], 'row')}" for length in often[:4])
        hint = f"set length: {often[0]}, and rows with another number of them are rejected"
        what = f"holds lists of different numbers of numbers: {shown}{', …' if len(often) > 4 else ''}"
        return Problem("different-lengths", what, where=where, hint=hint)


class VectorTable(FeatureTable[VectorFeature]):
    """Vectors as lists of float32, all of one length."""

    single = False

    def coercion(self, source: Source, member: VectorFeature) -> Coercion:
        """Lists of float32."""
        return vector_coercion(source, member.numbers, member.columns and member.columns_of(""))

    def guess(self, column: Column) -> Guess | None:
        """Lists of as many numbers each."""
        if column.words is not None and column.share(LIST) <= MOSTLY:
            return None
        vectors = column.vectors
        if vectors is None:
            return None
        lengths = vectors.list.len().drop_nulls()
        length = lengths[0]
        if length < _SHORTEST or (lengths != length).any():
            return None
        return Guess("vector", {"length": length}, why=f"lists of {length} numbers each", rank=Rank.TYPE)

    def field(self, feature: VectorFeature, statistics: VectorStatistics, directory: Path) -> Field:
        """Numbers."""
        return Field("numbers", hint=f"{statistics.length:,} numbers")

    def summary(self) -> VectorSummary:
        """Whether all vectors have one length."""
        return VectorSummary()

    def fit(self, name: str, member: VectorFeature) -> VectorFit:
        """An empty fit of vectors."""
        return VectorFit(name, member.numbers)
