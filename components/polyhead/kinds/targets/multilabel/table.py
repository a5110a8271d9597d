"""Columns of sets of labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from polyhead.errors import DataError
from polyhead.kinds.coercion import Coercion, Source, set_coercion
from polyhead.kinds.fitting.counts import Counts
from polyhead.kinds.fitting.fit import Fit, Site
from polyhead.kinds.fitting.looks import Looks
from polyhead.kinds.fitting.masses import Masses
from polyhead.kinds.guessing.columns import Column
from polyhead.kinds.guessing.guess import Guess, set_guess, unlabelled
from polyhead.kinds.protocols.table import TargetTable
from polyhead.kinds.targets.multilabel.config import LabelStatistics, MultilabelTarget


class LabelFit(Fit[LabelStatistics]):
    """Labels of a multilabel target and the rows that have each.

    Args:
        name: The target.
        target: Which labels and weights the configuration asks for.
    """

    def __init__(self, name: str, target: MultilabelTarget) -> None:
        super().__init__(name)
        self._target = target
        self.counts, self.masses = Counts(), Masses()

    def _take(self, known: pl.Series) -> None:
        self.counts.update(_labels(known))

    def _weigh(self, known: pl.Series, weights: NDArray[np.float64]) -> None:
        self.masses.update(_labels(known), np.repeat(weights, known.list.len().to_numpy()))

    def looks(self, site: Site) -> Looks:
        """The labels; another one is not known."""
        del site
        return Looks(words=self.counts, fewest=0, known=self.counts.table())

    def finish(self, site: Site) -> LabelStatistics:
        """The statistics of all rows seen.

        Raises:
            DataError: The train rows hold no label.
        """
        del site
        counted = self.counts.by_token()
        labels = list(self._target.labels) if self._target.labels else sorted(counted)
        if not labels:
            where = f"target '{self.name}'"
            raise DataError("empty-target", "no training row has a label", where=where, hint="check its separator")
        counts = [counted.get(label, 0) for label in labels]
        masses = self.masses.shares(labels, self.weights) if self.is_weighed else None
        return LabelStatistics(labels=labels, counts=counts, masses=masses, rows=self.known, missing=self.missing)


def _labels(known: pl.Series) -> pl.Series:
    return known.explode(empty_as_null=False)


class MultilabelTable(TargetTable[MultilabelTarget]):
    """Lists of different words, sorted."""

    single = False
    labelled = True

    def labels(self, known: pl.Series) -> pl.Series:
        """The labels of all sets."""
        return _labels(known)

    def coercion(self, source: Source, member: MultilabelTarget) -> Coercion:
        """Lists of different words, sorted, out of the configured labels."""
        return set_coercion(source, member.separator, member.labels)

    def guess(self, column: Column) -> Guess | None:
        """Lists, also written as text, and labels with a mark between them."""
        guess = set_guess(column, "multilabel", "labels")
        return None if guess is None else replace(guess, why=guess.why + unlabelled(column))

    def vocabulary(self, statistics: LabelStatistics, directory: Path) -> pl.Series:
        """The labels."""
        del directory
        return pl.Series(statistics.labels, dtype=pl.String)

    def gated(self, options: Mapping[str, object]) -> str:
        """A metric that does not hang on a threshold."""
        del options
        return "roc_auc"

    def fit(self, name: str, member: MultilabelTarget) -> LabelFit:
        """An empty fit of labels."""
        return LabelFit(name, member)
