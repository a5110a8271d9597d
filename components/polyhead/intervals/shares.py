"""Shares and ranks: limits of each class from its own rows, joined into those of a mean and of a difference."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from polyhead.intervals.method import Floats, Method, OutcomeT_contra, Resamples, Span, Z


@dataclass(frozen=True)
class Part:
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
        part: The metric of some rows with its limits, or why there are none.
        certain: The same of the baseline, of which more is certain. Default: `part`.
    """

    name: str
    part: Callable[[OutcomeT_contra], Part | str]
    certain: Callable[[OutcomeT_contra], Part | str] | None = None

    def limits(self, outcome: OutcomeT_contra, resamples: Resamples) -> Span | str:
        """Those of the part; nothing is drawn."""
        part = self.part(outcome)
        return part if isinstance(part, str) else Span(part.low, part.high, self.name)

    def difference(self, outcome: OutcomeT_contra, baseline: OutcomeT_contra, resamples: Resamples) -> Span | str:
        """By MOVER for paired values."""
        own, trivial = self.part(outcome), (self.certain or self.part)(baseline)
        if isinstance(own, str) or isinstance(trivial, str):
            return own if isinstance(own, str) else str(trivial)
        low, high = paired(own, trivial)
        return Span(low, high, f"{self.name}, paired by MOVER")


def wilson(hits: float, rows: float) -> tuple[float, float]:
    """Wilson's limits of a share, within 0 and 1."""
    share, fade = hits / rows, Z**2 / rows
    centre = (share + fade / 2) / (1 + fade)
    half = Z * math.sqrt(share * (1 - share) / rows + fade / (4 * rows)) / (1 + fade)
    return max(centre - half, 0.0), min(centre + half, 1.0)


def mean_of(parts: list[Part], *, related: float) -> Part:
    """The mean of correlated parts; `related` replaces those whose rows do not vary."""
    if len(parts) == 1:
        return parts[0]
    influences = np.stack([part.influence for part in parts])
    with np.errstate(all="ignore"):
        correlations = np.corrcoef(influences)
    correlations = np.where(np.isfinite(correlations), correlations, related)
    np.fill_diagonal(correlations, 1)
    value = float(np.mean([part.value for part in parts]))
    below, above = (
        math.sqrt(max(float(distance @ correlations @ distance), 0.0)) / len(parts)
        for distance in (
            np.array([part.value - part.low for part in parts]),
            np.array([part.high - part.value for part in parts]),
        )
    )
    return Part(value, max(value - below, 0.0), min(value + above, 1.0), influences.mean(0))


def paired(one: Part, other: Part) -> tuple[float, float]:
    """Limits of the difference of two values from the same rows."""
    spread = one.influence.std() * other.influence.std()
    related = float((one.influence * other.influence).mean() / spread) if spread > 0 else 0.0

    def distance(first: float, second: float) -> float:
        return math.sqrt(max(first**2 + second**2 - 2 * related * first * second, 0.0))

    difference = one.value - other.value
    low = difference - distance(one.value - one.low, other.high - other.value)
    return low, difference + distance(one.high - one.value, other.value - other.low)
