"""Vectors beside a profile of others: the distance, how likely it is by chance, and what is kept of the others."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import linalg, stats

from polyhead.contracts.profile import VectorProfile
from polyhead.profiles.comparing import LARGE
from polyhead.profiles.vectors import FEWEST_ROWS, vector_drift, vector_profile

_UNITS = 24
_MIX = np.random.default_rng(0).normal(size=(4, _UNITS))


def drawn(rng: np.random.Generator, rows: int, *, shift: float = 0.0, scale: float = 1.0) -> NDArray[Any]:
    """Skewed vectors, as a network's last layer has them."""
    hidden = (rng.gamma(2, size=(rows, 4)) * scale - 2 + shift) @ _MIX + rng.normal(size=(rows, _UNITS)) * 0.3
    return np.maximum(hidden, 0).astype(np.float32)


def profile_of(learned: NDArray[Any], held_out: NDArray[Any]) -> VectorProfile:
    found = vector_profile(learned, held_out)
    assert found is not None
    return found


def coordinates(profile: VectorProfile, vectors: NDArray[Any]) -> NDArray[Any]:
    """Each axis, and the length of the rest, one vector after another."""
    axes, rows = np.array(profile.axes), []
    for vector in vectors.astype(np.float64) - np.array(profile.centre):
        along = axes @ vector
        rows.append([*along, np.sqrt(max(0.0, vector @ vector - along @ along))])
    return np.array(rows)


def test_the_distance_is_that_of_two_normal_distributions() -> None:
    """By SciPy's square root of a matrix; less what chance makes, which is next to nothing where rows are many."""
    rng = np.random.default_rng(1)
    held, other = drawn(rng, 4_000), drawn(rng, 4_000, shift=0.3)
    profile = profile_of(drawn(rng, 500), held)
    here, there = (coordinates(profile, vectors) for vectors in (held, other))
    np.testing.assert_allclose(profile.mean, here.mean(0), atol=1e-4)
    np.testing.assert_allclose(profile.covariance, np.cov(here.T), rtol=1e-3, atol=1e-4)
    first, second = np.cov(here.T), np.cov(there.T)
    root = linalg.sqrtm(first @ second).real
    expected = ((here.mean(0) - there.mean(0)) ** 2).sum() + np.trace(first + second - 2 * root)
    found = vector_drift("v", profile, other)
    assert found.frechet == pytest.approx(expected / np.trace(first), abs=0.003)
    assert found.frechet is not None
    assert found.frechet > 0.05


def test_a_shift_of_a_few_deviations_is_as_large_as_it_is_by_psi() -> None:
    """Of one normal number, whose index is the square of the shift in deviations."""
    rng = np.random.default_rng(2)
    line = np.zeros((1, _UNITS))
    line[0, 0] = 3.0
    held, other = (rng.normal(mean, size=(5_000, 1)) @ line for mean in (0.0, 0.5))
    assert vector_drift("v", profile_of(held[:500], held), other).size == pytest.approx(LARGE, abs=0.03)


def test_what_is_more_than_chance_is_told_as_a_permutation_of_the_rows_tells_it() -> None:
    """Of the same random features, at shifts around what can just be told."""
    rng = np.random.default_rng(3)
    learned = drawn(rng, 200)
    for shift in (0.0, 0.15, 0.3):
        held, other = drawn(rng, 150), drawn(rng, 100, shift=shift)
        profile = profile_of(learned, held)
        phases = coordinates(profile, np.concatenate([held, other])) @ np.array(profile.frequencies).T
        waves = np.concatenate([np.cos(phases), np.sin(phases)], 1)
        orders = [np.arange(250), *(rng.permutation(250) for _ in range(999))]
        apart = [((waves[at[:150]].mean(0) - waves[at[150:]].mean(0)) ** 2).sum() for at in orders]
        expected = np.mean(np.array(apart) >= apart[0] * (1 - 1e-9))
        assert vector_drift("v", profile, other).p_value == pytest.approx(expected, abs=0.05)


@pytest.mark.parametrize(("rows", "draws"), [(FEWEST_ROWS, 30), (300, 10)])
def test_rows_of_one_distribution_are_seldom_told_apart_and_others_always(rows: int, draws: int) -> None:
    """In about 5 of 100 draws, with as few rows as are compared, and more."""
    rng = np.random.default_rng(4)
    learned = drawn(rng, 300)
    alarms = {0.0: 0, 1.0: 0}
    for _ in range(draws):
        profile = profile_of(learned, drawn(rng, rows))
        for shift in alarms:
            alarms[shift] += vector_drift("v", profile, drawn(rng, rows, shift=shift)).p_value < 0.05
    assert stats.binomtest(alarms[0.0], draws, 0.05, alternative="greater").pvalue > 0.01
    assert alarms[1.0] == draws
    wider = vector_drift("v", profile_of(learned, drawn(rng, rows)), drawn(rng, rows, scale=2))
    assert (wider.p_value < 0.001, wider.size > LARGE) == (True, True)


def test_there_is_no_profile_of_few_rows_or_of_vectors_that_are_all_the_same() -> None:
    rng = np.random.default_rng(5)
    many, few = drawn(rng, FEWEST_ROWS), drawn(rng, FEWEST_ROWS - 1)
    assert vector_profile(many, many) is not None
    assert vector_profile(many, few) is None
    assert vector_profile(few, many) is None
    assert vector_profile(np.ones_like(many), many) is None
    assert vector_profile(many, np.ones_like(many)) is None
