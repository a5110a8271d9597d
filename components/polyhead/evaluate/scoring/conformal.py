"""How the intervals or sets of a head held on the test rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from polyhead.contracts.bundle import Conformity
from polyhead.contracts.evaluation import Conformal
from polyhead.contracts.gate import CONFORMAL_COVERAGE
from polyhead.evaluate.scoring.comparing import limits_of
from polyhead.intervals.method import Floats, Resamples
from polyhead.intervals.shares import Estimate, Shares, clopper_pearson
from polyhead.kinds.metrics import GATE_METRICS
from polyhead.kinds.protocols.score import Measure, Outcome

_NOTHING_DRAWN = Resamples(0, 0, 0)


def coverage(outcome: Outcome) -> float | None:
    """The share of true values that the intervals or sets of a head held, by its row weights where it has any.

    Returns:
        None where the head has none, or where no row counts.
    """
    counts = len(outcome) if outcome.weights is None else outcome.weights.any()
    return (
        float(np.average(outcome.covered, weights=outcome.weights)) if outcome.covered is not None and counts else None
    )


def _exact(outcome: Outcome) -> Estimate:
    assert outcome.covered is not None
    held = outcome.covered.astype(np.float64)
    return Estimate(held.mean(), *clopper_pearson(int(held.sum()), len(held)), held - held.mean())


_COVERAGE = Measure(
    GATE_METRICS[CONFORMAL_COVERAGE], coverage, Shares(name="Clopper-Pearson", estimate=_exact, fewest_rows=1)
)


def conformal_of(outcome: Outcome, conformity: Conformity | None, weights: Floats | None = None) -> Conformal | None:
    """The share of true values that they held, with its exact interval, and their mean size.

    Args:
        outcome: The head on rows whose target is known.
        conformity: Of the bundle.
        weights: Row weights, of the same rows. Default: there are none.

    Returns:
        None where the head has none, or where there are no rows or no finite predictions.
    """
    if conformity is None or outcome.covered is None or outcome.sizes is None:
        return None
    held = coverage(outcome)
    if held is None or not outcome.finite or not np.isfinite(outcome.sizes).all():
        return None
    return Conformal(
        level=conformity.level,
        coverage=held,
        interval=limits_of(_COVERAGE, outcome, _NOTHING_DRAWN),
        size=float(np.average(outcome.sizes, weights=outcome.weights)),
        calibrated_on=conformity.rows,
        weighted=None if weights is None else conformal_of(replace(outcome, weights=weights), conformity),
    )


def least_held(of_parts: Mapping[str, Conformal]) -> Conformal | None:
    """That of the part whose intervals held the smallest share; None where there is none."""
    return min(of_parts.values(), key=lambda one: one.coverage, default=None)
