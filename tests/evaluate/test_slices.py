"""Slices: which rows are in them, their scores beside the others', and how often one stands out by chance."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest
from benchmarks.coverage import POPULATIONS
from benchmarks.slices import alarms, parts
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import accuracy_score, r2_score

from polyhead.contracts.evaluation import SliceScore
from polyhead.evaluate.scoring.comparing import compare
from polyhead.evaluate.scoring.slices import MOST_LISTED, FeatureSlice, holm, slice_scores, slices_of
from polyhead.kinds.base import VocabularyFile
from polyhead.kinds.features.category.config import CategoryFeature, CategoryStatistics
from polyhead.kinds.features.datetime.config import PARTS, DatetimeFeature, DatetimeStatistics, PartStatistics
from polyhead.kinds.features.multicategory.config import MulticategoryFeature, MulticategoryStatistics
from polyhead.kinds.features.numeric.config import NumericFeature, NumericStatistics
from polyhead.kinds.features.text.config import TextFeature
from polyhead.kinds.slices import Slice, by_time, written
from polyhead.kinds.targets.class_score import ClassOutcome
from polyhead.kinds.targets.regression.score import NumberOutcome

_WORDS = VocabularyFile(path="v", size=2, sha256="")


def names_of(slices: list[FeatureSlice]) -> dict[str, list[int]]:
    return {one.slice.value: np.flatnonzero(one.slice.rows).tolist() for one in slices}


def sliced(feature: Any, statistics: Any, values: Any) -> list[FeatureSlice]:
    return slices_of({"f": feature}, {"f": statistics}, {"f": values})


def numbers(quantiles: list[float]) -> NumericStatistics:
    zero = dict.fromkeys(("mean", "variance", "log_mean", "log_variance", "minimum", "maximum", "quantile_error"), 0.0)
    return NumericStatistics(count=9, missing=0, quantiles=quantiles, **zero)


def test_numbers_are_cut_at_the_train_rows_quartiles() -> None:
    """The upper edge belongs to a range; what is missing is a slice of its own, and no range has it."""
    values = np.array([0.0, 10, 10.5, 20, 25, 30, 31, 99, np.nan])
    found = sliced(NumericFeature(kind="numeric"), numbers([1, 2, 10, 20, 30, 40, 50]), values)
    assert names_of(found) == {
        "up to 10": [0, 1],
        "10 to 20": [2, 3],
        "20 to 30": [4, 5],
        "above 30": [6, 7],
        "missing": [8],
    }
    assert [one.slice.kind for one in found] == ["range"] * 4 + ["missing"]


def test_few_different_numbers_are_a_slice_each_and_equal_quartiles_are_one_edge() -> None:
    few = sliced(NumericFeature(kind="numeric"), numbers([0.0] * 7), np.array([0.0, 1, 1, 0, np.nan]))
    assert names_of(few) == {"0": [0, 3], "1": [1, 2], "missing": [4]}
    many = sliced(NumericFeature(kind="numeric"), numbers([0.0, 0, 0, 0, 5, 6, 7]), np.arange(10.0))
    assert [one.slice.value for one in many] == ["up to 0", "0 to 5", "above 5"]


@given(st.lists(st.floats(-1e12, 1e12), min_size=1, max_size=5, unique=True))
def test_numbers_are_written_apart(values: list[float]) -> None:
    texts = written(values)
    assert len(set(texts)) == len(values)


def test_words_and_lists_are_slices_by_word_the_commonest_first() -> None:
    statistics = CategoryStatistics(count=4, missing=1, vocabulary=_WORDS)
    words = sliced(CategoryFeature(kind="category"), statistics, ["b", "a", "", "a", "b", "c"])
    assert names_of(words) == {"a": [1, 3], "b": [0, 4], "c": [5], "missing": [2]}
    sets = MulticategoryStatistics(count=3, missing=1, vocabulary=_WORDS, presence=1.0, squares=1.0, most=1)
    lists = sliced(MulticategoryFeature(kind="multicategory"), sets, [["x", "y"], [], [""], ["y", "y"]])
    assert names_of(lists) == {"y": [0, 3], "x": [0], "missing": [2]}


MONTHS = [f"{month:02d}" for month in range(1, 13)]


@pytest.mark.parametrize(
    ("moments", "names"),
    [
        (["2024-01-29T23:30", "2024-01-31T12:00"], ["2024-01-30", "2024-01-31"]),
        (
            [f"2024-{month}-{day}T12:00" for month in MONTHS[:3] for day in range(10, 20)],
            ["2024-01", "2024-02", "2024-03"],
        ),
        (
            [f"{year}-{month}-11T12:00" for year in (2023, 2024) for month in MONTHS],
            [f"{year} Q{quarter}" for year in (2023, 2024) for quarter in (1, 2, 3, 4)],
        ),
        (
            [f"{year}-{month}-11T12:00" for year in range(2020, 2024) for month in MONTHS],
            ["2020", "2021", "2022", "2023"],
        ),
    ],
)
def test_moments_are_cut_into_periods_on_local_clocks(moments: list[str], names: list[str]) -> None:
    """Of days, months, quarters and years the shortest of which there are twelve at most; 23:30 UTC is the next day."""
    part = PartStatistics(mean=0.0, variance=1.0, minimum=0.0, maximum=1.0)
    clock = [(-2_208_988_800, 3600)]
    statistics = DatetimeStatistics(count=3, missing=1, clock=clock, parts=dict.fromkeys(PARTS, part))
    seconds = [np.datetime64(moment, "s").astype(float) for moment in moments]
    found = sliced(DatetimeFeature(kind="datetime", time_zone="Etc/GMT-1"), statistics, np.array([*seconds, np.nan]))
    assert [one.slice.value for one in found] == [*names, "missing"]
    assert np.sum([one.slice.rows for one in found], axis=0).tolist() == [1] * (len(moments) + 1)


@given(st.lists(st.integers(0, 40), min_size=1, max_size=60))
def test_times_are_cut_into_quarters_of_the_rows(values: list[int]) -> None:
    """As NumPy has quantiles that are values: a quarter ends with its share of the rows; equals are together."""
    found = by_time(pl.Series(values, dtype=pl.Float64))
    quarters = np.unique(np.quantile(values, [0.25, 0.5, 0.75, 1], method="inverted_cdf"))
    place = np.searchsorted(quarters, values)
    assert [one.rows.tolist() for one in found] == [(place == at).tolist() for at in range(len(quarters))]
    ends = [(min(rows), max(rows)) for one in found if (rows := np.array(values)[one.rows].tolist())]
    assert [one.value for one in found] == [str(a) if a == b else f"{a} to {b}" for a, b in ends]
    assert {one.kind for one in found} == {"range"}


@pytest.mark.parametrize(
    ("step", "first", "last"),
    [
        ("1d", "2024-03-01 to 2024-03-02", "2024-03-07 to 2024-03-08"),
        ("7h", "2024-03-01 00:00 to 2024-03-01 07:00", "2024-03-02 18:00 to 2024-03-03 01:00"),
        ("1s", "2024-03-01 00:00:00 to 2024-03-01 00:00:01", "2024-03-01 00:00:06 to 2024-03-01 00:00:07"),
    ],
)
def test_quarters_of_moments_are_named_on_local_clocks_no_finer_than_tells_them_apart(
    step: str, first: str, last: str
) -> None:
    """Midnight in Berlin is the evening before in UTC."""
    begin = dt.datetime(2024, 3, 1)
    moments = pl.datetime_range(begin, interval=step, end=begin + dt.timedelta(days=8), time_zone="Europe/Berlin")
    found = by_time(pl.select(moments.alias("time"))["time"].head(8))
    assert [int(one.rows.sum()) for one in found] == [2, 2, 2, 2]
    assert (found[0].value, found[-1].value) == (first, last)
    assert {one.kind for one in found} == {"period"}


def test_of_other_kinds_only_the_missing_ones_are_a_slice() -> None:
    assert names_of(sliced(TextFeature(kind="text"), None, np.array([True, False, True]))) == {"missing": [0, 2]}


def classes(true: Any, predicted: Any) -> ClassOutcome:
    return ClassOutcome("multiclass", np.array(true), np.array(predicted), np.eye(3)[predicted] * 0.9 + 0.05)


def test_scores_are_those_of_the_rows_and_a_bad_slice_stands_out() -> None:
    """Beside scikit-learn on the rows whose target is known; small slices only where the feature is named."""
    rng = np.random.default_rng(0)
    true = rng.integers(0, 3, 300)
    bad = np.arange(300) < 60
    predicted = np.where(bad & (rng.random(300) < 0.5), (true + 1) % 3, true)
    known = np.arange(300) % 10 != 9
    slices = [
        *parts(rng, 300, 3),
        FeatureSlice("g", Slice("value", "bad", bad)),
        FeatureSlice("h", Slice("value", "tiny", np.arange(300) < 5)),
    ]
    outcome = classes(true[known], predicted[known])
    options = {"known": known, "metric": "accuracy", "resamples": 0, "seed": 0}
    found = slice_scores(outcome, slices, named=(), **options)
    assert "tiny" not in [one.value for one in found.listed]
    assert "tiny" in [one.value for one in slice_scores(outcome, slices, named=("h",), **options).listed]
    by_name = {(feature, one.value): one.rows for feature, one in slices}
    for score in found.listed:
        rows = by_name[score.feature, score.value] & known
        own, others = (
            accuracy_score(true[of], predicted[of]) for of in (rows, ~by_name[score.feature, score.value] & known)
        )
        assert score.n == rows.sum()
        assert score.score == pytest.approx(own, abs=1e-12)
        assert score.difference == pytest.approx(own - others, abs=1e-12)
        assert score.stands_out == (score.value == "bad")


def test_only_the_surest_of_many_slices_are_listed() -> None:
    rng = np.random.default_rng(1)
    outcome = classes(rng.integers(0, 3, 400), rng.integers(0, 3, 400))
    found = slice_scores(
        outcome, parts(rng, 400, 40), np.ones(400, bool), metric="accuracy", named=(), resamples=0, seed=0
    )
    assert len(found.listed) == MOST_LISTED
    assert str(MOST_LISTED) in found.notes[0]


@given(st.lists(st.floats(0, 1), max_size=12))
def test_holm_is_the_textbooks(chances: list[float]) -> None:
    """Hypothesis by hypothesis, from the smallest p-value on."""
    expected, left = set(), list(range(len(chances)))
    while left:
        least = min(left, key=lambda at: chances[at])
        if chances[least] > 0.05 / len(left):
            break
        expected.add(least)
        left.remove(least)
    assert set(np.flatnonzero(holm(np.array(chances))).tolist()) == expected


@pytest.mark.parametrize("name", ["4 even classes", "normal errors"])
def test_a_head_that_is_equally_good_everywhere_seldom_has_a_slice_that_stands_out(name: str) -> None:
    """In 5 of 100 test splits at most; so many of a few that contradict this are a chance of 1 in 10,000."""
    assert stats.binom.sf(alarms(POPULATIONS[name], 150, 12) - 1, 12, 0.05) > 1e-4


def test_a_slice_with_larger_errors_stands_out_by_r2() -> None:
    """Beside scikit-learn's R² of both parts; of fewer than 30 rows nothing is said."""
    rng = np.random.default_rng(3)
    outcome = POPULATIONS["normal errors"].draw(rng, 300)
    bad = np.arange(300) < 80
    true, predicted = outcome.true, np.where(bad, outcome.true + rng.normal(0, 2.0, 300), outcome.predicted)
    worse = replace(outcome, predicted=predicted)
    slices = [
        FeatureSlice("g", Slice("value", "bad", bad)),
        FeatureSlice("g", Slice("value", "few", np.arange(300) < 20)),
        *parts(rng, 300, 4),
    ]
    found = {
        (one.feature, one.value): one
        for one in slice_scores(worse, slices, np.ones(300, bool), metric="r2", named=(), resamples=0, seed=0).listed
    }
    assert found["g", "bad"].score == pytest.approx(r2_score(true[bad], predicted[bad]), abs=1e-12)
    assert [name for name, one in found.items() if one.stands_out] == [("g", "bad")]


def test_a_slice_has_a_score_by_the_rows_weights_too() -> None:
    """As scikit-learn's `sample_weight`, with the interval that a head of these rows alone would have.

    The score beside it, and what stands out, know nothing of them.
    """
    random = np.random.default_rng(5)
    true = random.normal(size=200)
    covered = random.uniform(size=200) < 0.9
    outcome = NumberOutcome("regression", true, true + random.normal(size=200), covered=covered)
    weights = random.uniform(0, 3, 200)
    inside = random.uniform(size=200) < 0.5
    slices = [FeatureSlice("x", Slice("value", "a", inside))]

    def found(**given: Any) -> SliceScore:
        known = np.ones(200, bool)
        (score,) = slice_scores(
            outcome, slices, known, metric="r2", named=["x"], resamples=1_000, seed=0, **given
        ).listed
        return score

    weighed, plain = found(weights=weights), found()
    expected = r2_score(true[inside], outcome.predicted[inside], sample_weight=weights[inside])
    whole = compare(
        part := outcome.rows(np.flatnonzero(inside)), part, resamples=1_000, seed=0, weights=weights[inside]
    )
    assert weighed.weighted is not None
    assert weighed.weighted.score == pytest.approx(expected)
    assert weighed.weighted.interval == whole["r2"].weighted.interval  # type: ignore[union-attr]
    assert weighed.weighted.interval.low is not None
    assert weighed.weighted.coverage == pytest.approx(np.average(covered[inside], weights=weights[inside]))
    assert plain.coverage == covered[inside].mean()
    assert plain.weighted is None
    assert weighed.model_copy(update={"weighted": None}) == plain
