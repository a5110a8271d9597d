"""Limits of the areas under one class's curves."""

from __future__ import annotations

import math

import numpy as np
from scipy.special import expit, logit, stdtrit

from polyhead.intervals.method import TAIL, Booleans, Floats, Z
from polyhead.intervals.shares import Estimate, wilson


def roc_auc(true: Booleans, scores: Floats) -> Estimate:
    """The share of pairs of a positive and a negative row, ties half, in which the positive one scores higher.

    Args:
        true: Which rows are positive, (n,); two of them at least, and not all but one.
        scores: (n,).
    """
    n, positives, negatives = len(true), int(true.sum()), int((~true).sum())
    above = _share_below(scores[true], scores[~true])
    below = 1 - _share_below(scores[~true], scores[true])
    value = float(above.mean())
    influence = np.zeros(n)
    influence[true], influence[~true] = (above - value) * n / positives, (below - value) * n / negatives
    if np.ptp(scores) == 0:
        return Estimate(0.5, 0.5, 0.5, influence)
    low, high = _newcombe(value, positives, negatives)
    variances = above.var(ddof=1) / positives, below.var(ddof=1) / negatives
    if 0 < value < 1 and sum(variances) > 0:
        freedom = sum(variances) ** 2 / (variances[0] ** 2 / (positives - 1) + variances[1] ** 2 / (negatives - 1))
        delong = _logit_limits(value, math.sqrt(sum(variances)), freedom)
        outer = min(delong[0], low), max(delong[1], high)
        low, high = (float(expit((logit(a) + logit(b)) / 2)) for a, b in zip(delong, outer, strict=True))
    return Estimate(value, low, high, influence)


def _share_below(scores: Floats, others: Floats) -> Floats:
    """For each score the share of the others that are lower, ties half."""
    ordered = np.sort(others)
    left, right = np.searchsorted(ordered, scores, "left"), np.searchsorted(ordered, scores, "right")
    return (left + right) / (2 * len(others))


def _newcombe(value: float, positives: int, negatives: int) -> tuple[float, float]:
    """Limits of a ROC AUC where it is as many standard errors away as a normal interval is wide, by bisection."""
    larger = (positives + negatives) / 2 - 1

    def limit(outside: float) -> float:
        inside = value
        for _ in range(60):
            middle = (inside + outside) / 2
            spread = (1 - middle) / (2 - middle) + middle / (1 + middle)
            error = math.sqrt(middle * (1 - middle) * (1 + larger * spread) / (positives * negatives))
            if abs(value - middle) > Z * error:
                outside = middle
            else:
                inside = middle
        return (inside + outside) / 2

    return limit(0.0), limit(1.0)


def _logit_limits(value: float, error: float, freedom: float) -> tuple[float, float]:
    half = float(stdtrit(freedom, 1 - TAIL)) * error / (value * (1 - value))
    return float(expit(logit(value) - half)), float(expit(logit(value) + half))


def pr_auc(true: Booleans, scores: Floats) -> Estimate:
    """Average precision: over the positive rows, the mean share of positives among the rows that score as high."""
    n = len(true)
    order = np.argsort(-scores, kind="stable")
    has, ordered = true[order].astype(np.float64), scores[order]
    ends = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True))
    group = np.searchsorted(ends, np.arange(n))
    first, last = np.append(0, ends[:-1] + 1)[group], ends[group]
    found, looked = has.cumsum()[last], last + 1.0
    positives = float(has.sum())
    value = float((has * found / looked).sum() / positives)
    gain = (has / looked)[::-1].cumsum()[::-1][first]
    loss = (has * found / looked**2)[::-1].cumsum()[::-1][first]
    influence = np.empty(n)
    influence[order] = n / positives * (has * found / looked + has * gain - loss - has * value)
    error = float(influence.std() / math.sqrt(n - 1))
    if 0 < value < 1 and error > 0:
        low, high = _logit_limits(value, error, positives - 1)
    else:
        low, high = wilson(value * positives, positives)
    return Estimate(value, low, high, influence)
