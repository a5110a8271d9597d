"""Probabilities that hold and thresholds, from val rows: against scikit-learn and by what must not get worse."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import expit, softmax
from sklearn.metrics import log_loss

from polyhead.contracts.preprocessing import Fitted, Preprocessing
from polyhead.kinds.targets.classes import ClassStatistics
from polyhead.kinds.targets.multilabel.config import LabelStatistics
from polyhead.kinds.union import TARGETS

pytestmark = pytest.mark.usefixtures("tf")
RARE = 0.055


def fitted_of(statistics: Any, **options: Any) -> Fitted:
    """One target `t` without features."""
    held = Preprocessing(
        features={},
        targets={"t": TARGETS[statistics.kind].model_validate({"kind": statistics.kind, **options})},
        rows={},
        feature_statistics={},
        target_statistics={"t": statistics},
        warnings=[],
    )
    return Fitted(held, held.features, held.targets, Path())


def binary(**options: Any) -> Fitted:
    """A rare yes."""
    counts = [round(1_000 * (1 - RARE)), round(1_000 * RARE)]
    return fitted_of(ClassStatistics(kind="binary", classes=["no", "yes"], counts=counts, missing=0), **options)


def rows(logits: Any, values: Any) -> dict[str, Any]:
    """The head's val rows, all known."""
    from polyhead.train.settling import HeadRows

    return {"t": HeadRows(logits.astype(np.float32), values, np.ones(values.shape[:1], bool))}


def weak_head(count: int = 2_000) -> tuple[Any, Any]:
    """Log odds of a rare yes that are little better than its frequency, and labels that follow them."""
    generator = np.random.default_rng(4)
    log_odds = np.log(RARE / (1 - RARE)) + 0.3 * generator.normal(size=(count, 1))
    return log_odds, (generator.random((count, 1)) < expit(log_odds)).astype(np.float32)


def test_a_balanced_head_of_a_rare_label_is_no_worse_than_its_prior() -> None:
    """Its weights made it say yes to half of all rows; undone, it has the prior's accuracy and less than its loss."""
    from polyhead.train.settling import calibrations, decisions

    log_odds, labels = weak_head()
    fitted = binary(class_weight="balanced")
    learned = log_odds + np.log((1 - RARE) / RARE)
    assert np.mean((learned > 0) == labels) < 0.6
    assert log_loss(labels, expit(learned)) > 0.65
    held_out = rows(learned, labels)
    found = calibrations(fitted, held_out)
    assert found["t"].shift == pytest.approx([np.log((1 - RARE) / RARE)])
    probabilities = expit((learned - found["t"].shift[0]) / found["t"].temperature)
    assert log_loss(labels, probabilities) < log_loss(labels, np.full(len(labels), labels.mean()))
    (threshold,) = decisions(fitted, held_out, found)["t"].thresholds
    assert np.mean((probabilities >= threshold) == labels) >= 1 - labels.mean() - 0.01


@pytest.mark.parametrize("true_temperature", [0.5, 1.0, 2.5])
def test_a_temperature_is_found(true_temperature: float) -> None:
    """Of many rows the one that they were drawn with; the loss is the lowest that a fine search finds."""
    from polyhead.train.settling import calibrations

    generator = np.random.default_rng(1)
    log_odds = 2 * generator.normal(size=(20_000, 3))
    values = (softmax(log_odds, 1).cumsum(1) > generator.random((20_000, 1))).argmax(1)
    fitted = fitted_of(ClassStatistics(kind="multiclass", classes=["a", "b", "c"], counts=[5, 5, 5], missing=0))
    found = calibrations(fitted, rows(log_odds * true_temperature, values))["t"]
    assert found.temperature == pytest.approx(true_temperature, rel=0.06)
    best = min(log_loss(values, softmax(log_odds * scale, 1)) for scale in np.geomspace(0.8, 1.25, 41))
    assert found.log_loss == pytest.approx(best, abs=1e-4)
    assert found.log_loss_before == pytest.approx(log_loss(values, softmax(log_odds * true_temperature, 1)), abs=1e-5)


@pytest.mark.parametrize("seed", range(8))
def test_the_val_loss_never_gets_worse_and_few_rows_move_it_little(seed: int) -> None:
    """Whatever a dozen rows say, without weights."""
    from polyhead.train.settling import calibrations

    generator = np.random.default_rng(seed)
    logits, values = 3 * generator.normal(size=(12, 4)), generator.integers(0, 2, (12, 4)).astype(np.float32)
    fitted = fitted_of(LabelStatistics(labels=list("abcd"), counts=[6] * 4, rows=12, missing=0))
    from polyhead.train.settling import HeadRows

    held_out = {"t": HeadRows(logits.astype(np.float32), values, np.ones((12, 4), bool))}
    found = calibrations(fitted, held_out)["t"]
    assert found.log_loss is not None
    assert found.log_loss_before is not None
    assert found.log_loss <= found.log_loss_before
    after = log_loss(values.ravel(), expit(logits.astype(np.float32) / found.temperature).ravel())
    assert found.log_loss == pytest.approx(after, abs=1e-5)
    assert 0.25 < found.temperature < 4


def test_weights_are_undone_exactly_for_every_kind() -> None:
    """What a head that learned its weighted loss perfectly says becomes the frequencies of the rows."""
    from polyhead.kinds.graphs import heads

    classes = ClassStatistics(kind="multiclass", classes=list("abcd"), counts=[70, 20, 10, 0], missing=3)
    (head,) = heads(fitted_of(classes, class_weight={"a": 0.5, "b": 7, "d": 3}))
    np.testing.assert_allclose(softmax(head.prior_logits() - head.shift())[:3], np.array([0.7, 0.2, 0.1]), rtol=1e-4)
    (head,) = heads(binary(class_weight={"yes": 9}))
    np.testing.assert_allclose(expit(head.prior_logits() - head.shift()), RARE, rtol=1e-6)
    labels = LabelStatistics(labels=["x", "y", "z"], counts=[3, 90, 0], rows=100, missing=1)
    (head,) = heads(fitted_of(labels, class_weight="balanced"))
    np.testing.assert_allclose(expit(head.prior_logits() - head.shift())[:2], [0.03, 0.9], rtol=1e-5)


def test_without_val_rows_the_weights_are_undone_and_a_half_decides() -> None:
    """And both say why."""
    from polyhead.train.settling import calibrations, decisions

    fitted = binary(class_weight="balanced")
    found = calibrations(fitted, {})
    assert found["t"].temperature == 1
    assert found["t"].shift
    assert "no val row" in found["t"].reason
    decided = decisions(fitted, {}, found)["t"]
    assert decided.thresholds == [0.5]
    assert "no val row" in decided.reason
    assert decisions(binary(decide={"threshold": 0.2}), {}, found)["t"].thresholds == [0.2]


def test_the_network_carries_the_calibration() -> None:
    """Its logits are the shifted, divided ones, and it can be saved and loaded safely."""
    import keras

    from polyhead.contracts.bundle import Calibration
    from polyhead.train.settling import calibrated

    inputs = {"x": keras.Input((2,), name="x")}
    core = keras.Model(inputs, {"t": keras.layers.Identity()(inputs["x"]), "u": inputs["x"]}, name="core")
    made = calibrated(core, {"t": Calibration(shift=[0.5, -1.0], temperature=2.0)})
    given = np.array([[1.0, 2.0], [-3.0, 0.0]], np.float32)
    for model in (made, keras.Model.from_config(made.get_config())):
        outputs = model.predict_on_batch({"x": given})
        np.testing.assert_allclose(outputs["t"], (given - [0.5, -1.0]) / 2, rtol=1e-6)
        np.testing.assert_array_equal(outputs["u"], given)


def weighed(logits: Any, values: Any, weights: Any) -> dict[str, Any]:
    """The head's val rows with weights of their own."""
    from polyhead.train.settling import HeadRows

    return {"t": HeadRows(logits.astype(np.float32), values, weights > 0, weights.astype(np.float64))}


def test_rows_count_by_their_weights() -> None:
    """Only ratios matter, a row of weight 0 is as good as absent, and many rows of weight 3 are as three of each."""
    from polyhead.train.settling import calibrations, decisions

    generator = np.random.default_rng(8)
    log_odds = 2 * generator.normal(size=(6_000, 1)) - 1
    labels = (generator.random((6_000, 1)) < expit(0.5 * log_odds)).astype(np.float32)
    weights = np.where(labels[:, 0] > 0, 3.0, 1.0)
    fitted = binary(decide={"cost": {"false_negative": 2}})

    def settled(held_out: dict[str, Any]) -> tuple[Any, Any]:
        found = calibrations(fitted, held_out)
        return found["t"], decisions(fitted, held_out, found)["t"]

    plain, own = settled(rows(log_odds, labels)), settled(weighed(log_odds, labels, weights))
    assert own[0].temperature != plain[0].temperature
    assert own[1].thresholds[0] < plain[1].thresholds[0]
    larger = settled(weighed(log_odds, labels, 7 * weights))
    assert larger[0].temperature == own[0].temperature
    assert larger[1].thresholds == pytest.approx(own[1].thresholds)
    alike = settled(weighed(log_odds, labels, np.full(6_000, 0.25)))
    assert alike[1].thresholds == pytest.approx(plain[1].thresholds)
    assert alike[0].log_loss == pytest.approx(plain[0].log_loss)
    here = generator.random(6_000) < 0.5
    gone = settled(weighed(log_odds, labels, np.where(here, weights, 0.0)))
    fewer = settled(weighed(log_odds[here], labels[here], weights[here]))
    assert gone[0].temperature == fewer[0].temperature
    assert gone[1].thresholds == pytest.approx(fewer[1].thresholds)
    assert gone[1].rows == fewer[1].rows == here.sum()
    often = np.repeat(np.arange(6_000), weights.astype(int))
    repeated = settled(rows(log_odds[often], labels[often]))
    assert own[0].temperature == pytest.approx(repeated[0].temperature, rel=0.04)
    assert own[0].log_loss == pytest.approx(repeated[0].log_loss, rel=1e-3)
    assert own[1].thresholds == pytest.approx(repeated[1].thresholds, abs=0.01)


@pytest.mark.parametrize("kind", ["binary", "multiclass", "ordinal", "multilabel"])
def test_a_rows_own_weight_is_told_from_its_classes(tf: Any, kind: str) -> None:
    """The weights in the loss over those of the classes, whatever the kind's loss compares."""
    from polyhead.kinds.graphs import heads

    weights = np.array([0.5, 2.0, 0.25, 4.0])
    labels = ["b", "a", "b", ""]
    if kind == "multilabel":
        statistics: Any = LabelStatistics(labels=["a", "b"], counts=[10, 90], rows=100, missing=0)
        raw = {"t": tf.ragged.constant([["b"], ["a", "b"], [], []]), "t/known": tf.constant([1, 1, 1, 0], tf.int64)}
    else:
        statistics = ClassStatistics(kind=kind, classes=["a", "b"], counts=[10, 90], missing=0)
        raw = {"t": tf.constant(labels)}
    (head,) = heads(fitted_of(statistics, class_weight="balanced"))
    values, of_classes = (part.numpy() for part in head.transform()(raw))
    known = np.array([1, 1, 1, 0])
    rows_only = (weights * known).reshape(-1, *[1] * (of_classes.ndim - 1))
    found = head.row_weights(values, of_classes * weights.reshape(rows_only.shape).astype(np.float32))
    assert np.ptp(of_classes[:3]) > 0.1
    np.testing.assert_allclose(found, np.where(of_classes > 0, rows_only, 0), rtol=1e-6)
    assert (found.reshape(4, -1).max(1) > 0).tolist() == known.astype(bool).tolist()
