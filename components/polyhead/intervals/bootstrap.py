"""Losses and errors: the studentised bootstrap of means over the rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri, stdtr

from polyhead.intervals.method import TAIL, Booleans, Floats, Method, OutcomeT_contra, Resamples, Span

FEWEST_RESAMPLES = 1_000
LONG_TAIL = 0.01
FAR_TAIL = 0.005
_NORMAL_FROM = 5_000
_DEALT = 1_000
_OUTER = 0.01
_LIKELY = 0.05

LARGEST_VARIANCE = 0.15
"""Of a mean of losses, relative to its square: above it a few rows decide the mean."""

FEW_DECIDE = "a few rows with large errors decide it, and these rows do not show how often they come"
_ALL_AGREE = "all rows agree, so they do not show how much it varies"
_TOO_FEW_DIFFER = "too few rows differ to show how much it varies"


@dataclass(frozen=True)
class Smooth:
    """A function of the means of some terms.

    Attributes:
        terms: (n, k).
        function: Means (..., k) to values (...).
        gradient: Means (..., k) to derivatives (..., k).
    """

    terms: Floats
    function: Callable[[Floats], Floats]
    gradient: Callable[[Floats], Floats]

    def estimate(self, moments: Floats) -> tuple[Floats, Floats]:
        """Values and standard errors (...), of the moments (..., k + k²) that `columns` has the rows of."""
        return self._estimate(moments, len(self.terms))

    def _estimate(self, moments: Floats, n: int) -> tuple[Floats, Floats]:
        k = self.terms.shape[1]
        means = moments[..., :k]
        slope = self.gradient(means)
        squares = moments[..., k:].reshape(*moments.shape[:-1], k, k)
        along = np.einsum("...i,...ij,...j->...", slope, squares, slope) - (slope * means).sum(-1) ** 2
        return self.function(means), np.sqrt(np.maximum(along, 0) / (n - 1))

    def apart(self, inside: Floats, sizes: NDArray[np.int64]) -> tuple[Floats, Floats]:
        """How many standard errors two parts of the rows are apart, and the degrees of freedom, (parts,) each.

        Args:
            inside: Which rows are in the first part, 1 or 0, (parts, n).
            sizes: Rows of the first part and of the second, the same in all.
        """
        sums = inside @ self.columns
        parts = (sums, self.columns.sum(0) - sums)
        (one, error), (other, other_error) = (
            self._estimate(of / size, size) for of, size in zip(parts, sizes.tolist(), strict=True)
        )
        variances = error**2 + other_error**2
        freedoms = variances**2 / (error**4 / (sizes[0] - 1) + other_error**4 / (sizes[1] - 1))
        return (one - other) / np.sqrt(variances), freedoms

    @cached_property
    def columns(self) -> Floats:
        """The terms and their products, (n, k + k²)."""
        products = self.terms[:, :, None] * self.terms[:, None, :]
        return np.concatenate([self.terms, products.reshape(len(self.terms), -1)], 1)

    @property
    def skewness(self) -> float:
        """Third moment of the rows' influences; only its sign matters."""
        deviations = self.terms - self.terms.mean(0)
        return float(((deviations @ self.gradient(self.terms.mean(0))) ** 3).mean())


@dataclass(frozen=True, kw_only=True)
class Bootstrap(Method[OutcomeT_contra]):
    """A function of the mean of the rows' losses or errors.

    Attributes:
        error: The positive mean behind the metric, whose logarithm is drawn.
        back: The metric of that logarithm.
        gain: The metric minus the baseline's, from what the rows of the two differ by.
        tail: Share of the resamples that is cut off where a sample's errors fall short. Default: 1 %.

    With row weights every mean is the ratio of two: of the terms times their weights, and of the weights.
    """

    weighs: bool = True

    error: Callable[[OutcomeT_contra], Smooth]
    back: Callable[[float], float]
    gain: Callable[[OutcomeT_contra, OutcomeT_contra], Smooth]
    tail: float = LONG_TAIL

    def limits(self, outcome: OutcomeT_contra, resamples: Resamples) -> Span | str:
        """On the logarithm's scale, turned back."""
        logarithm = _log_of(weighed(self.error(outcome), outcome.weights))
        with np.errstate(all="ignore"):
            _, error = logarithm.estimate(logarithm.columns.mean(0))
        if error**2 > LARGEST_VARIANCE:
            return FEW_DECIDE
        span = studentised(logarithm, resamples, (self.tail, TAIL))
        if isinstance(span, str):
            return span
        try:
            low, high = sorted((float(self.back(span.low)), float(self.back(span.high))))
        except OverflowError:
            return _TOO_FEW_DIFFER
        return Span(low, high, span.method)

    def difference(self, outcome: OutcomeT_contra, baseline: OutcomeT_contra, resamples: Resamples) -> Span | str:
        """On the metric's own scale."""
        smooth = weighed(self.gain(outcome, baseline), outcome.weights)
        tails = (FAR_TAIL, LONG_TAIL) if smooth.skewness > 0 else (LONG_TAIL, FAR_TAIL)
        return studentised(smooth, resamples, tails)

    def apart(self, outcome: OutcomeT_contra, inside: Booleans, seed: int) -> float | str:
        """By Welch's t test of the logarithms of both errors.

        Where it is below 5 %, and the rows are few, the rows are dealt anew 1,000 times into two parts of the same
        sizes: if the hundredth largest of these differences is farther out than the test expects, all are by as much.
        """
        smooth = _log_of(weighed(self.error(outcome), outcome.weights))
        sizes = np.array([inside.sum(), (~inside).sum()])
        with np.errstate(all="ignore"):
            ratio, freedom = smooth.apart(inside[None].astype(np.float64), sizes)
            if not np.isfinite(ratio[0]):
                return _ALL_AGREE
            chance = float(2 * stdtr(freedom[0], -abs(ratio[0])))
            if chance > _LIKELY or len(inside) >= _NORMAL_FROM:
                return chance
            generator = np.random.default_rng(seed)
            dealt = generator.permuted(np.tile(inside, (_DEALT, 1)), axis=1).astype(np.float64)
            ratios, freedoms = smooth.apart(dealt, sizes)
        chances = np.where(np.isfinite(ratios), 2 * stdtr(freedoms, -np.abs(ratios)), 1.0)
        outer = float(np.quantile(chances, _OUTER))
        if outer >= _OUTER:
            return chance
        farther = float(ndtri(outer / 2) / ndtri(_OUTER / 2))
        return float(2 * ndtr(ndtri(chance / 2) / farther))


def studentised(smooth: Smooth, resamples: Resamples, tails: tuple[float, float]) -> Span | str:
    """Limits by the studentised bootstrap.

    Args:
        smooth: What is estimated.
        resamples: The draws; none is made of 5,000 rows or more.
        tails: Shares of the resamples that are cut off below, which gives the upper limit, and above.
    """
    n = len(smooth.terms)
    with np.errstate(all="ignore"):
        value, error = smooth.estimate(smooth.columns.mean(0))
        if not np.isfinite(value) or not error > 0:
            return _ALL_AGREE
        if n >= _NORMAL_FROM:
            below, above = ndtri(tails[0]), ndtri(1 - tails[1])
            return Span(float(value - above * error), float(value - below * error), "normal")
        if resamples.number < FEWEST_RESAMPLES:
            return f"evaluate.bootstrap is {resamples.number}, an interval needs {FEWEST_RESAMPLES:,} resamples"
        values, errors = smooth.estimate(resamples.means(smooth.columns))
        ratios = (values - value) / errors
    ratios = ratios[np.isfinite(ratios)]
    if 10 * len(ratios) < 9 * resamples.number:
        return _TOO_FEW_DIFFER
    below, above = np.quantile(ratios, [tails[0], 1 - tails[1]])
    return Span(float(value - above * error), float(value - below * error), "studentised bootstrap")


def ratio(values: Floats, counted: Floats) -> Smooth:
    """Mean of the values (n,) over that of how much each counts (n,)."""
    return Smooth(
        np.stack([values, counted], 1),
        lambda m: m[..., 0] / m[..., 1],
        lambda m: np.stack([1 / m[..., 1], -m[..., 0] / m[..., 1] ** 2], -1),
    )


def mean(values: Floats) -> Smooth:
    """Mean of the values (n,)."""
    return ratio(values, np.ones(len(values)))


def over_variance(values: Floats, numbers: Floats) -> Smooth:
    """Mean of the values (n,) over the variance of the numbers (n,)."""
    centred = numbers - numbers.mean()

    def gradient(m: Floats) -> Floats:
        variance = m[..., 2] - m[..., 1] ** 2
        share = m[..., 0] / variance
        return np.stack([1 / variance, 2 * share * m[..., 1] / variance, -share / variance], -1)

    return Smooth(
        np.stack([values, centred, centred**2], 1), lambda m: m[..., 0] / (m[..., 2] - m[..., 1] ** 2), gradient
    )


def difference_of_roots(values: Floats, others: Floats) -> Smooth:
    """Root of the mean of the values (n,) minus that of the others (n,)."""
    return Smooth(
        np.stack([values, others], 1),
        lambda m: np.sqrt(m[..., 0]) - np.sqrt(m[..., 1]),
        lambda m: np.stack([0.5 / np.sqrt(m[..., 0]), -0.5 / np.sqrt(m[..., 1])], -1),
    )


def root(smooth: Smooth) -> Smooth:
    """The root of a function."""
    return Smooth(
        smooth.terms,
        lambda m: np.sqrt(smooth.function(m)),
        lambda m: 0.5 * smooth.gradient(m) / np.sqrt(smooth.function(m))[..., None],
    )


def average(parts: Sequence[tuple[Smooth, Booleans]]) -> Smooth:
    """The mean of functions each of which is of some of the rows.

    Args:
        parts: At least one: the function of its own rows, and which of all rows (n,) these are.
    """
    count = len(parts)
    each = [_on_all_rows(smooth, rows) for smooth, rows in parts]
    ends = np.cumsum([smooth.terms.shape[1] for smooth in each]).tolist()
    places = [slice(end - smooth.terms.shape[1], end) for smooth, end in zip(each, ends, strict=True)]

    def function(m: Floats) -> Floats:
        total: Floats = sum(
            (smooth.function(m[..., at]) for smooth, at in zip(each, places, strict=True)), np.zeros(())
        )
        return total / count

    def gradient(m: Floats) -> Floats:
        slopes = [smooth.gradient(m[..., at]) for smooth, at in zip(each, places, strict=True)]
        return np.concatenate(slopes, -1) / count

    return Smooth(np.concatenate([smooth.terms for smooth in each], 1), function, gradient)


def _on_all_rows(smooth: Smooth, rows: Booleans) -> Smooth:
    """The same function of all rows, of which only some count."""
    terms = np.zeros((len(rows), smooth.terms.shape[1]))
    terms[rows] = smooth.terms
    return weighed(replace(smooth, terms=terms), rows.astype(np.float64))


def weighed(smooth: Smooth, weights: Floats | None) -> Smooth:
    """The same function of means by row weights, whose own mean is one more term.

    Args:
        smooth: Of means over the rows.
        weights: From 0, not all of them 0. Default: all rows count alike.
    """
    if weights is None:
        return smooth
    counts = (weights / weights.max())[:, None]

    def gradient(m: Floats) -> Floats:
        means, share = m[..., :-1] / m[..., -1:], m[..., -1:]
        slope = smooth.gradient(means)
        return np.concatenate([slope, -(slope * means).sum(-1, keepdims=True)], -1) / share

    terms = np.concatenate([smooth.terms * counts, counts], 1)
    return Smooth(terms, lambda m: smooth.function(m[..., :-1] / m[..., -1:]), gradient)


def _log_of(smooth: Smooth) -> Smooth:
    return Smooth(
        smooth.terms,
        lambda m: np.log(smooth.function(m)),
        lambda m: smooth.gradient(m) / smooth.function(m)[..., None],
    )
