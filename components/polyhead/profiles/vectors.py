"""Vectors that a network makes of a feature: a profile of some, and how far others are from them.

How large a difference is says the Fréchet distance between the normal distributions of the same means and covariances
(D. C. Dowson, B. V. Landau, The Fréchet Distance between Multivariate Normal Distributions, Journal of Multivariate
Analysis 12, 1982, 450-455), as it is taken of pictures since M. Heusel et al., GANs Trained by a Two Time-Scale Update
Rule Converge to a Local Nash Equilibrium, NeurIPS 2017. Whether it is more than chance says the maximum mean
discrepancy (A. Gretton et al., A Kernel Two-Sample Test, Journal of Machine Learning Research 13, 2012, 723-773) in
random features of a normal kernel (A. Rahimi, B. Recht, Random Features for Large-Scale Kernel Machines, NeurIPS 2007).
It asks for no normal distribution: the features are bounded, so the means of 50 and more are nearly normal, and the
discrepancy is distributed as a sum of squares weighed by the eigenvalues of the features' covariance.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from polyhead.contracts.profile import ColumnDrift, VectorProfile

FEWEST_ROWS = 50
"""Vectors that are needed on either side."""

_AXES = 16
_VARIANCE = 0.99
_FREQUENCIES = 64
_DRAWS = 10_000
_PAIRS = 20
_DIGITS = 7
_SEED = 0

Floats = NDArray[np.float64]


class _Normal(NamedTuple):
    """Mean and covariance of some coordinates."""

    mean: Floats
    covariance: Floats

    @classmethod
    def of(cls, coordinates: Floats) -> _Normal:
        return cls(coordinates.mean(0), np.atleast_2d(np.cov(coordinates.T)))

    @property
    def variance(self) -> float:
        return float(np.trace(self.covariance))


def vector_profile(learned: NDArray[np.floating], held_out: NDArray[np.floating]) -> VectorProfile | None:
    """A profile of vectors.

    Args:
        learned: Of train rows, (rows, units).
        held_out: Of rows that the network has not learned from, (rows, units).

    Returns:
        None where either are fewer than 50, or where they do not differ among themselves.
    """
    both = (learned, held_out)
    if min(map(len, both)) < FEWEST_ROWS or not all(np.ptp(vectors, axis=0).any() for vectors in both):
        return None
    centre, axes = _principal(learned.astype(np.float64))
    looked_at = _Normal.of(_coordinates(learned, centre, axes))
    held = _coordinates(held_out, centre, axes)
    moments = _Normal.of(held)
    drawn = np.random.default_rng(_SEED).normal(size=(_FREQUENCIES, held.shape[1]))
    frequencies = _short(drawn / np.sqrt(looked_at.variance))
    waves = _waves(held, frequencies)
    spread = np.maximum(np.linalg.eigvalsh(np.cov(waves.T)), 0.0)
    return VectorProfile(
        rows=len(held),
        centre=centre.tolist(),
        axes=axes.tolist(),
        mean=_short(moments.mean).tolist(),
        covariance=_short(moments.covariance).tolist(),
        frequencies=frequencies.tolist(),
        waves=_short(waves.mean(0)).tolist(),
        spread=_short(spread).tolist(),
    )


def vector_drift(column: str, profile: VectorProfile, vectors: NDArray[np.floating]) -> ColumnDrift:
    """How far vectors of other rows are from those of a profile, before it is corrected for other comparisons.

    Args:
        column: The feature.
        profile: Of it.
        vectors: Of the other rows, at least 50, (rows, units).

    Returns:
        `frechet` is over the profile's total variance, less what samples of as many rows, all from the normal
        distribution of the profile, have between them on average: an estimate is too large where rows are few.
    """
    coordinates = _coordinates(vectors, np.array(profile.centre), np.array(profile.axes))
    here, there = _Normal(np.array(profile.mean), np.array(profile.covariance)), _Normal.of(coordinates)
    rng = np.random.default_rng(_SEED)
    by_chance = np.mean(
        [_frechet(*(_sample(here, rows, rng) for rows in (profile.rows, len(vectors)))) for _ in range(_PAIRS)]
    )
    waves = _waves(coordinates, np.array(profile.frequencies)).mean(0)
    discrepancy = float(((waves - np.array(profile.waves)) ** 2).sum()) / (1 / profile.rows + 1 / len(vectors))
    chances = rng.standard_normal((_DRAWS, len(profile.spread))) ** 2 @ np.array(profile.spread)
    moved = float(np.linalg.norm(there.mean - here.mean)) / np.sqrt(here.variance)
    return ColumnDrift(
        column=column,
        of="vectors",
        rows=len(vectors),
        frechet=max(0.0, _frechet(here, there) - float(by_chance)) / here.variance,
        p_value=float((1 + (chances >= discrepancy).sum()) / (1 + _DRAWS)),
        drift="none",
        detail=f"mean {moved:.2f} standard deviations away, variance {there.variance / here.variance:.2f} times that "
        "of val rows",
    )


def _principal(vectors: Floats) -> tuple[Floats, Floats]:
    """The mean, (units,), and the first principal axes, (axes, units)."""
    centre = vectors.mean(0)
    _, lengths, axes = np.linalg.svd(vectors - centre, full_matrices=False)
    held = np.cumsum(lengths**2) / max(float((lengths**2).sum()), np.finfo(np.float64).tiny)
    return _short(centre), _short(axes[: min(_AXES, int(np.searchsorted(held, _VARIANCE)) + 1)])


def _coordinates(vectors: NDArray[np.floating], centre: Floats, axes: Floats) -> Floats:
    """Where vectors are on each axis, and the length of what the axes leave out, (rows, axes + 1)."""
    moved = vectors.astype(np.float64) - centre
    along = moved @ axes.T
    return np.column_stack([along, np.linalg.norm(moved - along @ axes, axis=1)])


def _waves(coordinates: Floats, frequencies: Floats) -> Floats:
    """Random features of a normal kernel, (rows, 2 * frequencies)."""
    phases = coordinates @ frequencies.T
    waves: Floats = np.concatenate([np.cos(phases), np.sin(phases)], 1) / np.sqrt(len(frequencies))
    return waves


def _sample(of: _Normal, rows: int, rng: np.random.Generator) -> _Normal:
    """The moments of a sample from a normal distribution."""
    return _Normal.of(rng.multivariate_normal(of.mean, of.covariance, rows, check_valid="ignore"))


def _frechet(first: _Normal, second: _Normal) -> float:
    """The squared distance: |m - n|² + tr(A + B - 2 (A½ B A½)½)."""
    values, vectors = np.linalg.eigh(first.covariance)
    root = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    between = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ second.covariance @ root), 0.0)).sum()
    apart = float(((first.mean - second.mean) ** 2).sum())
    return max(0.0, apart + first.variance + second.variance - 2 * float(between))


def _short(numbers: Floats) -> Floats:
    """Numbers of seven digits: as many as the network's arithmetic has."""
    flat = [float(f"{one:.{_DIGITS}g}") for one in numbers.ravel()]
    return np.array(flat).reshape(numbers.shape)
