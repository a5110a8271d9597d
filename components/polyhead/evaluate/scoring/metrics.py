"""Exact metrics of one head, from its predictions."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable

from polyhead.kinds.protocols.score import Outcome
from polyhead.kinds.scores import SCORES


def measure(outcome: Outcome, names: Iterable[str] | None = None) -> dict[str, float | None]:
    """All metrics of a head.

    Args:
        outcome: Its predictions, and the row weights, if the metrics are to be weighted: as scikit-learn's
            `sample_weight`.
        names: The metrics wanted. Default: all of its kind.

    Returns:
        By name, in the order asked for or that of the reports; None where a metric is not defined on these rows (no
        rows, the ROC AUC of a single class, or a prediction that is not a finite number).
        accuracy of multilabel is the share of rows with every label right. macro_f1 averages over the classes or
        labels that occur as true or predicted, weighted_f1 by the rows that have them; f1 is that of the positive
        class. A label that the train rows do not hold counts as missed: its row is wrong in accuracy, and macro_f1 has
        one more class or label, whose F1 is 0. log_loss clips probabilities at 1e-7; it and brier leave unseen labels
        out. brier is the sum of squared errors over classes, half of it for two, their mean over labels. mcc is None
        where all rows have one class, and 0 where all are predicted alike. top_3_accuracy is None of three classes or
        fewer; of equal probabilities the last one counts as larger, as in scikit-learn.
        roc_auc of multiclass is one against the rest, averaged over the classes that occur. mape is in percent.
        r2_transformed is on the scale that the head learns. d2 is 1 minus a loss over that of the best constant on
        these rows: absolute errors of regression, Poisson's deviance of count, the pinball loss of quantile. Of
        ordinal, mae is in ranks, and qwk and mae leave unseen labels out. pinball is the mean over levels, and coverage
        the share of rows from the lowest to the highest quantile; with one level it is None.
    """
    return {name: _one(name, outcome) for name in names or SCORES[outcome.kind].measures}


def _one(name: str, outcome: Outcome) -> float | None:
    if len(outcome) == 0 or not outcome.finite or (outcome.weights is not None and not outcome.weights.any()):
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn warns where a metric is not defined
        value = SCORES[outcome.kind].measures[name].value(outcome)
    return float(value) if value is not None and math.isfinite(value) else None
