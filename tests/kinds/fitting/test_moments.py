"""Exact sums: the fractions' own, and means and variances to the nearest float64."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.preprocessing import StandardScaler
from strategies import numbers

from polyhead.kinds.fitting.moments import Moments

wild_numbers = st.floats(allow_nan=False, allow_infinity=False, max_value=1e150, min_value=-1e150)


def of(values: list[float], cuts: int = 1) -> Moments:
    """Moments of values that were dealt to several gatherers and merged."""
    first, *others = (Moments() for _ in range(cuts))
    for at, moments in enumerate((first, *others)):
        moments.update(np.array(values[at::cuts]))
    for moments in others:
        first.merge(moments)
    return first


def expected(values: list[float]) -> tuple[float, float]:
    exact = [Fraction(value) for value in values]
    mean = sum(exact, Fraction()) / len(exact)
    variance = sum((value - mean) ** 2 for value in exact) / len(exact)
    rounding = float(variance) <= (float(mean) * 1e-15) ** 2
    return float(mean), 0.0 if rounding else float(variance)


@settings(max_examples=300, deadline=None)
@given(st.lists(numbers | wild_numbers, min_size=1, max_size=60), st.integers(1, 4))
def test_mean_and_variance_are_the_nearest_floats(values: list[float], cuts: int) -> None:
    """From the smallest float64 to the largest number that a table may hold, side by side."""
    moments = of(values, cuts)
    assert Fraction(moments.total, 2**1200) == sum(map(Fraction, values))
    assert Fraction(moments.squares, 2**2400) == sum(Fraction(value) ** 2 for value in values)
    assert moments.mean_and_variance() == expected(values)
    assert moments.state() == of(values[::-1]).state()


@pytest.mark.parametrize("spread", [0, 1, 40])
@pytest.mark.parametrize("count", [8191, 8192, 8193, 70_000])
def test_sums_over_many_chunks_are_exact(count: int, spread: int) -> None:
    """Around the edges of a chunk and of a block, of one magnitude and of many."""
    generator = np.random.default_rng(count)
    values = generator.normal(size=count) * np.exp(spread * generator.normal(size=count))
    assert of(values.tolist(), 3).mean_and_variance() == expected(values.tolist())


def test_the_largest_chunk_sums_do_not_overflow() -> None:
    """All limbs full, all of one sign."""
    values = np.full(3 * 65_536, np.nextafter(1.0, 0.0))
    moments = of(values.tolist())
    assert Fraction(moments.total, 2**1200) == len(values) * Fraction(values[0])
    assert Fraction(moments.squares, 2**2400) == len(values) * Fraction(values[0]) ** 2


def test_a_million_numbers_agree_with_the_standard_scaler() -> None:
    values = np.random.default_rng(1).lognormal(10, 1, 1_000_000)
    moments = Moments()
    moments.update(values)
    oracle = StandardScaler().fit(values[:, None])
    assert list(moments.mean_and_variance()) == [
        pytest.approx(oracle.mean_[0], rel=1e-12),
        pytest.approx(oracle.var_[0], rel=1e-12),
    ]


@settings(max_examples=100, deadline=None)
@given(st.lists(wild_numbers, max_size=20))
def test_a_state_comes_back(values: list[float]) -> None:
    moments = of(values)
    assert Moments.restored(moments.state()).state() == moments.state()


@settings(max_examples=100, deadline=None)
@given(numbers, st.integers(1, 50))
def test_a_constant_has_no_variance(value: float, count: int) -> None:
    assume(value != 0)
    assert of([value] * count).mean_and_variance() == (value, 0.0)
