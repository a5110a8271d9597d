"""How the intervals or sets of a head held on the test rows."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from polyhead.contracts.bundle import Conformity
from polyhead.contracts.evaluation import Conformal, Interval
from polyhead.intervals.shares import clopper_pearson
from polyhead.kinds.protocols.score import Outcome


def conformal_of(outcome: Outcome, conformity: Conformity | None) -> Conformal | None:
    """The share of true values that they held, with its exact interval, and their mean size.

    Args:
        outcome: The head on rows whose target is known.
        conformity: Of the bundle.

    Returns:
        None where the head has none, or where there are no rows or no finite predictions.
    """
    if conformity is None or outcome.covered is None or outcome.sizes is None:
        return None
    if not len(outcome) or not outcome.finite or not np.isfinite(outcome.sizes).all():
        return None
    hits, rows = int(outcome.covered.sum()), len(outcome)
    low, high = clopper_pearson(hits, rows)
    return Conformal(
        level=conformity.level,
        coverage=hits / rows,
        interval=Interval(low=low, high=high, method="Clopper-Pearson"),
        size=float(outcome.sizes.mean()),
        calibrated_on=conformity.rows,
    )


def least_held(of_parts: Mapping[str, Conformal]) -> Conformal | None:
    """That of the part whose intervals held the smallest share; None where there is none."""
    return min(of_parts.values(), key=lambda one: one.coverage, default=None)
