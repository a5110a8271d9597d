"""The scores of multilabel targets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn import metrics as sk

from polyhead.contracts.evaluation import ClassRow, Reliability
from polyhead.intervals.method import Booleans, Floats
from polyhead.kinds.metrics import MACRO_F1
from polyhead.kinds.protocols.score import Arrays, Measure, TargetScore
from polyhead.kinds.suspects import Suspect, contradicted
from polyhead.kinds.targets.multilabel.config import LabelStatistics, MultilabelTarget
from polyhead.kinds.targets.probabilities import (
    ACCURACY_MEASURE,
    BRIER_MEASURE,
    LOG_LOSS_MEASURE,
    MEAN_F1,
    PR,
    ROC,
    SMALLEST_PROBABILITY,
    WEIGHTED_F1_MEASURE,
    Loss,
    ProbabilityOutcome,
    label_lists,
    places,
    probabilities_of,
    probability_columns,
)
from polyhead.kinds.targets.reliability import per_class, reliability

_MOST_LABELS = 12


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

    def squares(self) -> tuple[Floats, Floats]:
        """The mean over the labels; a label that no train row has is left out, its row counts."""
        return ((self.probabilities - self.true) ** 2).mean(1), np.ones(len(self))

    def imagined(self, loss: Loss) -> tuple[Floats, Floats]:
        """Over the sets, as if labels came independently of each other."""
        p = np.clip(self.probabilities, SMALLEST_PROBABILITY, 1 - SMALLEST_PROBABILITY)
        yes, no = (-np.log(p), -np.log1p(-p)) if loss == "log" else ((1 - p) ** 2, p**2)
        means, variances = p * yes + (1 - p) * no, p * (1 - p) * (yes - no) ** 2
        return means.mean(1), means.mean(1) ** 2 + variances.sum(1) / p.shape[1] ** 2


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
        words = pl.Series([word for row in truths for word in row or ()], dtype=pl.String)
        missing = np.array([row is None for row in truths], bool)
        return label_lists(f"{name}.true", words, [len(row or ()) for row in truths], missing)

    def prediction_columns(self, name: str, statistics: LabelStatistics, arrays: Arrays) -> list[pl.Series]:
        """The list of labels, and a probability per label."""
        labels = statistics.labels
        said = arrays[name] != 0
        words = pl.Series(labels, dtype=pl.String)[np.nonzero(said)[1]]
        predicted = label_lists(f"{name}.predicted", words, said.sum(1), np.zeros(len(said), bool))
        return [predicted, *probability_columns(name, labels, arrays)]

    def outcome(self, name: str, statistics: LabelStatistics, known: pl.DataFrame) -> LabelOutcome:
        """With sets as 0 and 1 per label."""
        labels = statistics.labels
        true, unseen = _memberships(known[f"{name}.true"], labels)
        predicted, _ = _memberships(known[f"{name}.predicted"], labels)
        probabilities = probabilities_of(name, labels, known)
        return LabelOutcome(statistics.kind, true, predicted, probabilities, unseen=unseen)

    def suspects(self, target: MultilabelTarget, statistics: LabelStatistics, outcome: LabelOutcome) -> list[Suspect]:
        """By confident learning, each label as yes or no."""
        found = []
        for place, label in enumerate(statistics.labels):
            yes = outcome.probabilities[:, place]
            rows, said = contradicted(outcome.true[:, place], np.stack([1 - yes, yes], 1))
            words = ("no", "yes")
            found += [
                Suspect(row, label, words[1 - answer], words[answer], float(yes[row] if answer else 1 - yes[row]))
                for row, answer in zip(rows.tolist(), said.tolist(), strict=True)
            ]
        return found

    def baseline(self, statistics: LabelStatistics, outcome: LabelOutcome) -> LabelOutcome:
        """The train rows' label frequencies, by their row weights, of which one half or more is predicted."""
        rows = len(outcome)
        shares = np.minimum(np.array(statistics.mass) / max(statistics.rows, 1), 1.0)
        predicted = np.tile((shares >= 0.5).astype(np.int64), (rows, 1))
        return replace(outcome, predicted=predicted, probabilities=np.tile(shares, (rows, 1)))

    def per_class(self, statistics: LabelStatistics, outcome: LabelOutcome) -> list[ClassRow]:
        """By label."""
        return per_class(statistics.labels, outcome)

    def reliability(self, statistics: LabelStatistics, outcome: LabelOutcome) -> list[Reliability]:
        """Of the twelve labels that most rows have, each by itself: a row's labels are not independent rows."""
        commonest = np.sort(np.argsort(-outcome.true.sum(0), kind="stable")[:_MOST_LABELS])
        return reliability(
            [(statistics.labels[at], outcome.true[:, at] == 1, outcome.probabilities[:, at]) for at in commonest]
        )

    def notes(self, target: MultilabelTarget, outcome: LabelOutcome) -> list[str]:
        """What accuracy is, and how labels count that no train row has."""
        notes = ["accuracy is the share of rows with every label right"]
        if unseen := int(outcome.never_seen().sum()):
            notes.append(
                f"{unseen} test rows have a label that no train row has: they count as wrong in accuracy and as missed "
                "in F1, and the label is left out of the other metrics"
            )
        return notes


def _memberships(sets: pl.Series, labels: Sequence[str]) -> tuple[NDArray[np.int64], Booleans]:
    """Rows x labels: whether the row's set holds the label; and whether it holds another one."""
    row = np.repeat(np.arange(len(sets)), sets.list.len().to_numpy())
    words = sets.explode(empty_as_null=False, keep_nulls=False)
    label = places(words, labels)
    found = np.zeros((len(sets), len(labels)), np.int64)
    found[row[label >= 0], label[label >= 0]] = 1
    unseen = np.zeros(len(sets), bool)
    unseen[row[label < 0]] = True
    return found, unseen


def _macro_f1(outcome: LabelOutcome) -> float | None:
    counted = slice(None) if outcome.weights is None else outcome.weights > 0
    occurs = (outcome.true[counted].sum(0) + outcome.predicted[counted].sum(0)) > 0
    scores: list[float] = [0.0] if outcome.never_seen()[counted].any() else []
    if occurs.any():
        true, predicted = outcome.true[:, occurs], outcome.predicted[:, occurs]
        scores += list(sk.f1_score(true, predicted, average=None, zero_division=0, sample_weight=outcome.weights))
    return float(np.mean(scores)) if scores else None


SCORE = LabelScore(
    MultilabelTarget.METRICS,
    [
        ACCURACY_MEASURE,
        Measure(MACRO_F1, _macro_f1, MEAN_F1),
        WEIGHTED_F1_MEASURE,
        LOG_LOSS_MEASURE,
        BRIER_MEASURE,
        ROC.over_all(),
        PR.over_all(),
    ],
)
