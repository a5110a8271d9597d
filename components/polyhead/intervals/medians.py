"""Limits of a median, from the order of the rows."""

from __future__ import annotations

import numpy as np
from scipy.special import betainc

from polyhead.intervals.method import TAIL, Floats, effective
from polyhead.intervals.shares import Estimate, wilson


def median(values: Floats) -> Estimate:
    """The median with limits between order statistics (Hettmansperger and Sheather 1986, Stat. Probab. Lett. 4).

    The population's median lies between the d-th lowest and the d-th highest value with a chance that only d and n
    decide. The limits lie between the innermost pair that holds it in 95 of 100 samples and the next one.

    Args:
        values: (n,), six at least.
    """
    ordered = np.sort(values)
    n = len(ordered)
    outside = 2 * _up_to(
        np.arange(n // 2, dtype=np.float64), n
    )  # how often the median lies outside the pair that leaves out so many
    cut = int(np.searchsorted(outside, 2 * TAIL, side="right")) - 1
    held, inner = 1 - outside[cut], 1 - outside[cut + 1]
    part = (held - (1 - 2 * TAIL)) / (held - inner)
    left = cut + 1
    share = (n - left) * part / (left + (n - 2 * left) * part)
    low = (1 - share) * ordered[cut] + share * ordered[cut + 1]
    high = (1 - share) * ordered[n - 1 - cut] + share * ordered[n - 2 - cut]
    middle = float(np.median(ordered))
    return Estimate(middle, float(low), float(high), np.sign(values - middle))


def weighted_median(values: Floats, weights: Floats) -> Estimate:
    """The median by weights, with limits from those of a share (R. S. Woodruff, J. Am. Stat. Assoc. 47, 1952).

    Wilson's limits of one half, over as many rows of equal weight as say as much, are turned back by the shares of the
    weight up to each value.

    Args:
        values: (n,).
        weights: (n,), from 0, not all of them 0.
    """
    rows = effective(weights)
    low, high = wilson(rows / 2, rows)
    low, middle, high = (
        float(np.quantile(values, share, method="inverted_cdf", weights=weights)) for share in (low, 0.5, high)
    )
    return Estimate(middle, low, high, weights * np.sign(values - middle))


def _up_to(hits: Floats, rows: int) -> Floats:
    """The chance of at most so many heads in so many throws of a coin."""
    found: Floats = betainc(rows - hits, hits + 1.0, 0.5)
    return found
