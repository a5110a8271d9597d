"""Classes each on its own, and whether probabilities hold: against scikit-learn and by what must not be lost."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.calibration import calibration_curve
from sklearn.metrics import precision_recall_fscore_support

from polyhead.contracts.bundle import Conformity
from polyhead.evaluate.scoring.conformal import conformal_of
from polyhead.kinds.scores import SCORES
from polyhead.kinds.targets.class_score import ClassOutcome
from polyhead.kinds.targets.classes import ClassStatistics
from polyhead.kinds.targets.multilabel.config import LabelStatistics
from polyhead.kinds.targets.multilabel.score import LabelOutcome
from polyhead.kinds.targets.regression.score import NumberOutcome


def classes(kind: Any, number: int) -> ClassStatistics:
    return ClassStatistics(kind=kind, classes=[f"c{k}" for k in range(number)], counts=[1] * number, missing=0)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), rows=st.integers(1, 50), number=st.integers(2, 5))
def test_each_class_is_as_scikit_learn_has_it(seed: int, rows: int, number: int) -> None:
    """Classes that never occur or are never said have none, and rows of a class that training never saw stay."""
    generator = np.random.default_rng(seed)
    true, said = generator.integers(-1, number, rows), generator.integers(0, max(number - 1, 1), rows)
    outcome = ClassOutcome("multiclass", true, said, np.full((rows, number), 1 / number))
    found = SCORES["multiclass"].per_class(classes("multiclass", number), outcome)
    expected = precision_recall_fscore_support(true, said, labels=range(number), zero_division=np.nan)
    assert [one.label for one in found] == [f"c{k}" for k in range(number)]
    for k, one in enumerate(found):
        assert (one.support, one.predicted) == ((true == k).sum(), (said == k).sum())
        for value, oracle in zip((one.precision, one.recall, one.f1), (part[k] for part in expected[:3]), strict=True):
            assert (value is None) == np.isnan(oracle)
            if value is not None:
                assert value == pytest.approx(oracle, abs=1e-12)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), rows=st.integers(1, 300), decimals=st.integers(1, 6))
def test_bins_hold_every_row_once_and_never_part_equal_probabilities(seed: int, rows: int, decimals: int) -> None:
    """Their means are those of all rows, they rise, and the error is the mean over rows of what a bin is off by."""
    generator = np.random.default_rng(seed)
    p = np.round(generator.random(rows), decimals)
    true = (generator.random(rows) < p).astype(int)
    outcome = ClassOutcome("binary", true, (p >= 0.5).astype(int), np.stack([1 - p, p], 1))
    (found,) = SCORES["binary"].reliability(classes("binary", 2), outcome)
    assert found.of == "c1"
    assert 1 <= len(found.bins) <= 10
    assert sum(one.n for one in found.bins) == rows
    assert sum(one.n * one.predicted for one in found.bins) == pytest.approx(p.sum())
    assert sum(one.n * one.observed for one in found.bins) == pytest.approx(true.sum())
    ordered, start, off = np.sort(p), 0, 0.0
    for one in found.bins:
        inside = ordered[start : start + one.n]
        assert one.predicted == pytest.approx(inside.mean())
        assert start == 0 or ordered[start - 1] < inside[0]
        start += one.n
        off += one.n * abs(one.predicted - one.observed)
        if one.n >= 10:
            oracle = stats.binomtest(round(one.n * one.observed), one.n).proportion_ci(method="wilson")
            assert (one.interval.low, one.interval.high) == pytest.approx((oracle.low, oracle.high), abs=1e-9)
        else:
            assert one.interval.reason
    assert found.error == pytest.approx(off / rows)


def test_bins_are_scikit_learns_where_no_probabilities_are_equal() -> None:
    """A thousand rows in ten of a hundred."""
    generator = np.random.default_rng(0)
    p = generator.random(1_000)
    true = (generator.random(1_000) < p**2).astype(int)
    outcome = ClassOutcome("binary", true, (p >= 0.5).astype(int), np.stack([1 - p, p], 1))
    (found,) = SCORES["binary"].reliability(classes("binary", 2), outcome)
    observed, predicted = calibration_curve(true, p, n_bins=10, strategy="quantile")
    assert [one.n for one in found.bins] == [100] * 10
    np.testing.assert_allclose([one.predicted for one in found.bins], predicted, atol=2e-3)
    np.testing.assert_allclose([one.observed for one in found.bins], observed, atol=0.011)


def test_of_several_classes_the_one_that_is_said_counts() -> None:
    """A class that training never saw never comes true; an ordinal head says its median class."""
    p = np.array([[0.4, 0.2, 0.4], [0.1, 0.8, 0.1]])
    outcome = ClassOutcome("ordinal", np.array([1, -1]), np.array([1, 1]), p)
    (found,) = SCORES["ordinal"].reliability(classes("ordinal", 3), outcome)
    assert (found.of, len(found.bins)) == ("", 1)
    assert (found.bins[0].predicted, found.bins[0].observed) == (0.5, 0.5)


def test_the_twelve_commonest_labels_are_looked_at() -> None:
    """In their own order; rows of labels are not pooled, since a row's labels depend on each other."""
    generator = np.random.default_rng(0)
    shares = np.linspace(0.05, 0.9, 15)
    true = (generator.random((400, 15)) < shares).astype(int)
    statistics = LabelStatistics(labels=[f"l{k}" for k in range(15)], counts=[1] * 15, rows=15, missing=0)
    outcome = LabelOutcome("multilabel", true, true, np.tile(shares, (400, 1)))
    found = SCORES["multilabel"].reliability(statistics, outcome)
    assert [one.of for one in found] == [f"l{k}" for k in range(3, 15)]
    assert all(len(one.bins) == 1 for one in found)
    assert [row.support for row in SCORES["multilabel"].per_class(statistics, outcome)] == true.sum(0).tolist()


def test_what_intervals_held_is_told_with_its_exact_interval() -> None:
    """Of 40 rows 36, as scipy has the limits; without intervals, rows or numbers there is nothing to tell."""
    covered, sizes = np.arange(40) < 36, np.linspace(1, 3, 40)
    outcome = NumberOutcome("regression", np.zeros(40), np.zeros(40), covered=covered, sizes=sizes)
    fitted = Conformity(level=0.9, radius=1.0, rows=77)
    found = conformal_of(outcome, fitted)
    assert found is not None
    oracle = stats.binomtest(36, 40).proportion_ci(method="exact")
    assert (found.interval.low, found.interval.high) == pytest.approx((oracle.low, oracle.high))
    assert (found.level, found.coverage, found.calibrated_on) == (0.9, 0.9, 77)
    assert found.size == pytest.approx(2.0)
    few = outcome.rows(np.array([0, 39]))
    assert few.covered is not None
    assert few.covered.tolist() == [True, False]
    assert conformal_of(outcome.rows(np.array([], int)), fitted) is None
    assert conformal_of(outcome, None) is None
    assert conformal_of(NumberOutcome("regression", np.zeros(4), np.zeros(4)), fitted) is None
    assert conformal_of(NumberOutcome("regression", np.zeros(4), np.full(4, np.nan)), fitted) is None


def test_what_intervals_held_is_told_by_row_weights_too() -> None:
    """As NumPy weighs, beside what they hold of rows; weights that are all the same change the method alone."""
    rng = np.random.default_rng(0)
    covered, sizes, weights = rng.random(400) < 0.85, rng.uniform(1, 3, 400), rng.uniform(0, 3, 400)
    outcome = NumberOutcome("regression", np.zeros(400), np.zeros(400), covered=covered, sizes=sizes)
    fitted = Conformity(level=0.9, radius=1.0, rows=77)
    plain, found, alike = (conformal_of(outcome, fitted, given) for given in (None, weights, np.full(400, 7.0)))
    assert plain is not None
    assert found is not None
    assert found.weighted is not None
    assert alike is not None
    assert alike.weighted is not None
    assert plain.weighted is None
    assert found.model_copy(update={"weighted": None}) == plain
    assert found.weighted.coverage == pytest.approx(np.average(covered, weights=weights), rel=1e-12)
    assert found.weighted.size == pytest.approx(np.average(sizes, weights=weights), rel=1e-12)
    assert found.weighted.interval.method == "jackknife of groups"
    assert alike.weighted.coverage == pytest.approx(plain.coverage)
    for one in (found.weighted.interval, alike.weighted.interval):
        assert one.low is not None
        assert one.high is not None
    own, theirs = plain.interval, alike.weighted.interval
    assert theirs.high - theirs.low == pytest.approx(own.high - own.low, rel=0.3)  # type: ignore[operator]
    few = outcome.rows(np.arange(20))
    said = conformal_of(few, fitted, np.ones(20))
    assert said is not None
    assert said.interval.low is not None
    nothing = conformal_of(outcome, fitted, np.zeros(400))
    assert nothing is not None
    assert nothing.weighted is None


@pytest.mark.parametrize("rows", [60, 400])
def test_the_interval_of_what_is_held_by_row_weights_keeps_its_promise(rows: int) -> None:
    """It holds the true share in 95 of 100 samples, give or take what 300 samples are off by."""
    rng = np.random.default_rng(1)
    fitted, hits = Conformity(level=0.9, radius=1.0, rows=77), 0
    for _ in range(300):
        outcome = NumberOutcome(
            "regression", np.zeros(rows), np.zeros(rows), covered=rng.random(rows) < 0.9, sizes=np.ones(rows)
        )
        found = conformal_of(outcome, fitted, rng.uniform(0.2, 2, rows))
        assert found is not None
        assert found.weighted is not None
        span = found.weighted.interval
        assert span.low is not None
        assert span.high is not None
        hits += span.low <= 0.9 <= span.high
    assert 0.91 <= hits / 300 <= 0.99
