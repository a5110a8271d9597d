"""The scores of multilabel targets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn import metrics as sk

from polyhead.intervals.method import Booleans, Floats
from polyhead.kinds.metrics import MACRO_F1
from polyhead.kinds.protocols.score import Arrays, Measure, TargetScore
from polyhead.kinds.targets.multilabel.config import LabelStatistics, MultilabelTarget
from polyhead.kinds.targets.probabilities import (
    ACCURACY_MEASURE,
    LOG_LOSS_MEASURE,
    MEAN_F1,
    PR,
    ROC,
    SMALLEST_PROBABILITY,
    ProbabilityOutcome,
    probabilities_of,
    probability_columns,
)


@dataclass(frozen=True)
class LabelOutcome(ProbabilityOutcome):
    """A multilabel head; `true` and `predicted` are 0 or 1, int64 (n, labels).

    Attributes:
        unseen: Rows whose set has a label that no train row has, bool (n,). Default: none.
    """

    unseen: Booleans | None = None

    @property
    def noun(self) -> str:
        """A column of the probabilities is a label."""
        return "label"

    @property
    def relation(self) -> float:
        """A mistake of one label says nothing of another."""
        return 0.0

    def indicators(self, values: NDArray[Any]) -> Booleans:
        """Whether a row has each label, (n, labels)."""
        return values.astype(np.bool_)

    def right(self) -> Booleans:
        """Whether every label of a row is predicted right, (n,)."""
        right: Booleans = np.equal(self.true, self.predicted).all(1)
        return right & ~self.never_seen()

    def never_seen(self) -> Booleans:
        """Rows with a label that no train row has, (n,)."""
        return np.zeros(len(self), bool) if self.unseen is None else self.unseen

    def losses(self) -> tuple[Floats, Floats]:
        """The mean over the labels; a label that no train row has is left out, its row counts."""
        p = np.clip(self.probabilities, SMALLEST_PROBABILITY, 1 - SMALLEST_PROBABILITY)
        return -np.where(self.true == 1, np.log(p), np.log1p(-p)).mean(1), np.ones(len(p))


class LabelScore(TargetScore[MultilabelTarget, LabelStatistics, LabelOutcome]):
    """Of a target with any number of labels."""

    def classes(self, statistics: LabelStatistics) -> list[str]:
        """Its labels."""
        return statistics.labels

    def truths(self, name: str, raw: Arrays) -> list[Any]:
        """Lists of labels; the empty set is not missing."""
        known = raw[f"{name}/known"]
        return [[label.decode() for label in row] if known[i] else None for i, row in enumerate(raw[name])]

    def truth_column(self, name: str, truths: Sequence[Any]) -> pl.Series:
        """Lists of labels."""
        return pl.Series(f"{name}.true", truths, dtype=pl.List(pl.String))

    def prediction_columns(self, name: str, statistics: LabelStatistics, arrays: Arrays) -> list[pl.Series]:
        """The list of labels, and a probability per label."""
        labels = statistics.labels
        sets = [[labels[i] for i in np.flatnonzero(row)] for row in arrays[name]]
        predicted = pl.Series(f"{name}.predicted", sets, dtype=pl.List(pl.String))
        return [predicted, *probability_columns(name, labels, arrays)]

    def outcome(self, name: str, statistics: LabelStatistics, known: pl.DataFrame) -> LabelOutcome:
        """With sets as 0 and 1 per label."""
        labels = statistics.labels
        true, predicted = known[f"{name}.true"].to_list(), known[f"{name}.predicted"].to_list()
        return LabelOutcome(
            statistics.kind,
            _memberships(true, labels),
            _memberships(predicted, labels),
            probabilities_of(name, labels, known),
            unseen=np.array([not set(labels).issuperset(row) for row in true], bool),
        )

    def baseline(self, statistics: LabelStatistics, outcome: LabelOutcome) -> LabelOutcome:
        """The train rows' label frequencies, of which one half or more is predicted."""
        rows = len(outcome)
        shares = np.array(statistics.counts) / max(statistics.rows, 1)
        predicted = np.tile((shares >= 0.5).astype(np.int64), (rows, 1))
        return replace(outcome, predicted=predicted, probabilities=np.tile(shares, (rows, 1)))

    def notes(self, target: MultilabelTarget, outcome: LabelOutcome) -> list[str]:
        """What accuracy is, and how labels count that no train row has."""
        notes = ["accuracy is the share of rows with every label right"]
        if unseen := int(outcome.never_seen().sum()):
            notes.append(
                f"{unseen} test rows have a label that no train row has: they count as wrong in accuracy and as missed "
                "in F1, and the label is left out of the other metrics"
            )
        return notes


def _memberships(sets: Sequence[Sequence[str]], labels: Sequence[str]) -> NDArray[np.int64]:
    return np.array([[label in row for label in labels] for row in sets], np.int64).reshape(-1, len(labels))


def _macro_f1(outcome: LabelOutcome) -> float | None:
    occurs = (outcome.true.sum(0) + outcome.predicted.sum(0)) > 0
    scores: list[float] = [0.0] if outcome.never_seen().any() else []
    if occurs.any():
        true, predicted = outcome.true[:, occurs], outcome.predicted[:, occurs]
        scores += list(sk.f1_score(true, predicted, average=None, zero_division=0))
    return float(np.mean(scores)) if scores else None


SCORE = LabelScore(
    MultilabelTarget.METRICS,
    [ACCURACY_MEASURE, Measure(MACRO_F1, _macro_f1, MEAN_F1), LOG_LOSS_MEASURE, ROC.over_all(), PR.over_all()],
)
