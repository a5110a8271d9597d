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

from polyhead.contracts.targets import METRICS

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_SMALLEST_PROBABILITY = 1e-7
_INTERVAL = (2.5, 97.5)


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
        names: The metrics wanted. Default: all of its kind, see `polyhead.contracts.targets.METRICS`.

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


def intervals(outcome: Outcome, resamples: int, seed: int) -> dict[str, tuple[float, float] | None]:
    """95 % percentile bootstrap intervals of all metrics.

    Args:
        outcome: The predictions.
        resamples: How many times the rows are drawn with replacement; 0 gives None everywhere.
        seed: Of the drawing.

    Returns:
        (low, high) by metric; None where fewer than nine tenths of the resamples define it.
    """
    names = METRICS[outcome.kind]
    n = len(outcome.true)
    if resamples == 0 or n == 0:
        return dict.fromkeys(names)
    generator = np.random.default_rng(seed)
    drawn = [measure(outcome.rows(generator.integers(0, n, n))) for _ in range(resamples)]
    result: dict[str, tuple[float, float] | None] = {}
    for name in names:
        values = [value for sample in drawn if (value := sample[name]) is not None]
        if 10 * len(values) < 9 * resamples:
            result[name] = None
        else:
            low, high = np.percentile(values, _INTERVAL)
            result[name] = (float(low), float(high))
    return result


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


def _class_log_loss(outcome: Outcome) -> float | None:
    assert outcome.probabilities is not None
    true = outcome.true.astype(np.int64)
    seen = true >= 0
    if not seen.any():
        return None
    chosen = outcome.probabilities[seen, true[seen]]
    return float(-np.log(np.clip(chosen, _SMALLEST_PROBABILITY, 1.0)).mean())


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
    scores: list[float] = [0.0] if _unseen(outcome).any() else []
    if occurs.any():
        true, predicted = outcome.true[:, occurs], outcome.predicted[:, occurs]
        scores += list(sk.f1_score(true, predicted, average=None, zero_division=0))
    return float(np.mean(scores)) if scores else None


def _label_accuracy(outcome: Outcome) -> float:
    return float(((outcome.true == outcome.predicted).all(1) & ~_unseen(outcome)).mean())


def _unseen(outcome: Outcome) -> NDArray[np.bool_]:
    return np.zeros(len(outcome.true), bool) if outcome.unseen is None else outcome.unseen


def _label_log_loss(outcome: Outcome) -> float:
    assert outcome.probabilities is not None
    p = np.clip(outcome.probabilities, _SMALLEST_PROBABILITY, 1 - _SMALLEST_PROBABILITY)
    return float(-np.where(outcome.true == 1, np.log(p), np.log1p(-p)).mean())


def _by_label(score: Callable[..., float]) -> Callable[[Outcome], float | None]:
    def measure_labels(outcome: Outcome) -> float | None:
        assert outcome.probabilities is not None
        columns = range(outcome.true.shape[1])
        return _mean([_auc(outcome.true[:, i] == 1, outcome.probabilities[:, i], score) for i in columns])

    return measure_labels


def _r2(true: Floats, predicted: Floats) -> float | None:
    return float(sk.r2_score(true, predicted)) if len(true) > 1 and np.ptp(true) > 0 else None


def _r2_transformed(outcome: Outcome) -> float | None:
    true, predicted = outcome.true.astype(np.float64), outcome.predicted.astype(np.float64)
    if outcome.log_scale:
        true, predicted = np.log(true), np.log(np.maximum(predicted, np.finfo(np.float32).tiny))
    return _r2(true, predicted)


def _mape(outcome: Outcome) -> float | None:
    true = outcome.true.astype(np.float64)
    nonzero = true != 0
    if not nonzero.any():
        return None
    return float(100 * np.abs((outcome.predicted[nonzero] - true[nonzero]) / true[nonzero]).mean())


Measure = Callable[[Outcome], float | None]

_CLASSES: dict[str, Measure] = {
    "accuracy": lambda o: float((o.true == o.predicted).mean()),
    "balanced_accuracy": lambda o: float(sk.balanced_accuracy_score(o.true, o.predicted)),
    "macro_f1": _class_f1,
    "log_loss": _class_log_loss,
    "roc_auc": _class_roc_auc,
    "pr_auc": lambda o: _auc(o.true == 1, o.probabilities[:, 1], sk.average_precision_score),  # type: ignore[index]
}
_LABELS: dict[str, Measure] = {
    "accuracy": _label_accuracy,
    "macro_f1": _label_f1,
    "log_loss": _label_log_loss,
    "roc_auc": _by_label(sk.roc_auc_score),
    "pr_auc": _by_label(sk.average_precision_score),
}
_NUMBERS: dict[str, Measure] = {
    "r2": lambda o: _r2(o.true, o.predicted),  # type: ignore[arg-type]
    "r2_transformed": _r2_transformed,
    "mae": lambda o: float(np.abs(o.true - o.predicted).mean()),  # type: ignore[operator]
    "rmse": lambda o: float(np.sqrt(((o.true - o.predicted) ** 2).mean())),  # type: ignore[operator]
    "mape": _mape,
}
