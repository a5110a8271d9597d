"""Shares and ranks: limits of each class from its own rows, joined into those of a mean and of a difference."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import betaincinv, ndtr

from polyhead.intervals.method import TAIL, Booleans, Floats, Method, OutcomeT_contra, Resamples, Span, Z


@dataclass(frozen=True)
class Estimate:
    """A value with its limits; `influence`, (n,), is what each row adds to its error, mean 0."""

    value: float
    low: float
    high: float
    influence: Floats


@dataclass(frozen=True, kw_only=True)
class Shares(Method[OutcomeT_contra]):
    """A share, a rank, or a mean of them.

    Attributes:
        name: Of the method, in words.
        estimate: The metric of some rows with its limits, or why there are none.
        certain: The same of the baseline, of which more is certain. Default: `estimate`.
        lowest: The least possible value of the metric; the largest is 1.
    """

    name: str
    estimate: Callable[[OutcomeT_contra], Estimate | str]
    certain: Callable[[OutcomeT_contra], Estimate | str] | None = None
    lowest: float = 0.0

    def limits(self, outcome: OutcomeT_contra, resamples: Resamples) -> Span | str:
        """Those of the estimate; nothing is drawn."""
        estimate = self.estimate(outcome)
        return estimate if isinstance(estimate, str) else Span(estimate.low, estimate.high, self.name)

    def difference(self, outcome: OutcomeT_contra, baseline: OutcomeT_contra, resamples: Resamples) -> Span | str:
        """By MOVER for paired values."""
        own, trivial = self.estimate(outcome), (self.certain or self.estimate)(baseline)
        if isinstance(own, str) or isinstance(trivial, str):
            return own if isinstance(own, str) else str(trivial)
        low, high = paired(own, trivial)
        return Span(low, high, f"{self.name}, paired by MOVER")

    def apart(self, outcome: OutcomeT_contra, inside: Booleans, seed: int) -> float | str:
        """By MOVER: how many times farther apart they are than the limits that face each other allow; no draws."""
        own, other = (self.estimate(outcome.rows(np.flatnonzero(one))) for one in (inside, ~inside))
        if isinstance(own, str) or isinstance(other, str):
            return own if isinstance(own, str) else str(other)
        lower, higher = sorted((own, other), key=lambda one: one.value)
        reach = math.hypot(lower.high - lower.value, higher.value - higher.low)
        return float(2 * ndtr(-Z * (higher.value - lower.value) / reach)) if reach > 0 else 1.0


def wilson(hits: float, rows: float) -> tuple[float, float]:
    """Wilson's limits of a share, within 0 and 1."""
    share, fade = hits / rows, Z**2 / rows
    centre = (share + fade / 2) / (1 + fade)
    half = Z * math.sqrt(share * (1 - share) / rows + fade / (4 * rows)) / (1 + fade)
    return max(centre - half, 0.0), min(centre + half, 1.0)


def share(hits: Booleans) -> Estimate:
    """Of the rows that are hits, (n,), with Wilson's limits."""
    found = hits.astype(np.float64)
    value = float(found.mean())
    return Estimate(value, *wilson(float(found.sum()), len(found)), found - value)


def clopper_pearson(hits: int, rows: int) -> tuple[float, float]:
    """Exact limits of a share (Clopper and Pearson 1934, Biometrika 26), within 0 and 1."""
    low = float(betaincinv(hits, rows - hits + 1, TAIL)) if hits else 0.0
    high = float(betaincinv(hits + 1, rows - hits, 1 - TAIL)) if hits < rows else 1.0
    return low, high


def by_influence(value: float, influence: Floats, *, lowest: float = 0.0, certain: int | None = None) -> Estimate:
    """An estimate between `lowest` and 1 with the limits of a share that is as uncertain.

    That is Wilson's interval over as many rows as would give a share the standard error of the influence (Korn and
    Graubard 1998, Surv. Methodol. 24, with Wilson's limits in the place of exact ones).

    Args:
        value: The estimate.
        influence: What each row adds to its error, (n,).
        lowest: The least possible value.
        certain: Rows to count where the influence is 0 everywhere, at an end. Default: all.
    """
    n, span = len(influence), 1 - lowest
    share = (value - lowest) / span
    variance = float((influence**2).mean()) / (n - 1) / span**2
    rows = share * (1 - share) / variance if variance > 0 and 0 < share < 1 else float(certain or n)
    low, high = wilson(share * rows, rows)
    return Estimate(value, lowest + span * low, lowest + span * high, influence)


def mean_of(estimates: list[Estimate], *, related: float) -> Estimate:
    """The mean of correlated estimates; `related` replaces those whose rows do not vary."""
    if len(estimates) == 1:
        return estimates[0]
    influences = np.stack([estimate.influence for estimate in estimates])
    with np.errstate(all="ignore"):
        correlations = np.corrcoef(influences)
    correlations = np.where(np.isfinite(correlations), correlations, related)
    np.fill_diagonal(correlations, 1)
    value = float(np.mean([estimate.value for estimate in estimates]))
    below, above = (
        math.sqrt(max(float(distance @ correlations @ distance), 0.0)) / len(estimates)
        for distance in (
            np.array([estimate.value - estimate.low for estimate in estimates]),
            np.array([estimate.high - estimate.value for estimate in estimates]),
        )
    )
    return Estimate(value, max(value - below, 0.0), min(value + above, 1.0), influences.mean(0))


def paired(one: Estimate, other: Estimate) -> tuple[float, float]:
    """Limits of the difference of two values from the same rows."""
    spread = one.influence.std() * other.influence.std()
    related = float((one.influence * other.influence).mean() / spread) if spread > 0 else 0.0

    def distance(first: float, second: float) -> float:
        return math.sqrt(max(first**2 + second**2 - 2 * related * first * second, 0.0))

    difference = one.value - other.value
    low = difference - distance(one.value - one.low, other.high - other.value)
    return low, difference + distance(one.high - one.value, other.value - other.low)
