"""Exact metrics: scikit-learn called directly gives the same, and what is not defined is None."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.special import softmax
from scipy.stats import nbinom
from sklearn import metrics as sk

from polyhead.evaluate.scoring.comparing import compare
from polyhead.evaluate.scoring.metrics import measure
from polyhead.kinds.targets.class_score import ClassOutcome
from polyhead.kinds.targets.count.score import CountOutcome
from polyhead.kinds.targets.multilabel.score import LabelOutcome
from polyhead.kinds.targets.quantile.score import QuantileOutcome
from polyhead.kinds.targets.regression.scale import TABLES_OWN, Scale
from polyhead.kinds.targets.regression.score import NumberOutcome
from polyhead.kinds.targets.regressions.score import NumbersOutcome
from polyhead.kinds.union import METRIC_NAMES


def class_outcome(kind: str, classes: int, rows: int, seed: int) -> ClassOutcome:
    generator = np.random.default_rng(seed)
    true = generator.integers(0, classes, rows)
    logits = generator.normal(size=(rows, classes)) + np.eye(classes)[true]
    probabilities = softmax(logits, 1)
    return ClassOutcome(kind, true, probabilities.argmax(1), probabilities)


def label_outcome(rows: int, labels: int, seed: int) -> LabelOutcome:
    generator = np.random.default_rng(seed)
    true = generator.integers(0, 2, (rows, labels))
    probabilities = np.clip(0.3 * true + 0.7 * generator.random((rows, labels)), 0.01, 0.99)
    return LabelOutcome("multilabel", true, (probabilities >= 0.5).astype(int), probabilities)


def number_outcome(rows: int, seed: int, *, scale: Scale = TABLES_OWN) -> NumberOutcome:
    generator = np.random.default_rng(seed)
    true = np.exp(generator.normal(3, 1, rows))
    return NumberOutcome("regression", true, true * np.exp(generator.normal(0, 0.3, rows)), scale=scale)


def numbers_outcome(rows: int, seed: int) -> NumbersOutcome:
    generator = np.random.default_rng(seed)
    true = generator.normal(5, 1, (rows, 2))
    predicted = true + generator.normal(0, 0.3, (rows, 2))
    true[generator.uniform(size=rows) < 0.1, 0] = np.nan
    return NumbersOutcome("regressions", true, predicted, ("a", "b"), (TABLES_OWN, TABLES_OWN))


def count_outcome(rows: int, seed: int) -> CountOutcome:
    generator = np.random.default_rng(seed)
    means = np.exp(generator.normal(0, 1, rows))
    return CountOutcome("count", generator.poisson(means).astype(float), means, dispersion=0.7)


def quantile_outcome(rows: int, seed: int, levels: tuple[float, ...] = (0.05, 0.5, 0.75)) -> QuantileOutcome:
    generator = np.random.default_rng(seed)
    true = generator.normal(size=rows)
    predicted = np.sort(true[:, None] + generator.normal(size=(rows, len(levels))), 1)
    return QuantileOutcome("quantile", true, predicted, levels)


def some_outcome(kind: str, rows: int, seed: int) -> Any:
    if kind == "quantile":
        return quantile_outcome(rows, seed)
    if kind == "count":
        return count_outcome(rows, seed)
    if kind == "regression":
        return number_outcome(rows, seed)
    if kind == "regressions":
        return numbers_outcome(rows, seed)
    if kind == "multilabel":
        return label_outcome(rows, 3, seed)
    return class_outcome(kind, 2 if kind == "binary" else 4, rows, seed)


def assert_same(values: dict[str, float | None], expected: dict[str, float | None]) -> None:
    assert list(values) == list(expected)
    for name, value in expected.items():
        if value is None:
            assert values[name] is None, name
        else:
            assert values[name] == pytest.approx(value, rel=1e-9), name


seeds = st.integers(0, 10_000)


@settings(max_examples=40, deadline=None)
@given(seed=seeds, rows=st.integers(1, 80))
def test_binary(seed: int, rows: int) -> None:
    """Every metric of a binary head is scikit-learn's; those of ranking are None where one class is absent."""
    outcome = class_outcome("binary", 2, rows, seed)
    true, predicted, p = outcome.true, outcome.predicted, outcome.probabilities
    expected = {
        "accuracy": sk.accuracy_score(true, predicted),
        "balanced_accuracy": recall_by_hand(true, predicted),
        "f1": sk.f1_score(true, predicted, zero_division=0) if (true | predicted).any() else None,
        "macro_f1": sk.f1_score(true, predicted, average="macro", zero_division=0),
        "mcc": sk.matthews_corrcoef(true, predicted) if len(set(true.tolist())) == 2 else None,
        "log_loss": sk.log_loss(true, p, labels=[0, 1]),
        "brier": sk.brier_score_loss(true, p[:, 1], pos_label=1),
        "roc_auc": sk.roc_auc_score(true, p[:, 1]) if len(set(true.tolist())) == 2 else None,
        "pr_auc": sk.average_precision_score(true, p[:, 1]) if len(set(true.tolist())) == 2 else None,
    }
    assert_same(measure(outcome), expected)


def recall_by_hand(true: Any, predicted: Any) -> float:
    return float(np.mean([(predicted[true == label] == label).mean() for label in np.unique(true)]))


@settings(max_examples=40, deadline=None)
@given(seed=seeds, rows=st.integers(40, 90))
def test_multiclass(seed: int, rows: int) -> None:
    """Every metric of a multiclass head is scikit-learn's, the ROC AUC one against the rest."""
    outcome = class_outcome("multiclass", 4, rows, seed)
    assume(len(set(outcome.true.tolist())) == 4)
    true, predicted, p = outcome.true, outcome.predicted, outcome.probabilities
    expected = {
        "accuracy": sk.accuracy_score(true, predicted),
        "balanced_accuracy": sk.balanced_accuracy_score(true, predicted),
        "top_3_accuracy": sk.top_k_accuracy_score(true, p, k=3),
        "macro_f1": sk.f1_score(true, predicted, average="macro"),
        "weighted_f1": sk.f1_score(true, predicted, average="weighted"),
        "mcc": sk.matthews_corrcoef(true, predicted),
        "log_loss": sk.log_loss(true, p),
        "brier": sk.brier_score_loss(true, p),
        "roc_auc": sk.roc_auc_score(true, p, multi_class="ovr", average="macro"),
    }
    assert_same(measure(outcome), expected)


@settings(max_examples=40, deadline=None)
@given(seed=seeds, rows=st.integers(20, 60))
def test_multilabel(seed: int, rows: int) -> None:
    """Every metric of a multilabel head is scikit-learn's over the columns of labels."""
    outcome = label_outcome(rows, 3, seed)
    true, predicted, p = outcome.true, outcome.predicted, outcome.probabilities
    assume(all(0 < column.sum() < rows for column in true.T))
    expected = {
        "accuracy": sk.accuracy_score(true, predicted),
        "macro_f1": sk.f1_score(true, predicted, average="macro"),
        "weighted_f1": sk.f1_score(true, predicted, average="weighted"),
        "log_loss": np.mean([sk.log_loss(true[:, i], p[:, i], labels=[0, 1]) for i in range(3)]),
        "brier": np.mean([sk.brier_score_loss(true[:, i], p[:, i]) for i in range(3)]),
        "roc_auc": sk.roc_auc_score(true, p, average="macro"),
        "pr_auc": sk.average_precision_score(true, p, average="macro"),
    }
    assert_same(measure(outcome), expected)


@settings(max_examples=40, deadline=None)
@given(seed=seeds, rows=st.integers(2, 60))
def test_ordinal(seed: int, rows: int) -> None:
    """Every metric of an ordinal head is scikit-learn's, over the ranks of all classes, those that do not occur too."""
    outcome = class_outcome("ordinal", 5, rows, seed)
    true, predicted, p = outcome.true, outcome.predicted, outcome.probabilities
    kappa = sk.cohen_kappa_score(true, predicted, labels=range(5), weights="quadratic")
    expected = {
        "qwk": None if math.isnan(kappa) else kappa,
        "mae": sk.mean_absolute_error(true, predicted),
        "accuracy": sk.accuracy_score(true, predicted),
        "log_loss": sk.log_loss(true, p, labels=range(5)),
        "brier": sk.brier_score_loss(true, p, labels=range(5)),
    }
    assert_same(measure(outcome), expected)


@settings(max_examples=40, deadline=None)
@given(seed=seeds, rows=st.integers(2, 60), name=st.sampled_from(["none", "log", "log1p", "sqrt"]))
def test_regression(seed: int, rows: int, name: Any) -> None:
    """Every metric of a regression head is scikit-learn's; r2_transformed is on the learned scale."""
    outcome = number_outcome(rows, seed, scale=Scale(name))
    true, predicted = outcome.true, outcome.predicted
    scale = {"log": np.log, "log1p": np.log1p, "sqrt": np.sqrt}.get(name, np.asarray)
    expected = {
        "r2": sk.r2_score(true, predicted),
        "r2_transformed": sk.r2_score(scale(true), scale(predicted)),
        "d2": sk.d2_absolute_error_score(true, predicted),
        "mae": sk.mean_absolute_error(true, predicted),
        "median_ae": sk.median_absolute_error(true, predicted),
        "rmse": sk.root_mean_squared_error(true, predicted),
        "mape": 100 * sk.mean_absolute_percentage_error(true, predicted),
    }
    assert_same(measure(outcome), expected)


def binomial_deviance(true: np.ndarray, predicted: np.ndarray, dispersion: float) -> float:
    """By SciPy's log likelihoods, of a perfect prediction and of this one."""

    def likelihood(means: np.ndarray) -> np.ndarray:
        return nbinom.logpmf(true, 1 / dispersion, 1 / (1 + dispersion * means))

    return float(2 * (np.where(true > 0, likelihood(true), 0.0) - likelihood(predicted)).mean())


@settings(max_examples=40, deadline=None)
@given(seed=seeds, rows=st.integers(1, 60))
def test_count(seed: int, rows: int) -> None:
    """Every metric of a count is scikit-learn's or SciPy's; D² is None where all counts are the same."""
    outcome = count_outcome(rows, seed)
    true, predicted = outcome.true, outcome.predicted
    expected = {
        "poisson_deviance": sk.mean_poisson_deviance(true, predicted),
        "d2": sk.d2_tweedie_score(true, predicted, power=1) if len(set(true.tolist())) > 1 else None,
        "negative_binomial_deviance": binomial_deviance(true, predicted, 0.7),
        "mae": sk.mean_absolute_error(true, predicted),
        "rmse": sk.root_mean_squared_error(true, predicted),
    }
    assert_same(measure(outcome), expected)


@settings(max_examples=40, deadline=None)
@given(seed=seeds, rows=st.integers(1, 60))
def test_quantile(seed: int, rows: int) -> None:
    """Pinball losses of scikit-learn, also beside the best constants that there are, and the rows between the ends."""
    outcome = quantile_outcome(rows, seed)
    true, predicted = outcome.true, outcome.predicted
    losses = [
        sk.mean_pinball_loss(true, quantile, alpha=level)
        for quantile, level in zip(predicted.T, outcome.levels, strict=True)
    ]
    best = [
        min(sk.mean_pinball_loss(true, np.full(rows, constant), alpha=level) for constant in true)
        for level in outcome.levels
    ]
    d2 = 1 - np.sum(losses) / np.sum(best) if len(set(true.tolist())) > 1 else None
    inside = [low <= value <= high for value, low, high in zip(true, predicted[:, 0], predicted[:, 2], strict=True)]
    assert_same(measure(outcome), {"pinball": np.mean(losses), "d2": d2, "coverage": np.mean(inside)})


def test_one_quantile_covers_nothing() -> None:
    """There is no interval between a quantile and itself; its loss stands."""
    values = measure(quantile_outcome(30, 0, (0.9,)))
    assert values["coverage"] is None
    assert values["pinball"] is not None


def test_a_mean_of_zero_is_finite() -> None:
    """A prediction that underflows to 0 gives a large deviance where something was counted, not an error."""
    values = measure(CountOutcome("count", np.array([1.0, 0.0]), np.array([0.0, 0.0])))
    assert values["poisson_deviance"] == pytest.approx(-math.log(np.finfo(float).tiny) - 1)


@pytest.mark.parametrize("kind", METRIC_NAMES)
def test_metrics_of_a_kind_come_in_the_contracts_order(kind: str) -> None:
    """The names are exactly the contract's, in its order; asking for some gives those."""
    outcome = some_outcome(kind, 30, 0)
    assert tuple(measure(outcome)) == METRIC_NAMES[kind]
    last = METRIC_NAMES[kind][-1]
    assert measure(outcome, (last,)) == {last: measure(outcome)[last]}


@pytest.mark.parametrize("kind", METRIC_NAMES)
def test_no_rows_define_nothing(kind: str) -> None:
    """Without a row whose target is known every metric is None."""
    outcome = some_outcome(kind, 5, 0).rows(np.array([], int))
    assert measure(outcome) == dict.fromkeys(METRIC_NAMES[kind])


@pytest.mark.parametrize("kind", METRIC_NAMES)
def test_predictions_that_are_no_numbers_define_nothing(kind: str) -> None:
    """One NaN or infinite prediction makes the head's metrics undefined, not the report a crash."""
    outcome = some_outcome(kind, 20, 1)
    if kind in ("quantile", "regressions"):
        outcome.predicted[3, 1] = math.nan
        assert measure(outcome) == dict.fromkeys(METRIC_NAMES[kind])
    elif kind in ("regression", "count"):
        for bad in (math.nan, math.inf):
            spoilt = outcome.predicted.copy()
            spoilt[3] = bad
            assert measure(replace(outcome, predicted=spoilt)) == dict.fromkeys(METRIC_NAMES[kind])
    else:
        outcome.probabilities[3] = math.nan
        assert measure(outcome) == dict.fromkeys(METRIC_NAMES[kind])


def test_one_class_has_no_ranking() -> None:
    """With one class in the rows ROC AUC and PR AUC are None and the others stand."""
    for label in (0, 1):
        true = np.full(4, label)
        p = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.7, 0.3]])
        values = measure(ClassOutcome("binary", true, p.argmax(1), p))
        assert values["roc_auc"] is None
        assert values["pr_auc"] is None
        assert values["accuracy"] == (0.75 if label == 0 else 0.25)
        assert values["balanced_accuracy"] == values["accuracy"]
        assert values["mcc"] is None
        assert values["f1"] == pytest.approx(2 * 0.25 / 1.25 if label else 0.0)


def test_one_value_has_no_r2() -> None:
    """R2 needs two different true values; the errors do not."""
    values = measure(NumberOutcome("regression", np.array([2.0, 2.0]), np.array([1.0, 3.0])))
    assert values["r2"] is None
    assert values["r2_transformed"] is None
    assert values["d2"] is None
    assert (values["mae"], values["median_ae"], values["rmse"], values["mape"]) == (1.0, 1.0, 1.0, 50.0)
    assert measure(NumberOutcome("regression", np.array([2.0]), np.array([1.0])))["r2"] is None


def test_mape_leaves_zeros_out() -> None:
    """A true value of 0 has no relative error; with nothing but zeros there is no mape."""
    assert measure(NumberOutcome("regression", np.array([0.0, 4.0]), np.array([9.0, 5.0])))["mape"] == 25.0
    assert measure(NumberOutcome("regression", np.array([0.0, 0.0]), np.array([1.0, 1.0])))["mape"] is None


def test_a_log_prediction_of_zero_is_finite() -> None:
    """A prediction that underflows to 0 gives a bad r2_transformed, not an error."""
    outcome = NumberOutcome("regression", np.array([1.0, 2.0]), np.array([0.0, 2.0]), scale=Scale("log"))
    value = measure(outcome)["r2_transformed"]
    assert value is not None
    assert value < -1000


def test_a_certain_mistake_costs_a_finite_loss() -> None:
    """Probabilities are clipped at 1e-7, so that a wrong certainty costs 16.1 and not infinity."""
    p = np.array([[1.0, 0.0], [1.0, 0.0]])
    assert measure(ClassOutcome("binary", np.array([1, 0]), np.array([0, 0]), p))["log_loss"] == pytest.approx(
        -math.log(1e-7) / 2
    )
    labels = LabelOutcome("multilabel", np.array([[1, 0]]), np.array([[0, 1]]), np.array([[0.0, 1.0]]))
    assert measure(labels)["log_loss"] == pytest.approx(-math.log(1e-7), rel=1e-6)


def test_unseen_labels_count_as_wrong() -> None:
    """A label that no train row has is a mistake in accuracy, recall and F1 and stays out of the log loss."""
    true, predicted = np.array([0, 1, -1, 2]), np.array([0, 1, 1, 2])
    p = np.full((4, 3), 0.1)
    p[np.arange(4), predicted] = 0.8
    values = measure(ClassOutcome("multiclass", true, predicted, p))
    assert values["accuracy"] == 0.75
    assert values["balanced_accuracy"] == 0.75
    assert values["macro_f1"] == pytest.approx((1 + 2 / 3 + 1 + 0) / 4)
    assert values["log_loss"] == pytest.approx(-math.log(0.8))
    ordered = measure(ClassOutcome("ordinal", true, np.array([0, 1, 1, 1]), p))
    kappa = sk.cohen_kappa_score([0, 1, 2], [0, 1, 1], labels=range(3), weights="quadratic")
    assert ordered["accuracy"] == 0.5
    assert ordered["mae"] == pytest.approx(1 / 3)
    assert ordered["qwk"] == pytest.approx(kappa)
    nothing_else = measure(ClassOutcome("multiclass", np.array([-1]), np.array([0]), p[:1]))
    assert nothing_else["log_loss"] is None
    assert nothing_else["accuracy"] == 0.0


def test_the_rule_for_unseen_labels_is_one_for_classes_and_sets() -> None:
    """The same single labels, told as classes and as sets of one, give the same accuracy and macro F1."""
    true, predicted = np.array([0, 1, -1, 2]), np.array([0, 1, 1, 2])
    sets = np.eye(3, dtype=int)
    p = np.full((4, 3), 0.1)
    classes = measure(ClassOutcome("multiclass", true, predicted, p))
    known = np.where(true[:, None] >= 0, sets[true], 0)
    labels = LabelOutcome("multilabel", known, sets[predicted], p, unseen=true < 0)
    nothing_seen = LabelOutcome("multilabel", known * 0, known * 0, p, unseen=np.ones(4, bool))
    for outcome in (labels, labels.rows(np.arange(4))):
        values = measure(outcome)
        assert values["accuracy"] == classes["accuracy"] == 0.75
        assert values["macro_f1"] == classes["macro_f1"]
    assert (measure(nothing_seen)["accuracy"], measure(nothing_seen)["macro_f1"]) == (0.0, 0.0)


def test_absent_classes_and_labels_stay_out_of_averages() -> None:
    """ROC AUC averages over classes that occur beside others, F1 over labels that occur as true or predicted."""
    true = np.array([0, 1, 0, 1])
    p = softmax(np.array([[2.0, 0, 0], [0, 1, 0], [0, 1, 0], [0, 2, 0]]), 1)
    expected = np.mean([sk.roc_auc_score(true == k, p[:, k]) for k in (0, 1)])
    assert measure(ClassOutcome("multiclass", true, p.argmax(1), p))["roc_auc"] == pytest.approx(expected)
    sets = LabelOutcome(
        "multilabel", np.array([[1, 0, 0], [0, 0, 0]]), np.array([[1, 1, 0], [0, 0, 0]]), np.full((2, 3), 0.5)
    )
    assert measure(sets)["macro_f1"] == 0.5
    empty = LabelOutcome("multilabel", np.zeros((2, 3), int), np.zeros((2, 3), int), np.full((2, 3), 0.1))
    assert measure(empty)["macro_f1"] is None
    assert measure(empty)["accuracy"] == 1.0


@settings(max_examples=30, deadline=None)
@given(seed=seeds, kind=st.sampled_from(["binary", "multiclass", "multilabel", "regression"]))
def test_row_weights_are_sample_weights(seed: int, kind: str) -> None:
    """By scikit-learn's `sample_weight` to 1e-9, some of them 0; whole numbers weigh as repeated rows do."""
    outcome = some_outcome(kind, 60, seed)
    weights = np.random.default_rng(seed + 1).integers(0, 4, 60).astype(np.float64)
    true, predicted, w = outcome.true, outcome.predicted, {"sample_weight": weights}
    assume(weights.any())
    if kind == "regression":
        expected = {
            "r2": sk.r2_score(true, predicted, **w),
            "r2_transformed": sk.r2_score(true, predicted, **w),
            "d2": sk.d2_absolute_error_score(true, predicted, **w),
            "mae": sk.mean_absolute_error(true, predicted, **w),
            "median_ae": sk.median_absolute_error(true, predicted, **w),
            "rmse": sk.root_mean_squared_error(true, predicted, **w),
            "mape": 100 * sk.mean_absolute_percentage_error(true, predicted, **w),
        }
    elif kind == "multilabel":
        p = outcome.probabilities
        assume(all(0 < column[weights > 0].mean() < 1 for column in true.T))
        expected = {
            "accuracy": sk.accuracy_score(true, predicted, **w),
            "macro_f1": sk.f1_score(true, predicted, average="macro", **w),
            "weighted_f1": sk.f1_score(true, predicted, average="weighted", **w),
            "log_loss": np.mean([sk.log_loss(true[:, i], p[:, i], labels=[0, 1], **w) for i in range(3)]),
            "brier": np.mean([sk.brier_score_loss(true[:, i], p[:, i], **w) for i in range(3)]),
            "roc_auc": sk.roc_auc_score(true, p, average="macro", **w),
            "pr_auc": sk.average_precision_score(true, p, average="macro", **w),
        }
    else:
        p = outcome.probabilities
        assume(len(set(true[weights > 0].tolist())) == p.shape[1])
        several, two = kind == "multiclass", kind == "binary"
        expected = {
            "accuracy": sk.accuracy_score(true, predicted, **w),
            "balanced_accuracy": sk.balanced_accuracy_score(true, predicted, **w),
            **({"top_3_accuracy": sk.top_k_accuracy_score(true, p, k=3, labels=range(4), **w)} if several else {}),
            **({"f1": sk.f1_score(true, predicted, **w)} if two else {}),
            "macro_f1": sk.f1_score(true, predicted, average="macro", **w),
            **({"weighted_f1": sk.f1_score(true, predicted, average="weighted", **w)} if several else {}),
            "mcc": sk.matthews_corrcoef(true, predicted, **w),
            "log_loss": sk.log_loss(true, p, **w),
            "brier": sk.brier_score_loss(true, p, labels=range(p.shape[1]), **w),
            "roc_auc": np.mean([sk.roc_auc_score(true == i, p[:, i], **w) for i in range(p.shape[1])]),
            **({"pr_auc": sk.average_precision_score(true, p[:, 1], **w)} if two else {}),
        }
    weighed = replace(outcome, weights=weights)
    assert_same(measure(weighed), expected)
    assert_same(measure(outcome.rows(np.repeat(np.arange(60), weights.astype(int)))), expected)


@settings(max_examples=30, deadline=None)
@given(seed=seeds, kind=st.sampled_from(["ordinal", "count", "quantile"]))
def test_whole_row_weights_are_repeated_rows(seed: int, kind: str) -> None:
    """For the kinds that scikit-learn has no weighted metric of."""
    outcome = some_outcome(kind, 60, seed)
    weights = np.random.default_rng(seed + 1).integers(0, 4, 60)
    assume(weights.any())
    repeated = outcome.rows(np.repeat(np.arange(60), weights))
    assert_same(measure(replace(outcome, weights=weights.astype(np.float64))), measure(repeated))


def test_without_a_weight_above_zero_nothing_is_defined() -> None:
    outcome = some_outcome("binary", 20, 0)
    assert set(measure(replace(outcome, weights=np.zeros(20))).values()) == {None}


def test_a_score_has_its_weighted_value_beside_it() -> None:
    """Beside the value where there are row weights, else none."""
    outcome, weights = some_outcome("regression", 20, 0), np.arange(20.0)
    plain = compare(outcome, outcome, resamples=0, seed=0)
    weighed = compare(outcome, outcome, resamples=0, seed=0, weights=weights)
    assert {score.weighted for score in plain.values()} == {None}
    expected = sk.mean_absolute_error(outcome.true, outcome.predicted, sample_weight=weights)
    assert weighed["mae"].weighted is not None
    assert weighed["mae"].weighted.value == pytest.approx(expected, rel=1e-9)
    assert weighed["mae"].value == plain["mae"].value


def f1_by_hand(has: Any, said: Any, weights: Any) -> float:
    both, either = weights[has & said].sum(), weights[has].sum() + weights[said].sum()
    return float(2 * both / either) if either else 0.0


@settings(max_examples=60, deadline=None)
@given(
    seed=seeds,
    rows=st.integers(1, 40),
    classes=st.integers(2, 6),
    present=st.integers(1, 6),
    decimals=st.sampled_from([0, 1, 6]),
    unseen=st.booleans(),
    constant=st.booleans(),
)
def test_what_scikit_learn_refuses_is_as_by_hand(
    seed: int, rows: int, classes: int, present: int, decimals: int, unseen: bool, constant: bool
) -> None:
    """Ties, constant predictions, one class alone, classes that training never saw, rows that weigh nothing."""
    generator = np.random.default_rng(seed)
    true = generator.integers(-1 if unseen else 0, min(present, classes), rows)
    p = np.round(softmax(generator.normal(size=(rows, classes)), 1), decimals)
    p = np.tile(p[:1], (rows, 1)) if constant else p
    predicted = p.argmax(1)
    weights = np.asarray(generator.integers(0, 3, rows) * 0.7, np.float64)
    assume(weights.any())
    kind = "binary" if classes == 2 else "multiclass"
    values = measure(ClassOutcome(kind, true, predicted, p, weights=weights))
    seen, names, w = true >= 0, [*range(classes), -1], weights / weights.sum()
    errors = [sum((p[row, k] - (true[row] == k)) ** 2 for k in range(classes)) for row in range(rows)]
    half = 2 if classes == 2 else 1
    brier = sum(w[seen] * np.array(errors)[seen]) / w[seen].sum() / half if w[seen].any() else None
    one_hot = [np.eye(classes + 1)[values] for values in (true, predicted)]
    (tt, tp, pp) = (
        sum(np.cov(a[:, k], b[:, k], aweights=w, ddof=0)[0, 1] for k in range(classes + 1))
        for a, b in ((one_hot[0], one_hot[0]), (one_hot[0], one_hot[1]), (one_hot[1], one_hot[1]))
    )
    expected: dict[str, float | None] = {
        "brier": brier,
        "mcc": None if tt < 1e-12 else 0.0 if pp < 1e-12 else tp / math.sqrt(tt * pp),
    }
    if classes == 2:
        has, said = true == 1, predicted == 1
        expected["f1"] = f1_by_hand(has, said, w) if w[has | said].any() else None
    else:
        shares = {name: w[true == name].sum() for name in names}
        expected["weighted_f1"] = sum(shares[k] * f1_by_hand(true == k, predicted == k, w) for k in names)
        beaten = [
            sum((q, j) > (q_true, true[row]) for j, q in enumerate(p[row]))
            for row, q_true in enumerate(p[np.arange(rows), true])
        ]
        among = seen & (np.array(beaten) < 3)
        expected["top_3_accuracy"] = float(w[among].sum()) if classes > 3 else None
    found = {name: values[name] for name in expected}
    for name, value in expected.items():
        if value is None:
            assert found[name] is None, name
        else:
            assert found[name] == pytest.approx(value, rel=1e-9, abs=1e-9), name


@settings(max_examples=40, deadline=None)
@given(seed=seeds, rows=st.integers(1, 30), decimals=st.integers(0, 2))
def test_medians_by_trying_all_constants(seed: int, rows: int, decimals: int) -> None:
    """D² of a number beside the best constant there is; the median error of whole weights is that of repeated rows."""
    generator = np.random.default_rng(seed)
    true, predicted = np.round(generator.normal(size=(2, rows)), decimals)
    weights = generator.integers(0, 3, rows)
    assume(weights.any())
    values = measure(NumberOutcome("regression", true, predicted, weights=weights.astype(float)))
    repeated = np.repeat(np.arange(rows), weights)
    errors = np.abs(true - predicted)[repeated]
    best = min(np.abs(true[repeated] - constant).mean() for constant in true[repeated])
    assert values["median_ae"] == pytest.approx(np.median(errors), abs=1e-12)
    if best == 0:
        assert values["d2"] is None
    else:
        assert values["d2"] == pytest.approx(1 - errors.mean() / best, abs=1e-9)
