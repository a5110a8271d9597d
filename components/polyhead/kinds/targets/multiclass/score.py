"""The scores of multiclass targets."""

from __future__ import annotations

import numpy as np

from polyhead.intervals.method import Booleans
from polyhead.intervals.shares import Estimate, Shares, share
from polyhead.kinds.metrics import TOP_3_ACCURACY
from polyhead.kinds.protocols.score import Measure
from polyhead.kinds.targets.class_score import CLASS_MEASURES, MCC_MEASURE, ClassOutcome, ClassScore
from polyhead.kinds.targets.multiclass.config import MulticlassTarget
from polyhead.kinds.targets.probabilities import FEWEST_FOR_SHARE, ROC, WEIGHTED_F1_MEASURE

_TOP = 3


def _among_top(outcome: ClassOutcome) -> Booleans:
    """Whether a row's class is one of the three most probable, of equal ones the last, as in scikit-learn; (n,)."""
    top = np.argsort(outcome.probabilities, axis=1, kind="stable")[:, : -_TOP - 1 : -1]
    found: Booleans = (top == outcome.true[:, None]).any(1)
    return found


def _value(outcome: ClassOutcome) -> float | None:
    if outcome.probabilities.shape[1] <= _TOP:
        return None
    return float(np.average(_among_top(outcome), weights=outcome.weights))


def _estimate(outcome: ClassOutcome) -> Estimate:
    return share(_among_top(outcome))


SCORE = ClassScore(
    MulticlassTarget.METRICS,
    [
        *CLASS_MEASURES,
        Measure(TOP_3_ACCURACY, _value, Shares(name="Wilson", estimate=_estimate, fewest_rows=FEWEST_FOR_SHARE)),
        WEIGHTED_F1_MEASURE,
        MCC_MEASURE,
        ROC.over_all(),
    ],
)
