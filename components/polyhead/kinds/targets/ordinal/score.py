"""The scores of ordinal targets."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from sklearn import metrics as sk

from polyhead.intervals.bootstrap import Bootstrap, Smooth, ratio
from polyhead.intervals.method import Floats
from polyhead.kinds.base import TargetBase
from polyhead.kinds.metrics import MAE, QWK
from polyhead.kinds.protocols.score import Measure
from polyhead.kinds.targets.class_score import ClassOutcome, ClassScore
from polyhead.kinds.targets.classes import ClassStatistics
from polyhead.kinds.targets.ordinal.config import OrdinalTarget
from polyhead.kinds.targets.probabilities import ACCURACY_MEASURE, BRIER_MEASURE, LOG_LOSS_MEASURE


class OrdinalScore(ClassScore):
    """Of a target with one of several ordered classes."""

    def baseline(self, statistics: ClassStatistics, outcome: ClassOutcome) -> ClassOutcome:
        """The train rows' class frequencies, of which the median is predicted, as the head does."""
        said = super().baseline(statistics, outcome)
        mass = np.array(statistics.mass)
        median = int((2 * mass.cumsum()[:-1] < mass.sum()).sum())
        return replace(said, predicted=np.full(len(outcome), median))

    def notes(self, target: TargetBase, outcome: ClassOutcome) -> list[str]:
        """How labels count that no train row has."""
        if not (unseen := int(outcome.never_seen().sum())):
            return []
        return [
            f"{unseen} test rows have a label that no train row has: they count as wrong in accuracy and are left out "
            "of the other metrics and the confusion matrix"
        ]


def _ranks(outcome: ClassOutcome) -> tuple[Floats, Floats, Floats]:
    """True and predicted ranks from 0, and whether a row counts, 1 or 0: not where no train row has its class."""
    seen = (~outcome.never_seen()).astype(np.float64)
    return outcome.true * seen, outcome.predicted * seen, seen


def _seen(outcome: ClassOutcome) -> int:
    return int((~outcome.never_seen()).sum())


def _qwk(outcome: ClassOutcome) -> float | None:
    seen = ~outcome.never_seen()
    weights = None if outcome.weights is None else outcome.weights[seen]
    if not (seen if weights is None else weights).any():
        return None
    labels = list(range(outcome.probabilities.shape[1]))
    ranks = outcome.true[seen], outcome.predicted[seen]
    return float(sk.cohen_kappa_score(*ranks, labels=labels, weights="quadratic", sample_weight=weights))


def _disagreement(outcome: ClassOutcome) -> Smooth:
    """1 minus the kappa: the mean squared distance over what it were if true and predicted ranks were shuffled."""
    true, predicted, seen = _ranks(outcome)

    def shuffled(m: Floats) -> Floats:
        found: Floats = m[..., 1] - 2 * m[..., 2] * m[..., 3] / m[..., 4]
        return found

    def gradient(m: Floats) -> Floats:
        expected = shuffled(m)
        slope = -m[..., 0] / expected**2
        true, predicted = m[..., 2] / m[..., 4], m[..., 3] / m[..., 4]
        return np.stack(
            [1 / expected, slope, -2 * slope * predicted, -2 * slope * true, 2 * slope * true * predicted], -1
        )

    terms = np.stack([(true - predicted) ** 2, true**2 + predicted**2, true, predicted, seen], 1)
    return Smooth(terms, lambda m: m[..., 0] / shuffled(m), gradient)


def _agreement_gain(outcome: ClassOutcome, baseline: ClassOutcome) -> Smooth:
    """The baseline's disagreement minus the head's."""
    own, other = _disagreement(outcome), _disagreement(baseline)
    at = own.terms.shape[1]
    return Smooth(
        np.concatenate([own.terms, other.terms], 1),
        lambda m: other.function(m[..., at:]) - own.function(m[..., :at]),
        lambda m: np.concatenate([-own.gradient(m[..., :at]), other.gradient(m[..., at:])], -1),
    )


def _distance(outcome: ClassOutcome) -> Smooth:
    true, predicted, seen = _ranks(outcome)
    return ratio(np.abs(true - predicted), seen)


def _distance_gain(outcome: ClassOutcome, baseline: ClassOutcome) -> Smooth:
    true, predicted, seen = _ranks(outcome)
    return ratio(np.abs(true - predicted) - np.abs(true - _ranks(baseline)[1]), seen)


def _mae(outcome: ClassOutcome) -> float | None:
    true, predicted, seen = _ranks(outcome)
    counts = seen if outcome.weights is None else seen * outcome.weights
    return float(np.average(np.abs(true - predicted), weights=counts)) if counts.any() else None


SCORE = OrdinalScore(
    OrdinalTarget.METRICS,
    [
        Measure(
            QWK,
            _qwk,
            Bootstrap(error=_disagreement, back=lambda x: 1 - math.exp(x), gain=_agreement_gain),
            rows=_seen,
        ),
        Measure(MAE, _mae, Bootstrap(error=_distance, back=math.exp, gain=_distance_gain), rows=_seen),
        ACCURACY_MEASURE,
        LOG_LOSS_MEASURE,
        BRIER_MEASURE,
    ],
)
