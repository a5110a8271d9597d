"""The deviances of counts, and a scale on which they scatter alike, for arrays; `graph.py` has them for tensors."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

LEAST_DISPERSION = 1e-6
"""Below it counts scatter as Poisson's do."""


ANSCOMBE = 3 / 8
"""What is added to a count before its root is taken."""


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


def even(counts: Floats, dispersion: float) -> Floats:
    """Counts on a scale on which those of any mean scatter alike: roots, and with a dispersion inverse sines of these.

    (F. J. Anscombe, The Transformation of Poisson, Binomial and Negative-Binomial Data, Biometrika 35, 1948, 246-254.)
    """
    root = np.sqrt(counts + ANSCOMBE)
    if dispersion < LEAST_DISPERSION:
        return root
    stretch = np.sqrt(dispersion)
    found: Floats = np.arcsinh(stretch * root) / stretch
    return found


def _softplus(x: Floats) -> Floats:
    found: Floats = np.logaddexp(0.0, x)
    return found
