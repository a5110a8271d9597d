"""What a method gives: limits of a metric, limits of its difference to the baseline, or why there are none."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Generic, Protocol, Self, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from polyhead.errors import counted

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]


class Rows(Protocol):
    """Something about some rows, of which fewer can be taken.

    Attributes:
        weights: Row weights, (n,); None where all count alike.
    """

    @property
    def weights(self) -> Floats | None:
        """See there."""

    def rows(self, chosen: NDArray[np.int64]) -> Self:
        """The same about some of the rows."""


OutcomeT_contra = TypeVar("OutcomeT_contra", bound=Rows, contravariant=True)

TAIL = 0.025
Z = float(ndtri(1 - TAIL))
FEWEST_ROWS = 30


@dataclass(frozen=True)
class Span:
    """The two limits, and the method that gave them in words."""

    low: float
    high: float
    method: str


@dataclass(frozen=True)
class Resamples:
    """Rows drawn with replacement, as counts, so that a resample's means are a matrix product."""

    rows: int
    number: int
    seed: int

    def means(self, columns: Floats) -> Floats:
        """Means of the columns (n, c) in every resample, (number, c)."""
        means: Floats = _counts(self.rows, self.number, self.seed) @ columns / self.rows
        return means


@lru_cache(maxsize=1)
def _counts(rows: int, number: int, seed: int) -> Floats:
    """How often each row is in each resample, (number, n); heads with as many rows share it."""
    generator = np.random.default_rng(seed)
    counts = np.empty((number, rows))
    for resample in counts:
        resample[:] = np.bincount(generator.integers(0, rows, rows), minlength=rows)
    return counts


def effective(weights: Floats) -> float:
    """How many rows of equal weight say as much: Kish's effective number (L. Kish, Survey Sampling, Wiley 1965)."""
    largest = float(weights.max(initial=0.0))
    shares = weights / largest if largest > 0 else weights
    squares = float(shares @ shares)
    return float(shares.sum()) ** 2 / squares if squares > 0 else 0.0


def no_doubt(outcome: object) -> str:
    """Nothing speaks against an interval."""
    return ""


@dataclass(frozen=True, kw_only=True)
class Method(ABC, Generic[OutcomeT_contra]):
    """How a metric gets its interval.

    Attributes:
        fewest_rows: With fewer there is neither an interval nor a difference. Default: 30.
        doubt: Why nothing can be promised of the metric on some rows; empty where it can. Default: nothing.
        doubt_of_sign: Why not even the sign of its difference to the baseline can be told. Default: nothing.
        weighs: Whether it counts rows by the outcome's row weights. Default: it counts them alike.
    """

    fewest_rows: int = FEWEST_ROWS
    doubt: Callable[[OutcomeT_contra], str] = no_doubt
    doubt_of_sign: Callable[[OutcomeT_contra], str] = no_doubt
    weighs: bool = False

    @abstractmethod
    def limits(self, outcome: OutcomeT_contra, resamples: Resamples) -> Span | str:
        """Limits of the metric, or why they cannot be computed."""

    @abstractmethod
    def difference(self, outcome: OutcomeT_contra, baseline: OutcomeT_contra, resamples: Resamples) -> Span | str:
        """Limits of the metric minus the baseline's on the same rows, or why they cannot be computed."""

    @abstractmethod
    def apart(self, outcome: OutcomeT_contra, inside: Booleans, seed: int) -> float | str:
        """How likely the metrics of some rows and of the others are so far apart by chance, or why that is not known.

        The two-sided p-value of the hypothesis that the metric is the same in the populations of both.

        Args:
            outcome: All rows.
            inside: Which are the some, bool (n,).
            seed: Of what is drawn.
        """


def too_few(rows: int, fewest: int) -> str:
    """Why there is no interval where a metric is over fewer rows than it needs; empty where there are enough."""
    return f"{counted(rows, 'row')}, an interval needs {fewest}" if rows < fewest else ""
