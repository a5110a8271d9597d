"""Intervals: published examples and scikit-learn's values, no width of zero, no promise without rows, and verdicts."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from benchmarks.coverage import POPULATIONS
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from polyhead.contracts.evaluation import Interval, MetricScore
from polyhead.evaluate.scoring.comparing import beside, compare, interval
from polyhead.evaluate.scoring.metrics import measure
from polyhead.intervals.bootstrap import FEW_DECIDE
from polyhead.intervals.ranks import pr_auc, roc_auc
from polyhead.intervals.shares import Shares, clopper_pearson
from polyhead.kinds.metrics import METRICS
from polyhead.kinds.scores import SCORES
from polyhead.kinds.targets.class_score import ClassOutcome
from polyhead.kinds.targets.multilabel.score import LabelOutcome
from polyhead.kinds.targets.regression.score import NumberOutcome
from polyhead.kinds.union import METRIC_NAMES

RESAMPLES = 1_000


def metrics_of(population: str, rows: int, seed: int = 0, resamples: int = RESAMPLES) -> dict[str, MetricScore]:
    one = POPULATIONS[population]
    outcome = one.draw(np.random.default_rng(seed), rows)
    return compare(outcome, one.baseline(outcome), resamples=resamples, seed=0)


def binary(true: list[int], scores: list[float]) -> ClassOutcome:
    p = np.array(scores)
    return ClassOutcome("binary", np.array(true), (p >= 0.5).astype(int), np.stack([1 - p, p], 1))


def ends(found: Interval) -> tuple[float, float]:
    assert found.low is not None, found.reason
    assert found.high is not None
    return found.low, found.high


@given(hits=st.integers(0, 60), misses=st.integers(0, 60))
@settings(max_examples=60, deadline=None)
def test_accuracy_has_scipys_wilson_interval(hits: int, misses: int) -> None:
    """Of any count, perfect ones too; below ten rows there is none."""
    n = hits + misses
    if n == 0:
        return
    outcome = binary([1] * n, [0.9] * hits + [0.1] * misses)
    found = interval("accuracy", outcome, resamples=0, seed=0)
    if n < 10:
        assert found.low is None
        assert f"{n} row" in found.reason
        return
    oracle = stats.binomtest(hits, n).proportion_ci(method="wilson")
    assert ends(found) == pytest.approx((oracle.low, oracle.high), abs=1e-9)


def test_a_simple_model_is_compared_as_the_baseline_is() -> None:
    """The same difference, interval and verdict; its own value in place of the baseline's."""
    one = POPULATIONS["binary, 10 % positive"]
    outcome = one.draw(np.random.default_rng(0), 200)
    baseline = one.baseline(outcome)
    scores = compare(outcome, baseline, resamples=RESAMPLES, seed=0)
    for name, found in beside(outcome, baseline, resamples=RESAMPLES, seed=0).items():
        score = scores[name]
        assert found.value == score.baseline
        assert (found.difference, found.interval) == (score.difference, score.difference_interval)
        assert found.verdict == score.verdict


def test_a_perfect_score_has_a_width() -> None:
    """Every row right in fifty says at least 93 %, not 100 % to 100 %; a loss of exactly 0 says nothing."""
    outcome = binary([0, 1] * 25, [0.0, 1.0] * 25)
    for name in ("accuracy", "balanced_accuracy", "macro_f1", "roc_auc", "pr_auc"):
        low, high = ends(interval(name, outcome, resamples=RESAMPLES, seed=0))
        assert 0.7 < low < 0.95, name
        assert high == pytest.approx(1.0), name
    assert ends(interval("accuracy", outcome, resamples=0, seed=0))[0] == pytest.approx(0.9287, abs=1e-4)
    assert interval("log_loss", outcome, resamples=RESAMPLES, seed=0).reason == (
        "all rows agree, so they do not show how much it varies"
    )


def test_the_influence_of_a_rank_metric_is_its_derivative() -> None:
    """Repeating one row many times moves ROC AUC and PR AUC by what its influence says, ties included."""
    generator = np.random.default_rng(3)
    true = generator.random(40) < 0.4
    scores = np.round(generator.normal(true, 1.0), 1)
    weight = 400
    for part, name in ((roc_auc, "roc_auc"), (pr_auc, "pr_auc")):
        influence = part(true, scores).influence
        assert influence.mean() == pytest.approx(0, abs=1e-12)
        for row in range(0, 40, 7):
            many = np.concatenate([np.tile(np.arange(40), weight), [row]])
            p = 1 / (1 + np.exp(-scores))

            def value(chosen: Any, p: Any = p, name: str = name) -> float:
                outcome = ClassOutcome(
                    "binary", true[chosen].astype(int), np.zeros(len(chosen)), np.stack([1 - p, p], 1)[chosen]
                )
                found = measure(outcome, (name,))[name]
                assert found is not None
                return found

            moved = (value(many) - value(many[:-1])) * len(many)
            assert moved == pytest.approx(influence[row], rel=0.02, abs=2e-3)


@pytest.mark.parametrize("population", POPULATIONS)
def test_an_interval_holds_its_value_and_repeats(population: str) -> None:
    """Low < value < high for the metric and for its difference, reason or method but not both, the same each time."""
    metrics = metrics_of(population, 300)
    assert tuple(metrics) in METRIC_NAMES.values()
    for name, metric in metrics.items():
        for value, found in ((metric.value, metric.interval), (metric.difference, metric.difference_interval)):
            assert bool(found.reason) == (found.low is None)
            assert bool(found.method) == (found.low is not None)
            if found.low is not None and found.high is not None and value is not None:
                assert found.low < value < found.high, name
        assert metric.verdict in ("better", "not clearly better", "worse")
    assert metrics_of(population, 300) == metrics


def test_the_same_rows_in_another_order_give_the_same_shares_and_ranks() -> None:
    outcome = POPULATIONS["binary, 20 % positive, overconfident"].draw(np.random.default_rng(0), 200)
    turned = outcome.rows(np.random.default_rng(1).permutation(200))
    for name in ("accuracy", "balanced_accuracy", "macro_f1", "roc_auc", "pr_auc"):
        one, other = (interval(name, each, resamples=0, seed=0) for each in (outcome, turned))
        assert ends(one) == pytest.approx(ends(other))


@pytest.mark.parametrize(
    ("population", "rows", "metric", "reason"),
    [
        ("binary, 50 % positive", 9, "accuracy", "9 rows, an interval needs 10"),
        ("binary, 50 % positive", 29, "log_loss", "29 rows, an interval needs 30"),
        ("normal errors", 29, "r2", "29 rows, an interval needs 30"),
        ("binary, 10 % positive", 60, "roc_auc", r"the rarest class has \d rows here, an interval needs 10"),
        ("6 labels, 10 to 50 %", 60, "pr_auc", r"the rarest label has \d rows here, an interval needs 10"),
        (
            "log-normal target, spread 1",
            300,
            "rmse",
            "a few large errors decide it, and these rows do not show how large they get",
        ),
    ],
)
def test_where_nothing_can_be_promised_the_reason_is_told(population: str, rows: int, metric: str, reason: str) -> None:
    found = metrics_of(population, rows)[metric]
    assert found.value is not None
    assert found.interval == found.difference_interval == Interval(reason=found.interval.reason)
    assert re.fullmatch(reason, found.interval.reason)


@pytest.mark.parametrize("kind", ["multiclass", "multilabel"])
def test_a_label_that_training_never_saw_counts_in_the_interval_as_in_the_score(kind: str) -> None:
    """Sixty rows predicted right, ten of which have a label that no train row has: fifty are right."""
    true = np.arange(60) % 3
    unseen = np.arange(60) >= 50
    sure = np.eye(3)[true]
    outcome: ClassOutcome | LabelOutcome
    if kind == "multiclass":
        outcome = ClassOutcome(kind, np.where(unseen, -1, true), true, sure)
    else:
        outcome = LabelOutcome(kind, sure.astype(int), sure.astype(int), sure, unseen=unseen)
    oracle = stats.binomtest(50, 60).proportion_ci(method="wilson")
    assert ends(interval("accuracy", outcome, resamples=0, seed=0)) == pytest.approx((oracle.low, oracle.high))
    for metric in sorted({"balanced_accuracy", "macro_f1"}.intersection(METRIC_NAMES[kind])):
        value = measure(outcome, [metric])[metric]
        low, high = ends(interval(metric, outcome, resamples=0, seed=0))
        assert value is not None
        assert value <= 0.75, "one class or label of four is never right"
        assert low < value < high
        assert high - low < 0.4


def test_a_class_of_one_row_has_no_mean_over_classes_but_a_verdict() -> None:
    """Whether the head is better is known long before its macro F1 is."""
    true = np.array([0] * 20 + [1] * 19 + [2])
    p = np.full((40, 3), 0.1)
    p[np.arange(40), true] = 0.8
    outcome = ClassOutcome("multiclass", true, true, p)
    trivial = ClassOutcome("multiclass", true, np.zeros(40, int), np.tile([0.5, 0.475, 0.025], (40, 1)))
    found = compare(outcome, trivial, resamples=RESAMPLES, seed=0)["macro_f1"]
    reason = "the rarest class has 1 row here, an interval needs 2"
    assert found.interval == found.difference_interval == Interval(reason=reason)
    assert found.verdict == "better"


def test_few_resamples_leave_losses_and_errors_without() -> None:
    """Below 1,000 resamples an extreme quantile means nothing; shares and ranks need none."""
    for name, metric in metrics_of("binary, 50 % positive", 100, resamples=200).items():
        assert (metric.interval.low is None) == (name in ("log_loss", "brier"))
    errors = metrics_of("normal errors", 100, resamples=0)
    assert errors.pop("median_ae").interval.low is not None
    for metric in errors.values():
        assert metric.interval.reason == "evaluate.bootstrap is 0, an interval needs 1,000 resamples"
        assert metric.verdict == "not clearly better"


@pytest.mark.parametrize("kind", METRIC_NAMES)
def test_no_rows_give_neither_interval_nor_verdict(kind: str) -> None:
    population = next(one for one in POPULATIONS.values() if one.draw(np.random.default_rng(0), 5).kind == kind)
    nothing = population.draw(np.random.default_rng(0), 5).rows(np.array([], int))
    for metric in compare(nothing, population.baseline(nothing), resamples=RESAMPLES, seed=0).values():
        assert (metric.value, metric.verdict, metric.difference) == (None, None, None)
        assert metric.interval.reason == "it is not defined on these rows"


@pytest.mark.parametrize("seed", [2, 3])
def test_a_head_that_says_the_same_of_every_row_has_no_limit_beyond_all_numbers(seed: int) -> None:
    """Two different losses among 31 rows leave resamples in which nothing varies, whose ratios have no bound."""
    population = POPULATIONS["binary, 20 % positive, overconfident"]
    constant = population.baseline(population.draw(np.random.default_rng(seed), 31))
    found = compare(constant, constant, resamples=RESAMPLES, seed=0)["log_loss"]
    assert found.value is not None
    assert found.interval == Interval(reason="too few rows differ to show how much it varies")


def test_the_rows_of_a_metric_are_counted() -> None:
    """MAPE leaves out true values of 0, the log loss labels that no train row has."""
    true = np.array([0.0] * 5 + [2.0] * 45)
    numbers = NumberOutcome("regression", true, true + 0.1 * np.arange(50) - 2)
    metrics = compare(numbers, NumberOutcome("regression", true, np.ones(50)), resamples=RESAMPLES, seed=0)
    assert (metrics["mape"].n, metrics["mae"].n) == (45, 50)
    p = np.full((40, 3), 1 / 3)
    classes = ClassOutcome("multiclass", np.array([-1] * 4 + [0, 1, 2] * 12), np.zeros(40, int), p)
    metrics = compare(classes, classes, resamples=RESAMPLES, seed=0)
    assert (metrics["log_loss"].n, metrics["accuracy"].n) == (36, 40)


def test_noise_above_the_baseline_is_not_clearly_better() -> None:
    """A ROC AUC of 0.635 with ten positive rows is no success."""
    generator = np.random.default_rng(0)
    positive = generator.normal(0.4, 1, 10)
    scores = 1 / (1 + np.exp(-np.concatenate([generator.normal(0, 1, 50), positive])))
    outcome = binary([0] * 50 + [1] * 10, scores.tolist())
    trivial = ClassOutcome("binary", outcome.true, np.zeros(60, int), np.tile([5 / 6, 1 / 6], (60, 1)))
    metric = compare(outcome, trivial, resamples=RESAMPLES, seed=0)["roc_auc"]
    assert metric.value is not None
    assert 0.5 < metric.value < 0.7
    assert metric.verdict == "not clearly better"


def test_what_the_baseline_never_says_is_certain() -> None:
    """The mean recall of a constant is 1 / classes, and its interval a point; F1 is alike."""
    metrics = metrics_of("binary, 20 % positive, overconfident", 100)
    recall = metrics["balanced_accuracy"]
    assert recall.baseline == 0.5
    assert ends(recall.difference_interval) == pytest.approx([end - 0.5 for end in ends(recall.interval)])
    f1 = metrics["macro_f1"]
    widths = [high - low for low, high in (ends(f1.interval), ends(f1.difference_interval))]
    assert widths[1] == pytest.approx(widths[0], rel=0.15)


@pytest.mark.parametrize("population", ["4 even classes", "normal errors", "6 labels, 10 to 50 %"])
def test_a_good_model_is_better_and_the_reverse_is_worse(population: str) -> None:
    """Taking the two the other way round turns verdict and sign of every metric."""
    one = POPULATIONS[population]
    outcome = one.draw(np.random.default_rng(5), 300)
    trivial = one.baseline(outcome)
    forth = compare(outcome, trivial, resamples=RESAMPLES, seed=0)
    back = compare(trivial, outcome, resamples=RESAMPLES, seed=0)
    for name in forth:
        assert forth[name].verdict == "better", name
        assert back[name].verdict == "worse", name
        assert (forth[name].difference < 0) == METRICS[name].lower_is_better  # type: ignore[operator]


def test_a_mean_of_losses_is_close_to_students_interval_where_it_is_normal() -> None:
    """With 2,000 rows of light tails the studentised bootstrap and the t interval agree."""
    generator = np.random.default_rng(0)
    true = generator.normal(size=2_000)
    outcome = NumberOutcome("regression", true, true + generator.uniform(-1, 1, 2_000))
    low, high = ends(interval("mae", outcome, resamples=4_000, seed=0))
    errors = np.abs(outcome.true - outcome.predicted)
    half = 1.96 * errors.std() / math.sqrt(2_000)
    assert low == pytest.approx(errors.mean() - half, abs=half / 10)
    assert errors.mean() + half < high < errors.mean() + 1.35 * half  # the upper quantile is 1 %, not 2.5 %


@pytest.mark.parametrize("seed", range(6))
def test_a_sure_head_on_few_rows_has_no_loss_of_thousands(seed: int) -> None:
    """A log loss of 0.03 that three rows decide has no interval, and a reason; it once ended at 234,733."""
    one = POPULATIONS["binary, accuracy 0.99, overconfident"]
    outcome = one.draw(np.random.default_rng(seed), 50)
    for name in ("log_loss", "brier"):
        found = interval(name, outcome, resamples=RESAMPLES, seed=0)
        assert found.reason == FEW_DECIDE
    widest = interval("log_loss", one.draw(np.random.default_rng(seed), 3_000), resamples=RESAMPLES, seed=0)
    low, high = ends(widest)
    assert high < 6 * low


@pytest.mark.parametrize("rows", [30, 61, 200])
def test_a_median_has_the_limits_of_the_order_of_its_rows(rows: int) -> None:
    """Between the two pairs of order statistics whose chances lie around 95 %, whatever the rows' distribution."""
    generator = np.random.default_rng(rows)
    true = generator.normal(size=rows)
    outcome = NumberOutcome("regression", true, true + np.exp(generator.normal(size=rows)))
    errors = np.sort(outcome.predicted - true)
    cut = max(d for d in range(rows // 2) if 2 * stats.binom.cdf(d, rows, 0.5) <= 0.05)
    low, high = ends(interval("median_ae", outcome, resamples=0, seed=0))
    assert errors[cut] <= low <= errors[cut + 1]
    assert errors[-cut - 2] <= high <= errors[-cut - 1]


@given(hits=st.integers(0, 40), misses=st.integers(0, 40))
@settings(max_examples=40, deadline=None)
def test_exact_limits_are_scipys(hits: int, misses: int) -> None:
    """Clopper and Pearson's."""
    if hits + misses:
        oracle = stats.binomtest(hits, hits + misses).proportion_ci(method="exact")
        assert clopper_pearson(hits, hits + misses) == pytest.approx((oracle.low, oracle.high), abs=1e-9)


@pytest.mark.parametrize(("name", "population"), [("mcc", "4 even classes"), ("weighted_f1", "6 labels, 10 to 50 %")])
def test_an_influence_is_the_derivative_of_its_metric(name: str, population: str) -> None:
    """Repeating one row moves the metric by what its influence says."""
    outcome = POPULATIONS[population].draw(np.random.default_rng(0), 60)
    method = SCORES[outcome.kind].measures[name].method
    assert isinstance(method, Shares)
    found = method.estimate(outcome)
    assert not isinstance(found, str)
    assert found.value == pytest.approx(measure(outcome, [name])[name], abs=1e-12)
    assert found.influence.mean() == pytest.approx(0, abs=1e-12)
    for row in range(0, 60, 11):
        many = np.concatenate([np.tile(np.arange(60), 400), [row]])
        values = [measure(outcome.rows(chosen), [name])[name] for chosen in (many, many[:-1])]
        assert None not in values
        moved = (values[0] - values[1]) * len(many)  # type: ignore[operator]
        assert moved == pytest.approx(found.influence[row], rel=0.02, abs=2e-3)


def test_even_weights_change_no_interval() -> None:
    """Of means the interval is the same; of shares and ranks the jackknife's is as wide within a third."""
    for population in ("normal errors", "binary, 20 % positive, overconfident"):
        one = POPULATIONS[population]
        outcome = one.draw(np.random.default_rng(5), 300)
        scores = compare(outcome, one.baseline(outcome), resamples=RESAMPLES, seed=0, weights=np.full(300, 3.0))
        for name, score in scores.items():
            assert score.weighted is not None
            assert score.weighted.value == pytest.approx(score.value, rel=1e-9)
            own, weighted = ends(score.interval), ends(score.weighted.interval)
            if SCORES[outcome.kind].measures[name].method.weighs and name != "median_ae":
                assert weighted == pytest.approx(own, rel=1e-3), name
            else:
                assert weighted[1] - weighted[0] == pytest.approx(own[1] - own[0], rel=1 / 3), name


@pytest.mark.parametrize("name", ["accuracy", "roc_auc"])
def test_the_jackknife_of_groups_holds_what_it_promises(name: str) -> None:
    """Of 40 samples with uneven weights, so many hold the population's weighted value as 93 to 97 % may."""
    one, generator = POPULATIONS["binary, 50 % positive"], np.random.default_rng(0)

    def weighed(rows: int) -> Any:
        outcome = one.draw(generator, rows)
        return replace(outcome, weights=np.exp(0.5 * generator.normal(size=rows) + 0.5 * outcome.true))

    truth, held = measure(weighed(200_000), (name,))[name], 0
    assert truth is not None
    for _ in range(40):
        low, high = ends(interval(name, weighed(200), resamples=0, seed=0))
        held += low <= truth <= high
    assert held >= 30


def test_few_effective_rows_have_no_interval() -> None:
    """Forty rows of which one weighs nearly all are worth one."""
    outcome = POPULATIONS["normal errors"].draw(np.random.default_rng(0), 40)
    weights = np.where(np.arange(40) == 3, 1e6, 1.0)
    score = compare(outcome, outcome, resamples=RESAMPLES, seed=0, weights=weights)["mae"].weighted
    assert score is not None
    assert score.interval.low is None
    assert "1 row" in score.interval.reason
