"""Smoothed labels and the focal loss: Keras' own and the formulas, also far out where probabilities are 0 or 1."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from polyhead.kinds.targets.binary.config import BinaryTarget
from polyhead.kinds.targets.classes import ClassStatistics
from polyhead.kinds.targets.multiclass.config import MulticlassTarget
from polyhead.kinds.targets.multilabel.config import LabelStatistics, MultilabelTarget

ROWS = 40
LABELS = ["a", "b", "c"]

pytestmark = pytest.mark.usefixtures("tf")


def head_of(kind: str, **options: Any) -> Any:
    from polyhead.kinds.targets.binary.graph import BinaryHead
    from polyhead.kinds.targets.multiclass.graph import MulticlassHead
    from polyhead.kinds.targets.multilabel.graph import MultilabelHead

    if kind == "binary":
        statistics = ClassStatistics(kind="binary", classes=LABELS[:2], counts=[3, 1], missing=0)
        return BinaryHead("y", BinaryTarget(kind="binary", **options), statistics)
    if kind == "multiclass":
        classes = ClassStatistics(kind="multiclass", classes=LABELS, counts=[3, 2, 1], missing=0)
        return MulticlassHead("y", MulticlassTarget(kind="multiclass", **options), classes)
    sets = LabelStatistics(labels=LABELS, counts=[3, 2, 1], rows=4, missing=0)
    return MultilabelHead("y", MultilabelTarget(kind="multilabel", **options), sets)


def batch(kind: str, spread: float = 2.0) -> tuple[Any, Any]:
    """Truths as the loss wants them, and logits."""
    generator = np.random.default_rng(1)
    units = {"binary": 1, "multiclass": 3, "multilabel": 3}[kind]
    logits = generator.normal(scale=spread, size=(ROWS, units)).astype(np.float32)
    if kind == "multiclass":
        return generator.integers(0, 3, ROWS).astype(np.int32), logits
    return generator.integers(0, 2, (ROWS, units)).astype(np.float32), logits


def by_hand(kind: str, truth: Any, logits: Any, smoothing: float, focal: float) -> Any:
    """In float64, (rows,) or (rows, labels)."""
    logits = logits.astype(np.float64)
    if kind == "multiclass":
        p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
        share = np.eye(3)[truth] * (1 - smoothing) + smoothing / 3
        return -(share * (1 - p) ** focal * np.log(p)).sum(1)
    p = 1 / (1 + np.exp(-logits))
    share = truth * (1 - smoothing) + smoothing / 2
    loss = -(share * (1 - p) ** focal * np.log(p) + (1 - share) * p**focal * np.log(1 - p))
    return loss[:, 0] if kind == "binary" else loss


@pytest.mark.parametrize("kind", ["binary", "multiclass", "multilabel"])
@pytest.mark.parametrize(("smoothing", "focal"), [(0.1, 0.0), (0.0, 2.0), (0.2, 0.5)])
def test_losses_are_the_formulas(kind: str, smoothing: float, focal: float) -> None:
    """Row by row; summed, they are weighted row by row, and label by label for multilabel."""
    head, (truth, logits) = head_of(kind, label_smoothing=smoothing, focal=focal), batch(kind)
    expected = by_hand(kind, truth, logits, smoothing, focal)
    np.testing.assert_allclose(head.loss("none")(truth, logits), expected, rtol=2e-5, atol=1e-6)
    weights = np.random.default_rng(2).random(expected.shape).astype(np.float32)
    assert float(head.loss("sum")(truth, logits, weights)) == pytest.approx((expected * weights).sum(), rel=1e-5)
    np.testing.assert_allclose(
        head.log_loss("none")(truth, logits), by_hand(kind, truth, logits, 0, 0), rtol=2e-5, atol=1e-6
    )


def test_losses_are_those_of_keras() -> None:
    import keras

    truth, logits = batch("binary")
    smooth = keras.losses.BinaryCrossentropy(from_logits=True, label_smoothing=0.1, reduction="none")
    np.testing.assert_allclose(
        head_of("binary", label_smoothing=0.1).loss("none")(truth, logits), smooth(truth, logits), rtol=1e-5
    )
    focused = keras.losses.BinaryFocalCrossentropy(gamma=2.0, from_logits=True, reduction="none")
    np.testing.assert_allclose(
        head_of("binary", focal=2).loss("none")(truth, logits), focused(truth, logits), rtol=1e-4, atol=1e-6
    )
    truth, logits = batch("multiclass")
    whole = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.3, reduction="none")
    expected = whole(np.eye(3, dtype=np.float32)[truth], logits)
    np.testing.assert_allclose(
        head_of("multiclass", label_smoothing=0.3).loss("none")(truth, logits), expected, rtol=1e-5
    )


@pytest.mark.parametrize("kind", ["binary", "multiclass", "multilabel"])
def test_gradients_stay_finite_where_the_network_is_sure(tf: Any, kind: str) -> None:
    """Logits of thousands, right and wrong ones, at an exponent below 1."""
    head, (truth, logits) = head_of(kind, label_smoothing=0.1, focal=0.5), batch(kind, spread=3000.0)
    variable = tf.Variable(logits)
    with tf.GradientTape() as tape:
        loss = head.loss("sum")(truth, variable)
    assert np.isfinite(float(loss))
    assert np.isfinite(tape.gradient(loss, variable).numpy()).all()
