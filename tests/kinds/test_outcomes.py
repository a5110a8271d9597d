"""Predictions and truths side by side, and the trivial baseline."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import polars as pl
import pytest
from sklearn.dummy import DummyClassifier, DummyRegressor

from polyhead.evaluate.scoring.metrics import measure
from polyhead.kinds.scores import SCORES
from polyhead.kinds.targets.classes import ClassStatistics
from polyhead.kinds.targets.multilabel.config import LabelStatistics
from polyhead.kinds.targets.regression.config import RegressionStatistics
from polyhead.kinds.targets.regression.scale import Scale
from polyhead.kinds.union import TargetStatistics

CLASSES = ClassStatistics(kind="multiclass", classes=["a", "b", "c d"], counts=[2, 6, 2], missing=0)
BINARY = ClassStatistics(kind="binary", classes=["no", "yes"], counts=[30, 10], missing=0)
LABELS = LabelStatistics(
    labels=["x", "y", "z"],
    counts=[5, 2, 9],
    rows=10,
    missing=1,
)
NUMBERS = RegressionStatistics(transform="none", count=3, missing=0, mean=2.0, variance=1.0, median=2.5)


def table_of(statistics: TargetStatistics, truths: list[Any], arrays: dict[str, Any]) -> pl.DataFrame:
    score = SCORES[statistics.kind]
    return pl.DataFrame([score.truth_column("t", truths), *score.prediction_columns("t", statistics, arrays)])


def outcome_of(statistics: TargetStatistics, table: pl.DataFrame) -> Any:
    return SCORES[statistics.kind].outcome("t", statistics, table.filter(pl.col("t.true").is_not_null()))


def baseline_of(statistics: TargetStatistics, outcome: Any) -> Any:
    return SCORES[statistics.kind].baseline(statistics, outcome)


def test_a_class_head_in_the_table() -> None:
    """The label, and a probability column per class in the order of the logits, spaces in names included."""
    arrays = {
        "t": np.array([b"b", b"c d"], object),
        "t__probabilities": np.array([[0.25, 0.5, 0.25], [0, 0.25, 0.75]], np.float32),
    }
    table = table_of(CLASSES, ["b", None], arrays)
    assert table.to_dict(as_series=False) == {
        "t.true": ["b", None],
        "t.predicted": ["b", "c d"],
        "t.probability.a": [0.25, 0.0],
        "t.probability.b": [0.5, 0.25],
        "t.probability.c d": [0.25, 0.75],
    }
    assert table.schema["t.probability.a"] == pl.Float64


def test_a_multilabel_head_in_the_table() -> None:
    """Sets of labels, empty sets kept apart from missing ones."""
    arrays = {"t": np.array([[1, 0, 1], [0, 0, 0], [0, 1, 0]]), "t__probabilities": np.full((3, 3), 0.5, np.float32)}
    table = table_of(LABELS, [["x"], [], None], arrays)
    assert table["t.true"].to_list() == [["x"], [], None]
    assert table["t.predicted"].to_list() == [["x", "z"], [], ["y"]]
    assert table.schema["t.true"] == table.schema["t.predicted"] == pl.List(pl.String)
    assert [column for column in table.columns if "probability" in column] == [f"t.probability.{c}" for c in "xyz"]


def test_a_regression_head_in_the_table() -> None:
    """One number each, float64."""
    table = table_of(NUMBERS, [1.0, None], {"t": np.array([1.5, 2.5], np.float32)})
    assert table.to_dict(as_series=False) == {"t.true": [1.0, None], "t.predicted": [1.5, 2.5]}
    assert set(table.dtypes) == {pl.Float64}


def test_columns_keep_their_types_where_nothing_is_known() -> None:
    """A batch without any label, or without rows, has the same schema as any other."""
    for rows in (0, 2):
        arrays = {"t": np.array([b"a"] * rows, object), "t__probabilities": np.zeros((rows, 3), np.float32)}
        assert table_of(CLASSES, [None] * rows, arrays).schema["t.true"] == pl.String
        arrays = {"t": np.zeros((rows, 3), int), "t__probabilities": np.zeros((rows, 3), np.float32)}
        table = table_of(LABELS, [None] * rows, arrays)
        assert table.schema["t.true"] == table.schema["t.predicted"] == pl.List(pl.String)


def test_outcomes_hold_known_rows_only() -> None:
    """Rows without a target are left out; labels that training did not know become -1."""
    arrays = {
        "t": np.array([b"b", b"a", b"c d", b"a"], object),
        "t__probabilities": np.arange(12, dtype=np.float32).reshape(4, 3),
    }
    outcome = outcome_of(CLASSES, table_of(CLASSES, ["b", None, "new", "c d"], arrays))
    assert outcome.kind == "multiclass"
    assert outcome.true.tolist() == [1, -1, 2]
    assert outcome.predicted.tolist() == [1, 2, 0]
    assert outcome.probabilities.tolist() == [[0, 1, 2], [6, 7, 8], [9, 10, 11]]
    arrays = {"t": np.array([[1, 0, 1], [0, 0, 0], [0, 1, 0]]), "t__probabilities": np.full((3, 3), 0.5, np.float32)}
    outcome = outcome_of(LABELS, table_of(LABELS, [["x", "new"], [], None], arrays))
    assert outcome.true.tolist() == [[1, 0, 0], [0, 0, 0]]
    assert outcome.predicted.tolist() == [[1, 0, 1], [0, 0, 0]]
    assert outcome.unseen.tolist() == [True, False]
    assert baseline_of(LABELS, outcome).unseen is outcome.unseen
    outcome = outcome_of(NUMBERS, table_of(NUMBERS, [None, 3.0], {"t": np.array([1.5, 2.5], np.float32)}))
    assert (outcome.true.tolist(), outcome.predicted.tolist(), outcome.scale) == ([3.0], [2.5], Scale())


@pytest.mark.parametrize(
    ("statistics", "arrays"),
    [
        (CLASSES, {"t": np.array([b"a"], object), "t__probabilities": np.full((1, 3), 0.5, np.float32)}),
        (LABELS, {"t": np.zeros((1, 3), int), "t__probabilities": np.full((1, 3), 0.5, np.float32)}),
        (NUMBERS, {"t": np.zeros(1, np.float32)}),
    ],
    ids=["classes", "labels", "numbers"],
)
def test_a_head_without_known_rows(statistics: Any, arrays: dict[str, Any]) -> None:
    """Where every target is missing, the outcome is empty and so is its baseline, and every metric is None."""
    outcome = outcome_of(statistics, table_of(statistics, [None], arrays))
    assert len(outcome.true) == 0
    assert set(measure(outcome).values()) == {None}
    assert set(measure(baseline_of(statistics, outcome)).values()) == {None}
    if statistics is CLASSES:
        assert SCORES[CLASSES.kind].confusion(CLASSES, outcome) == [[0] * 3] * 3


def known_outcome(statistics: Any, truths: list[Any]) -> Any:
    rows = len(truths)
    width = len(getattr(statistics, "classes", None) or getattr(statistics, "labels", []))
    if statistics is NUMBERS:
        arrays = {"t": np.zeros(rows, np.float32)}
    elif statistics is LABELS:
        arrays = {"t": np.zeros((rows, 3), int), "t__probabilities": np.zeros((rows, 3), np.float32)}
    else:
        arrays = {
            "t": np.array([statistics.classes[0].encode()] * rows, object),
            "t__probabilities": np.zeros((rows, width), np.float32),
        }
    return outcome_of(statistics, table_of(statistics, truths, arrays))


@pytest.mark.parametrize(("statistics", "truths"), [(CLASSES, ["a", "b", "b", "c d"]), (BINARY, ["no", "yes", "yes"])])
def test_the_baseline_of_classes_is_the_train_rows_prior(statistics: Any, truths: list[str]) -> None:
    """It predicts the most frequent class with the class frequencies, as DummyClassifier(strategy="prior") does."""
    outcome = known_outcome(statistics, truths)
    baseline = baseline_of(statistics, outcome)
    train = np.repeat(statistics.classes, statistics.counts)
    dummy = DummyClassifier(strategy="prior").fit(np.zeros((len(train), 1)), train)
    rows = np.zeros((len(truths), 1))
    assert [statistics.classes[i] for i in baseline.predicted] == dummy.predict(rows).tolist()
    np.testing.assert_allclose(baseline.probabilities, dummy.predict_proba(rows))
    assert baseline.true is outcome.true


def test_the_baseline_of_classes_by_hand() -> None:
    """Three quarters of the train rows say no: right for one of three rows, with the log loss of that prior."""
    values = measure(baseline_of(BINARY, known_outcome(BINARY, ["no", "yes", "yes"])))
    assert values["accuracy"] == pytest.approx(1 / 3)
    assert values["balanced_accuracy"] == 0.5
    assert values["roc_auc"] == 0.5
    assert values["log_loss"] == pytest.approx(-(math.log(0.75) + 2 * math.log(0.25)) / 3)


def test_the_baseline_of_labels_by_hand() -> None:
    """Labels that half of the train rows have are predicted, with their frequencies."""
    baseline = baseline_of(LABELS, known_outcome(LABELS, [["x", "z"], [], ["y"]]))
    assert baseline.predicted.tolist() == [[1, 0, 1]] * 3
    np.testing.assert_allclose(baseline.probabilities, [[0.5, 0.2, 0.9]] * 3)
    assert measure(baseline)["accuracy"] == pytest.approx(1 / 3)


def test_the_baseline_of_numbers_is_the_median() -> None:
    """Every row gets the train rows' median, as DummyRegressor(strategy="median") gives."""
    baseline = baseline_of(NUMBERS, known_outcome(NUMBERS, [1.0, 2.5, 10.0]))
    dummy = DummyRegressor(strategy="median").fit([[0]] * 3, [1.0, 2.5, 4.0])
    assert baseline.predicted.tolist() == dummy.predict([[0]] * 3).tolist()
    assert measure(baseline)["mae"] == pytest.approx((1.5 + 0 + 7.5) / 3)


def test_confusion_counts_true_by_predicted() -> None:
    """Rows of the matrix are true classes, columns predicted ones; unseen labels are left out."""
    arrays = {
        "t": np.array([b"b", b"b", b"a", b"b", b"c d"], object),
        "t__probabilities": np.zeros((5, 3), np.float32),
    }
    outcome = outcome_of(CLASSES, table_of(CLASSES, ["b", "a", "a", "new", "a"], arrays))
    assert SCORES[CLASSES.kind].confusion(CLASSES, outcome) == [[1, 1, 1], [0, 1, 0], [0, 0, 0]]
