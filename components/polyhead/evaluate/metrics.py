"""Exact metrics of one head, from its predictions, with scikit-learn.

Keras' own metrics approximate (its AUC by thresholds) and average over batches; no reported number comes from them.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn import metrics as sk

from polyhead.kinds.union import METRICS

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_SMALLEST_PROBABILITY = 1e-7


@dataclass(frozen=True)
class Outcome:
    """One head on n rows whose target is known.

    Attributes:
        kind: The target's kind.
        true: binary, multiclass: class index int64 (n,), -1 for a label that the train rows do not hold;
            multilabel: 0/1 int64 (n, labels); regression: float64 (n,).
        predicted: As `true`.
        probabilities: float64 (n, classes) or (n, labels); None for regression.
        log_scale: Whether the regression target is learned as a logarithm.
        unseen: Of multilabel, bool (n,): rows whose set has a label that the train rows do not hold. Default: none.
    """

    kind: str
    true: NDArray[np.generic]
    predicted: NDArray[np.generic]
    probabilities: Floats | None = None
    log_scale: bool = False
    unseen: NDArray[np.bool_] | None = None

    def rows(self, chosen: Ints) -> Outcome:
        """The outcome on some of the rows, repeats allowed."""
        probabilities = None if self.probabilities is None else self.probabilities[chosen]
        unseen = None if self.unseen is None else self.unseen[chosen]
        return Outcome(self.kind, self.true[chosen], self.predicted[chosen], probabilities, self.log_scale, unseen)


def measure(outcome: Outcome, names: tuple[str, ...] | None = None) -> dict[str, float | None]:
    """All metrics of a head.

    Args:
        outcome: Its predictions.
        names: The metrics wanted. Default: all of its kind, see `polyhead.kinds.union.METRICS`.

    Returns:
        By name; None where a metric is not defined on these rows (no rows, the ROC AUC of a single class, or a
        prediction that is no finite number).
        accuracy of multilabel is the share of rows with every label right. macro_f1 averages over the classes or
        labels that occur as true or predicted. A label that the train rows do not hold counts as missed: its row is
        wrong in accuracy, and macro_f1 has one more class or label, whose F1 is 0. log_loss clips probabilities at
        1e-7 and leaves unseen labels out.
        roc_auc of multiclass is one against the rest, averaged over the classes that occur. mape is in percent.
        r2_transformed is on the scale that the head learns.
    """
    return {name: _one(name, outcome) for name in names or METRICS[outcome.kind]}


def row_losses(outcome: Outcome) -> tuple[Floats, Floats]:
    """Each row's log loss, float64 (n,), and whether it counts, 1 or 0: a label that no train row has does not."""
    assert outcome.probabilities is not None
    if outcome.kind == "multilabel":
        p = np.clip(outcome.probabilities, _SMALLEST_PROBABILITY, 1 - _SMALLEST_PROBABILITY)
        return -np.where(outcome.true == 1, np.log(p), np.log1p(-p)).mean(1), np.ones(len(p))
    true = outcome.true.astype(np.int64)
    seen = true >= 0
    chosen = outcome.probabilities[np.arange(len(true)), np.where(seen, true, 0)]
    return np.where(seen, -np.log(np.clip(chosen, _SMALLEST_PROBABILITY, 1.0)), 0.0), seen.astype(np.float64)


def learned_scale(outcome: Outcome) -> tuple[Floats, Floats]:
    """True and predicted numbers, float64 (n,), on the scale that the head learns."""
    true, predicted = outcome.true.astype(np.float64), outcome.predicted.astype(np.float64)
    if outcome.log_scale:
        return np.log(true), np.log(np.maximum(predicted, np.finfo(np.float32).tiny))
    return true, predicted


def _one(name: str, outcome: Outcome) -> float | None:
    numbers = outcome.predicted if outcome.probabilities is None else outcome.probabilities
    if len(outcome.true) == 0 or not np.isfinite(numbers).all():
        return None
    family = {"binary": _CLASSES, "multiclass": _CLASSES, "multilabel": _LABELS, "regression": _NUMBERS}[outcome.kind]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn warns where this module returns None
        value = family[name](outcome)
    return float(value) if value is not None and np.isfinite(value) else None


def _class_f1(outcome: Outcome) -> float:
    return float(sk.f1_score(outcome.true, outcome.predicted, average="macro", zero_division=0))


def _log_loss(outcome: Outcome) -> float | None:
    losses, counted = row_losses(outcome)
    return float(losses.sum() / counted.sum()) if counted.any() else None


def _class_roc_auc(outcome: Outcome) -> float | None:
    assert outcome.probabilities is not None
    if outcome.kind == "binary":
        return _auc(outcome.true == 1, outcome.probabilities[:, 1], sk.roc_auc_score)
    each = [
        _auc(outcome.true == index, outcome.probabilities[:, index], sk.roc_auc_score)
        for index in range(outcome.probabilities.shape[1])
    ]
    return _mean(each)


def _auc(true: NDArray[np.bool_], scores: Floats, score: Callable[..., float]) -> float | None:
    return float(score(true, scores)) if true.any() and not true.all() else None


def _mean(values: list[float | None]) -> float | None:
    defined = [value for value in values if value is not None]
    return float(np.mean(defined)) if defined else None


def _label_f1(outcome: Outcome) -> float | None:
    occurs = (outcome.true.sum(0) + outcome.predicted.sum(0)) > 0
    scores: list[float] = [0.0] if rows_unseen(outcome).any() else []
    if occurs.any():
        true, predicted = outcome.true[:, occurs], outcome.predicted[:, occurs]
        scores += list(sk.f1_score(true, predicted, average=None, zero_division=0))
    return float(np.mean(scores)) if scores else None


def rows_right(outcome: Outcome) -> NDArray[np.bool_]:
    """Whether each row's class, or every label of its set, is predicted, bool (n,). A label not seen is never right."""
    right: NDArray[np.bool_] = np.equal(outcome.true, outcome.predicted)
    return (right.all(1) if right.ndim > 1 else right) & ~rows_unseen(outcome)


def rows_unseen(outcome: Outcome) -> NDArray[np.bool_]:
    """Rows with a class or label that no train row has, bool (n,)."""
    if outcome.kind == "multilabel":
        return np.zeros(len(outcome.true), bool) if outcome.unseen is None else outcome.unseen
    unseen: NDArray[np.bool_] = np.equal(outcome.true, -1)
    return unseen


def _by_label(score: Callable[..., float]) -> Callable[[Outcome], float | None]:
    def measure_labels(outcome: Outcome) -> float | None:
        assert outcome.probabilities is not None
        columns = range(outcome.true.shape[1])
        return _mean([_auc(outcome.true[:, i] == 1, outcome.probabilities[:, i], score) for i in columns])

    return measure_labels


def _r2(true: Floats, predicted: Floats) -> float | None:
    return float(sk.r2_score(true, predicted)) if len(true) > 1 and np.ptp(true) > 0 else None


def _mape(outcome: Outcome) -> float | None:
    true = outcome.true.astype(np.float64)
    nonzero = true != 0
    if not nonzero.any():
        return None
    return float(100 * np.abs((outcome.predicted[nonzero] - true[nonzero]) / true[nonzero]).mean())


Measure = Callable[[Outcome], float | None]

_CLASSES: dict[str, Measure] = {
    "accuracy": lambda o: float(rows_right(o).mean()),
    "balanced_accuracy": lambda o: float(sk.balanced_accuracy_score(o.true, o.predicted)),
    "macro_f1": _class_f1,
    "log_loss": _log_loss,
    "roc_auc": _class_roc_auc,
    "pr_auc": lambda o: _auc(o.true == 1, o.probabilities[:, 1], sk.average_precision_score),  # type: ignore[index]
}
_LABELS: dict[str, Measure] = {
    "accuracy": lambda o: float(rows_right(o).mean()),
    "macro_f1": _label_f1,
    "log_loss": _log_loss,
    "roc_auc": _by_label(sk.roc_auc_score),
    "pr_auc": _by_label(sk.average_precision_score),
}
_NUMBERS: dict[str, Measure] = {
    "r2": lambda o: _r2(o.true, o.predicted),  # type: ignore[arg-type]
    "r2_transformed": lambda o: _r2(*learned_scale(o)),
    "mae": lambda o: float(np.abs(o.true - o.predicted).mean()),  # type: ignore[operator]
    "rmse": lambda o: float(np.sqrt(((o.true - o.predicted) ** 2).mean())),  # type: ignore[operator]
    "mape": _mape,
}
