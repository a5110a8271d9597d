"""Profiles side by side: the statistics' definitions, and no drift where there is none."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy import stats

from polyhead.contracts.profile import ColumnDrift, Profile
from polyhead.kinds.features.category.config import CategoryFeature
from polyhead.kinds.features.category.table import CategoryFit
from polyhead.kinds.features.numeric.table import NumericFit
from polyhead.kinds.fitting.fit import Site
from polyhead.pictures.folder import PictureFolder
from polyhead.profiles.comparing import compared, holm, largest

NOWHERE: Any = Site(None, PictureFolder("nowhere"), max_pixels=1)  # type: ignore[arg-type]  # nothing is read
CATEGORY = CategoryFeature(kind="category")


def fit_of(values: pl.Series) -> Any:
    fit = NumericFit("x") if values.dtype == pl.Float64 else CategoryFit("x", CATEGORY)
    fit.update(values)
    return fit


def drift_of(train: Any, other: Any) -> dict[str, ColumnDrift]:
    series = [
        pl.Series(values, dtype=pl.Float64 if isinstance(train[0], float) else pl.String) for values in (train, other)
    ]
    words = series[0].drop_nulls().unique() if series[0].dtype == pl.String else None
    profile: Profile = fit_of(series[0]).profile(NOWHERE)
    others = fit_of(series[1]).profile_like(profile, NOWHERE, words)
    return {one.of: one for one in compared({"x": profile}, {"x": others})}


def test_ks_is_scipys_at_the_train_rows_quantiles() -> None:
    """With few different numbers it is exactly that of the two samples, with the asymptotic p-value."""
    dice = np.random.default_rng(0)
    train, other = (dice.integers(0, 8, size).astype(float) for size in (400, 150))
    other[:40] += 2
    found = drift_of(train.tolist(), other.tolist())["value"]
    exact = stats.ks_2samp(train, other)
    assert found.ks == pytest.approx(exact.statistic, abs=1e-12)
    asymptotic = stats.kstwobign.sf(math.sqrt(400 * 150 / 550) * exact.statistic)
    assert found.p_value == pytest.approx(min(1.0, 2 * asymptotic), abs=1e-9)  # of two comparisons, beside `missing`


def test_psi_is_the_sum_over_the_words() -> None:
    """By its definition, half a row added to each count."""
    train, other = ["a"] * 60 + ["b"] * 40, ["a"] * 20 + ["b"] * 30
    found = drift_of(train, other)["words"]
    q, p = np.array([60.5, 40.5, 0.5]), np.array([20.5, 30.5, 0.5])
    q, p = q / q.sum(), p / p.sum()
    assert found.psi == pytest.approx(((p - q) * np.log(p / q)).sum(), abs=1e-12)
    pearson = stats.chi2_contingency([[60, 40], [20, 30]], correction=False).pvalue
    assert found.p_value == pytest.approx(3 * pearson, abs=1e-12)  # the smallest of three comparisons
    assert found.detail == "'a' 40.0%, in train 60.0%"


def test_holm_is_a_published_example() -> None:
    """Of four p-values."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []


def test_unseen_words_and_missing_values_drift() -> None:
    """Each is a comparison of its own."""
    found = drift_of(["a", "b"] * 100, ["a", "b", "c", None] * 25)
    assert found["unseen"].drift == found["missing"].drift == "large"
    assert found["unseen"].detail == "33.3%, in train 0.0%"
    assert found["missing"].detail == "25.0%, in train 0.0%"


def test_rare_words_that_new_rows_always_bring_are_expected() -> None:
    """Where every other row has a word of its own, so have new rows: that is no drift."""
    train = ["common"] * 300 + [f"once {i}" for i in range(300)]
    other = ["common"] * 150 + [f"new {i}" for i in range(150)]
    assert drift_of(train, other)["unseen"].drift == "none"


def test_a_constant_that_changes_drifts_both_ways() -> None:
    """Below and above the only number that the train rows have."""
    for changed in (-1.0, 9.0):
        found = drift_of([5.0] * 100, [changed] * 50)["value"]
        assert (found.drift, found.ks) == ("large", 1.0)
    assert drift_of([5.0] * 100, [5.0] * 50)["value"].drift == "none"


def test_numbers_that_move_drift_by_how_far() -> None:
    """Half a standard deviation is large, a fifth is not."""
    dice = np.random.default_rng(1)
    train = dice.normal(size=5_000)
    levels = [
        drift_of(train.tolist(), (dice.normal(size=2_000) + by).tolist())["value"].drift for by in (0, 0.2, 0.4, 1)
    ]
    assert levels == ["none", "none", "moderate", "large"]


@pytest.mark.parametrize("rows", [5, 20, 300])
def test_there_is_no_drift_among_rows_of_one_kind(rows: int) -> None:
    """At most a few false alarms in a hundred tables, however few rows there are."""
    dice = np.random.default_rng(rows)
    alarms = 0
    for _ in range(100):
        numbers = [dice.normal(size=size).tolist() for size in (200, rows)]
        words = [dice.choice(list("abcdefgh"), size).tolist() for size in (200, rows)]
        found = [*drift_of(*numbers).values(), *drift_of(*words).values()]
        alarms += largest([one.drift for one in found]) != "none"
    assert alarms <= 10  # of two reports each, at 5 % a report


def test_the_largest_drift_is_that_of_the_report() -> None:
    """In their order."""
    assert largest(["none", "large", "moderate"]) == "large"
    assert largest([]) == "none"
