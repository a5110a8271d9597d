"""The scores that binary, multiclass and ordinal targets share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn import metrics as sk

from polyhead.intervals.method import Booleans, Floats
from polyhead.kinds.base import TargetBase
from polyhead.kinds.metrics import BALANCED_ACCURACY, MACRO_F1
from polyhead.kinds.protocols.score import Arrays, Measure, TargetScore
from polyhead.kinds.suspects import Suspect, contradicted
from polyhead.kinds.targets.classes import ClassStatistics
from polyhead.kinds.targets.probabilities import (
    ACCURACY_MEASURE,
    LOG_LOSS_MEASURE,
    MEAN_F1,
    MEAN_RECALL,
    SMALLEST_PROBABILITY,
    ProbabilityOutcome,
    places,
    probabilities_of,
    probability_columns,
)


@dataclass(frozen=True)
class ClassOutcome(ProbabilityOutcome):
    """A head of classes; `true` and `predicted` are class indices, int64 (n,), -1 for a label that no train row has."""

    @property
    def noun(self) -> str:
        """A column of the probabilities is a class."""
        return "class"

    @property
    def relation(self) -> float:
        """A mistake of one class is one of another."""
        classes: int = self.probabilities.shape[1]
        return 1 / (classes - 1)

    def indicators(self, values: NDArray[Any]) -> Booleans:
        """Whether a row has each class, (n, classes)."""
        found: Booleans = np.equal(values.astype(np.int64)[:, None], np.arange(self.probabilities.shape[1]))
        return found

    def right(self) -> Booleans:
        """Whether a row's class is predicted, (n,)."""
        right: Booleans = np.equal(self.true, self.predicted)
        return right & ~self.never_seen()

    def never_seen(self) -> Booleans:
        """Rows with a class that no train row has, (n,)."""
        unseen: Booleans = np.equal(self.true, -1)
        return unseen

    def losses(self) -> tuple[Floats, Floats]:
        """Of the true class's probability; a class that no train row has does not count."""
        true = self.true.astype(np.int64)
        seen = ~self.never_seen()
        chosen = self.probabilities[np.arange(len(true)), np.where(seen, true, 0)]
        return np.where(seen, -np.log(np.clip(chosen, SMALLEST_PROBABILITY, 1.0)), 0.0), seen.astype(np.float64)


class ClassScore(TargetScore[TargetBase, ClassStatistics, ClassOutcome]):
    """Of a target with one of several classes."""

    def classes(self, statistics: ClassStatistics) -> list[str]:
        """Its classes."""
        return statistics.classes

    def truths(self, name: str, raw: Arrays) -> list[Any]:
        """Labels; the empty one is missing."""
        return [value.decode() or None for value in raw[name]]

    def truth_column(self, name: str, truths: Sequence[Any]) -> pl.Series:
        """Labels."""
        return pl.Series(f"{name}.true", truths, dtype=pl.String)

    def prediction_columns(self, name: str, statistics: ClassStatistics, arrays: Arrays) -> list[pl.Series]:
        """The label, and a probability per class."""
        labels = [label.decode() for label in arrays[name]]
        predicted = pl.Series(f"{name}.predicted", labels, dtype=pl.String)
        return [predicted, *probability_columns(name, statistics.classes, arrays)]

    def outcome(self, name: str, statistics: ClassStatistics, known: pl.DataFrame) -> ClassOutcome:
        """With labels as indices."""
        classes = statistics.classes
        true, predicted = (places(known[f"{name}.{column}"], classes) for column in ("true", "predicted"))
        return ClassOutcome(statistics.kind, true, predicted, probabilities_of(name, classes, known))

    def baseline(self, statistics: ClassStatistics, outcome: ClassOutcome) -> ClassOutcome:
        """The train rows' class frequencies, by their row weights, of which the largest is predicted."""
        rows = len(outcome)
        shares = np.array(statistics.mass) / sum(statistics.mass)
        predicted = np.full(rows, int(np.argmax(shares)))
        return replace(outcome, predicted=predicted, probabilities=np.tile(shares, (rows, 1)))

    def confusion(self, statistics: ClassStatistics, outcome: ClassOutcome) -> list[list[int]]:
        """Labels that no train row has are left out."""
        classes = len(statistics.classes)
        counts = np.zeros((classes, classes), np.int64)
        seen = ~outcome.never_seen()
        np.add.at(counts, (outcome.true[seen], outcome.predicted[seen]), 1)
        result: list[list[int]] = counts.tolist()
        return result

    def suspects(self, statistics: ClassStatistics, outcome: ClassOutcome) -> list[Suspect]:
        """By confident learning."""
        rows, classes = contradicted(outcome.true, outcome.probabilities)
        names, scores = statistics.classes, outcome.probabilities[rows, classes]
        return [
            Suspect(row, None, names[outcome.true[row]], names[other], score)
            for row, other, score in zip(rows.tolist(), classes.tolist(), scores.tolist(), strict=True)
        ]

    def notes(self, target: TargetBase, outcome: ClassOutcome) -> list[str]:
        """How labels count that no train row has."""
        unseen = int(outcome.never_seen().sum())
        if not unseen:
            return []
        return [
            f"{unseen} test rows have a label that no train row has: they count as wrong in accuracy and F1 and are "
            "left out of log_loss and the confusion matrix"
        ]


CLASS_MEASURES: tuple[Measure[ProbabilityOutcome], ...] = (
    ACCURACY_MEASURE,
    Measure(
        BALANCED_ACCURACY,
        lambda outcome: float(
            sk.balanced_accuracy_score(outcome.true, outcome.predicted, sample_weight=outcome.weights)
        ),
        MEAN_RECALL,
    ),
    Measure(
        MACRO_F1,
        lambda outcome: float(
            sk.f1_score(
                outcome.true, outcome.predicted, average="macro", zero_division=0, sample_weight=outcome.weights
            )
        ),
        MEAN_F1,
    ),
    LOG_LOSS_MEASURE,
)
"""How the metrics of classes are computed; the areas under curves differ between two classes and more."""
