"""The scores that binary, multiclass and ordinal targets share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn import metrics as sk

from polyhead.contracts.evaluation import ClassRow, Reliability
from polyhead.errors import counted
from polyhead.intervals.method import Booleans, Floats
from polyhead.intervals.shares import Estimate, Shares, by_influence
from polyhead.kinds.base import TargetBase
from polyhead.kinds.metrics import ACCURACY, BALANCED_ACCURACY, MACRO_F1, MCC, ROC_AUC
from polyhead.kinds.protocols.score import Arrays, Measure, TargetScore
from polyhead.kinds.suspects import Suspect, contradicted
from polyhead.kinds.targets.classes import ClassStatistics
from polyhead.kinds.targets.probabilities import (
    ACCURACY_MEASURE,
    BRIER_MEASURE,
    LOG_LOSS_MEASURE,
    MEAN_F1,
    MEAN_RECALL,
    SMALLEST_PROBABILITY,
    Loss,
    ProbabilityOutcome,
    label_lists,
    places,
    probabilities_of,
    probability_columns,
)
from polyhead.kinds.targets.reliability import per_class, reliability

FEWEST_OTHERS = 10


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

    def squares(self) -> tuple[Floats, Floats]:
        """The sum over classes of squared errors, half of it for two; a class that no train row has does not count."""
        true, seen = self.true.astype(np.int64), ~self.never_seen()
        chosen = self._squares()[np.arange(len(true)), np.where(seen, true, 0)]
        return np.where(seen, chosen, 0.0), seen.astype(np.float64)

    def imagined(self, loss: Loss) -> tuple[Floats, Floats]:
        """Over the classes, by their probabilities."""
        p = np.clip(self.probabilities, SMALLEST_PROBABILITY, 1.0)
        each = -np.log(p) if loss == "log" else self._squares()
        return (p * each).sum(1), (p * each**2).sum(1)

    def _squares(self) -> Floats:
        """The Brier score that each class would give a row, (n, classes)."""
        p = self.probabilities
        found: Floats = ((p**2).sum(1, keepdims=True) - 2 * p + 1) / (2 if p.shape[1] == 2 else 1)
        return found


def _covered_by_set(name: str, known: pl.DataFrame) -> dict[str, Any]:
    """`covered` and `sizes` of an outcome, where the table has sets of the target."""
    if f"{name}.set" not in known.columns:
        return {}
    sets, true = pl.col(f"{name}.set"), pl.col(f"{name}.true")
    found = known.select(covered=sets.list.contains(true).fill_null(value=False), sizes=sets.list.len())
    return {"covered": found["covered"].to_numpy(), "sizes": found["sizes"].cast(pl.Float64).to_numpy()}


class ClassScore(TargetScore[TargetBase, ClassStatistics, ClassOutcome]):
    """Of a target with one of several classes."""

    def headline(self, statistics: ClassStatistics) -> str:
        """In place of accuracy the area under the ROC curve, where accuracy is high for who looks at nothing.

        It does not hang on how frequent the classes are, as that under the curve of precision and recall does, so
        slices and test rows of another time can be held against each other.
        """
        first = super().headline(statistics)
        is_high = first == ACCURACY.name and statistics.lopsided
        return ROC_AUC.name if is_high and ROC_AUC.name in self.measures else first

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
        """The label, the set of labels, and a probability per class."""
        labels = [label.decode() for label in arrays[name]]
        predicted = pl.Series(f"{name}.predicted", labels, dtype=pl.String)
        sets = []
        if (near := arrays.get(f"{name}__set")) is not None:
            words = pl.Series(statistics.classes, dtype=pl.String)[np.nonzero(near)[1]]
            sets = [label_lists(f"{name}.set", words, near.sum(1), np.zeros(len(near), bool))]
        return [predicted, *sets, *probability_columns(name, statistics.classes, arrays)]

    def outcome(self, name: str, statistics: ClassStatistics, known: pl.DataFrame) -> ClassOutcome:
        """With labels as indices."""
        classes = statistics.classes
        true, predicted = (places(known[f"{name}.{column}"], classes) for column in ("true", "predicted"))
        probabilities = probabilities_of(name, classes, known)
        return ClassOutcome(statistics.kind, true, predicted, probabilities, **_covered_by_set(name, known))

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

    def per_class(self, statistics: ClassStatistics, outcome: ClassOutcome) -> list[ClassRow]:
        """By class."""
        return per_class(statistics.classes, outcome)

    def reliability(self, statistics: ClassStatistics, outcome: ClassOutcome) -> list[Reliability]:
        """Of the positive class; with more than two classes of the one that is predicted, whichever it is."""
        if statistics.kind == "binary":
            return reliability([(statistics.classes[1], outcome.true == 1, outcome.probabilities[:, 1])])
        chosen = np.take_along_axis(outcome.probabilities, outcome.predicted.astype(np.int64)[:, None], 1)[:, 0]
        return reliability([("", outcome.right(), chosen)])

    def suspects(self, target: TargetBase, statistics: ClassStatistics, outcome: ClassOutcome) -> list[Suspect]:
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


def _codes(values: NDArray[Any], classes: int) -> NDArray[np.int64]:
    """Class indices; what no train row has is one class more."""
    codes = values.astype(np.int64)
    return np.where(codes < 0, classes, codes)


def _correlation(outcome: ClassOutcome) -> Estimate | str:
    """Matthews' for any number of classes (J. Gorodkin, Comput. Biol. Chem. 28, 2004), with each row's influence."""
    classes = outcome.probabilities.shape[1]
    true, said = _codes(outcome.true, classes), _codes(outcome.predicted, classes)
    right = (true == said).astype(np.float64)
    has, names = (np.bincount(codes, minlength=classes + 1) / len(right) for codes in (true, said))
    of_true, of_said = 1 - float((has**2).sum()), 1 - float((names**2).sum())
    if of_true <= 0:
        return "all rows have the same class"
    if of_said <= 0:
        return Estimate(0.0, 0.0, 0.0, np.zeros(len(right)))
    both = float((has * names).sum())
    spread = math.sqrt(of_true * of_said)
    value = (float(right.mean()) - both) / spread
    gained = right - right.mean() - (has[said] + names[true] - 2 * both)
    lost = (has[true] - (1 - of_true)) / of_true + (names[said] - (1 - of_said)) / of_said
    influence = gained / spread + value * lost
    return by_influence(value, influence, lowest=-1.0, certain=math.ceil(len(right) * of_true))


def _mcc(outcome: ClassOutcome) -> float | None:
    true = outcome.true if outcome.weights is None else outcome.true[outcome.weights > 0]
    if (true == true[0]).all():
        return None
    return float(sk.matthews_corrcoef(outcome.true, outcome.predicted, sample_weight=outcome.weights))


def _one_sided(outcome: ClassOutcome) -> str:
    """Doubts a correlation where nearly all rows have one class, or are said to."""
    for what, indicators in zip(("have", "are said to have"), outcome.sets(), strict=True):
        others = len(outcome) - int(indicators.sum(0).max())
        if others < FEWEST_OTHERS:
            return (
                f"{counted(others, 'row')} {what} another class than the commonest, an interval needs {FEWEST_OTHERS}"
            )
    return ""


def _one_sided_if_varied(outcome: ClassOutcome) -> str:
    """A head that says the same of every row has a correlation of 0 without doubt."""
    return "" if (outcome.predicted == outcome.predicted[:1]).all() else _one_sided(outcome)


MCC_MEASURE = Measure[ClassOutcome](
    MCC,
    _mcc,
    Shares(
        name="Wilson by influence",
        estimate=_correlation,
        doubt=_one_sided,
        doubt_of_sign=_one_sided_if_varied,
        lowest=-1.0,
    ),
)

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
    BRIER_MEASURE,
)
"""How the metrics of classes are computed; the areas under curves differ between two classes and more."""
