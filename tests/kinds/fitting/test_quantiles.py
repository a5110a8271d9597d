"""Quantiles: NumPy's while numbers are told apart, within the stated error beyond."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import numbers

from polyhead.kinds.fitting.quantiles import DISTINCT, Quantiles

SHARES = [0.0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1.0]


def of(*batches: np.ndarray) -> Quantiles:
    quantiles = Quantiles()
    for batch in batches:
        quantiles.update(batch)
    return quantiles


def states(quantiles: Quantiles) -> dict[str, object]:
    return {key: value if np.isscalar(value) else value.to_list() for key, value in quantiles.state().items()}


@settings(max_examples=200, deadline=None)
@given(st.lists(numbers, min_size=1, max_size=60))
def test_few_numbers_give_numpys_quantiles(values: list[float]) -> None:
    """Zeros of both signs, neighbours and extremes included."""
    quantiles = of(np.array(values))
    assert quantiles.error == 0
    assert (quantiles.minimum, quantiles.maximum) == (min(values), max(values))
    received = quantiles.at(SHARES)
    scale = max(map(abs, values))
    np.testing.assert_allclose(received, np.quantile(values, SHARES), rtol=1e-14, atol=1e-15 * scale)
    assert not any(np.signbit(value) and value == 0 for value in received)


def test_nothing_seen_is_zeros() -> None:
    assert Quantiles().at(SHARES) == [0.0] * len(SHARES)


@pytest.mark.parametrize("draw", ["normal", "lognormal", "integers", "wide"])
def test_many_numbers_keep_within_the_stated_error(draw: str) -> None:
    """Against the order statistics on both sides of each quantile."""
    generator = np.random.default_rng(0)
    values = {
        "normal": lambda: generator.normal(size=200_000),
        "lognormal": lambda: generator.lognormal(12, 0.7, 200_000),
        "integers": lambda: generator.integers(-(10**6), 10**6, 200_000).astype(float),
        "wide": lambda: generator.choice([-1, 1], 200_000) * np.exp(generator.uniform(-700, 80, 200_000)),
    }[draw]()
    quantiles = of(*np.array_split(values, 7))
    assert 0 < quantiles.error < (0.07 if draw == "wide" else 0.0011)
    assert len(quantiles.state()["keys"]) <= DISTINCT
    ends = np.sort(np.stack([np.quantile(values, SHARES, method=side) for side in ("lower", "higher")]), axis=0)
    margin = np.abs(ends) * quantiles.error * (1 + 1e-12)
    received = quantiles.at(SHARES)
    assert np.all(ends[0] - margin[0] <= received)
    assert np.all(received <= ends[1] + margin[1])
    assert (quantiles.minimum, quantiles.maximum) == (values.min(), values.max())


def test_the_fewest_bits_are_dropped() -> None:
    """One different number more than can be told apart costs one bit, where neighbours differ in it."""
    neighbours = 1.0 + np.arange(DISTINCT + 1) * 2.0**-52
    assert of(neighbours[:-1]).dropped == 0
    assert of(neighbours).dropped == 1
    assert of(neighbours).error == 2.0**-52


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 2 * DISTINCT), st.integers(2, 9), st.randoms(use_true_random=False))
def test_any_order_and_any_tree_of_merges_give_the_same_state(count: int, parts: int, random: object) -> None:
    """Also where some parts have dropped bits and others have not."""
    generator = np.random.default_rng(count)
    values = np.concatenate([generator.normal(size=count), generator.integers(0, 50, count).astype(float)])
    shuffled = generator.permutation(values)
    gathered = [of(batch) for batch in np.array_split(shuffled, parts) if len(batch)]
    while len(gathered) > 1:
        random.shuffle(gathered)  # type: ignore[attr-defined]
        gathered[0].merge(gathered.pop())
    assert states(gathered[0]) == states(of(values))


@settings(max_examples=50, deadline=None)
@given(st.lists(numbers, min_size=1))
def test_a_state_comes_back_and_goes_on(values: list[float]) -> None:
    first = of(np.array(values))
    again = Quantiles.restored(first.state())
    assert states(again) == states(first)
    again.update(np.array(values))
    assert states(again) == states(of(np.array(values), np.array(values)))
