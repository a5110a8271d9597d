"""The scores of binary targets."""

from __future__ import annotations

import numpy as np
from sklearn import metrics as sk

from polyhead.intervals.shares import Estimate, Shares
from polyhead.kinds.metrics import F1
from polyhead.kinds.protocols.score import Measure
from polyhead.kinds.targets.binary.config import BinaryTarget
from polyhead.kinds.targets.class_score import CLASS_MEASURES, MCC_MEASURE, ClassOutcome, ClassScore
from polyhead.kinds.targets.probabilities import FEWEST_OF_CLASS, PR, ROC, f1_of, rare


def _f1(outcome: ClassOutcome) -> float | None:
    counted = np.ones(len(outcome), bool) if outcome.weights is None else outcome.weights > 0
    true, predicted = outcome.true == 1, outcome.predicted == 1
    if not (true | predicted)[counted].any():
        return None
    return float(sk.f1_score(true, predicted, zero_division=0, sample_weight=outcome.weights))


def _estimate(outcome: ClassOutcome, *, certain: bool = False) -> Estimate | str:
    found = f1_of(outcome.true == 1, outcome.predicted == 1, certain=certain)
    return "no row is positive" if found is None else found


def _certain(baseline: ClassOutcome) -> Estimate | str:
    """A baseline that never says yes has an F1 of 0 and no doubt about it."""
    return _estimate(baseline, certain=True)


SCORE = ClassScore(
    BinaryTarget.METRICS,
    [
        *CLASS_MEASURES,
        Measure(F1, _f1, Shares(name="Wilson", estimate=_estimate, certain=_certain, doubt=rare(FEWEST_OF_CLASS))),
        MCC_MEASURE,
        ROC.of_positive(),
        PR.of_positive(),
    ],
)
