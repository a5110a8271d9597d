"""The deviances of counts, for arrays; `graph.py` has them as losses."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

LEAST_DISPERSION = 1e-6
"""Below it counts scatter as Poisson's do."""


def own_terms(counts: Floats) -> Floats:
    """Each count times its logarithm, 0 for 0."""
    found: Floats = counts * np.log(np.maximum(counts, 1))
    return found


def poisson_deviances(counts: Floats, means: Floats) -> Floats:
    """Twice what the log likelihood of each count lacks to that of a perfect prediction, from means above 0."""
    found: Floats = 2 * (own_terms(counts) - counts * np.log(means) - counts + means)
    return found


def negative_binomial_deviances(counts: Floats, means: Floats, dispersion: float) -> Floats:
    """The same of a negative binomial distribution with a variance of mean + dispersion * mean^2; of Poisson at 0.

    With s the softplus and x a logarithm of dispersion * number, half of it is
    count * (s(-x of mean) - s(-x of count)) - (s(x of count) - s(x of mean)) / dispersion: no term is the difference of
    large numbers. (J. M. Hilbe, Negative Binomial Regression, Cambridge 2011, chapter 8.)
    """
    if dispersion < LEAST_DISPERSION:
        return poisson_deviances(counts, means)
    of_mean, of_count = np.log(dispersion * means), np.log(dispersion * np.maximum(counts, 1))
    there = counts > 0
    short = np.where(there, _softplus(-of_mean) - _softplus(-of_count), 0.0)
    more = np.where(there, _softplus(of_count), 0.0) - _softplus(of_mean)
    found: Floats = 2 * (counts * short - more / dispersion)
    return found


def _softplus(x: Floats) -> Floats:
    found: Floats = np.logaddexp(0.0, x)
    return found
