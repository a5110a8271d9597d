"""Logits to predictions in the table's terms."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import expit, softmax

from polyhead.contracts.preprocessing import Fitted, Preprocessing
from polyhead.kinds.targets.classes import ClassStatistics
from polyhead.kinds.targets.multilabel.config import LabelStatistics
from polyhead.kinds.targets.regression.config import RegressionStatistics
from polyhead.kinds.union import TARGETS, TargetStatistics


def classes(kind: Any, *labels: str) -> ClassStatistics:
    return ClassStatistics(kind=kind, classes=list(labels), counts=[2] * len(labels), missing=0)


def labels(*names: str) -> LabelStatistics:
    return LabelStatistics(labels=list(names), counts=[1] * len(names), rows=4, missing=0)


def numbers(transform: Any, mean: float, variance: float) -> RegressionStatistics:
    return RegressionStatistics(transform=transform, count=4, missing=0, mean=mean, variance=variance, median=1.0)


def predicted(
    tf: Any,
    statistics: TargetStatistics,
    logits: list[list[float]],
    corrections: dict[str, float] | None = None,
    thresholds: dict[str, list[float]] | None = None,
) -> tuple[Any, Any]:
    """The prediction and, where there are any, the probabilities of one head."""
    from polyhead.model.outputs import predictions

    held = Preprocessing(
        features={},
        targets={"t": TARGETS[statistics.kind](kind=statistics.kind)},
        rows={},
        feature_statistics={},
        target_statistics={"t": statistics},
        warnings=[],
    )
    fitted = Fitted(held, held.features, held.targets, Path())
    outputs = {
        name: value.numpy()
        for name, value in predictions(
            fitted, {"t": tf.constant(logits)}, corrections or {}, thresholds or {}, {}
        ).items()
    }
    assert set(outputs) <= {"t", "t__probabilities"}
    return outputs["t"], outputs.get("t__probabilities")


def test_binary(tf: Any) -> None:
    """One logit is the log odds of the second class; probabilities stand negative before positive and sum to 1."""
    label, probabilities = predicted(tf, classes("binary", "no", "jä"), [[-2.0], [3.0], [90.0], [-90.0]])
    assert [value.decode() for value in label] == ["no", "jä", "jä", "no"]
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities[:2, 1], expit([-2.0, 3.0]), rtol=1e-6)
    np.testing.assert_allclose(probabilities.sum(1), 1, rtol=1e-6)
    assert np.isfinite(probabilities).all()


def test_multiclass(tf: Any) -> None:
    """The label of the largest logit, with softmax probabilities, also for logits far apart."""
    logits = [[0.0, 1.0, -1.0], [500.0, 0.0, -500.0], [-3.0, -2.0, 5.0]]
    label, probabilities = predicted(tf, classes("multiclass", "a", "b", "c d"), logits)
    assert [value.decode() for value in label] == ["b", "a", "c d"]
    np.testing.assert_allclose(probabilities, softmax(logits, 1), rtol=1e-6, atol=1e-12)


def test_multilabel(tf: Any) -> None:
    """Each label by itself, present from one half on."""
    chosen, probabilities = predicted(tf, labels("x", "y", "z"), [[0.0, -0.1, 4.0], [-1.0, -2.0, -3.0]])
    assert chosen.tolist() == [[1, 0, 1], [0, 0, 0]]
    assert chosen.dtype == np.int32
    np.testing.assert_allclose(probabilities, expit([[0.0, -0.1, 4.0], [-1.0, -2.0, -3.0]]), rtol=1e-6)


def test_thresholds_decide_what_is_said(tf: Any) -> None:
    """A label is said from its threshold on; probabilities stay as they are, and other heads' thresholds do nothing."""
    logits = [[-1.0], [-0.9]]
    label, probabilities = predicted(tf, classes("binary", "no", "yes"), logits, thresholds={"t": [expit(-0.95)]})
    assert [value.decode() for value in label] == ["no", "yes"]
    np.testing.assert_allclose(probabilities[:, 1], expit([-1.0, -0.9]), rtol=1e-6)
    chosen, _ = predicted(tf, labels("x", "y"), [[0.0, 0.0]], thresholds={"t": [0.5, 0.51], "other": [0.0]})
    assert chosen.tolist() == [[1, 0]]


def test_regression(tf: Any) -> None:
    """The standardised number back on the table's scale."""
    number, probabilities = predicted(tf, numbers("none", 100.0, 25.0), [[0.0], [1.0], [-2.0]])
    assert number.tolist() == [100.0, 105.0, 90.0]
    assert number.dtype == np.float64
    assert probabilities is None


def test_regression_of_a_logarithm(tf: Any) -> None:
    """A head that learns the logarithm predicts its exponential, finite and not negative however far it goes."""
    number, _ = predicted(tf, numbers("log", 2.0, 4.0), [[0.0], [0.5], [1e6], [-1e6]])
    np.testing.assert_allclose(number[:2], np.exp([2.0, 3.0]), rtol=1e-6)
    assert np.isfinite(number).all()
    assert (number >= 0).all()


def test_a_correction_is_added_on_the_scale_that_is_learned(tf: Any) -> None:
    """It shifts a number, and multiplies one whose logarithm is learned; other heads' corrections do nothing."""
    number, _ = predicted(tf, numbers("none", 100.0, 25.0), [[0.0], [1.0]], {"t": -2.5, "other": 9.0})
    assert number.tolist() == [97.5, 102.5]
    number, _ = predicted(tf, numbers("log", 2.0, 4.0), [[0.0], [0.5]], {"t": math.log(1.5)})
    np.testing.assert_allclose(number, 1.5 * np.exp([2.0, 3.0]), rtol=1e-12)


@pytest.mark.parametrize("transform", ["none", "log"])
def test_predictions_undo_the_target_transform(tf: Any, transform: Any) -> None:
    """A head that gives exactly what its loss compares with predicts the table's value."""
    from polyhead.kinds.targets.regression.graph import standardised

    raw = np.array([0.5, 3.0, 120.0, 4e5])
    scale = np.log(raw.astype(float)) if transform == "log" else raw.astype(float)
    statistics = numbers(transform, float(scale.mean()), float(scale.var()))
    values, _ = standardised(statistics, tf.constant(raw))
    number, _ = predicted(tf, statistics, values.numpy().tolist())
    np.testing.assert_allclose(number, raw, rtol=1e-5, atol=1e-1 if transform == "none" else 0)
