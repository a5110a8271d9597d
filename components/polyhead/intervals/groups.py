"""Limits of a metric by row weights from what it is without some of the rows: the jackknife that deletes groups.

Where a metric is a share or a rank, the method of its interval counts rows, which weights are not. So the rows are
dealt into 50 groups, the metric is measured without each of them, and the spread of these values is its standard error
(P. S. Kott, The Delete-a-Group Jackknife, Journal of Official Statistics 17, 2001, 521-526). Rows are in the order of a
hash of their keys, so every fiftieth row is a random group.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator

import numpy as np
from scipy.special import stdtrit

from polyhead.intervals.method import TAIL, Booleans, Floats, Span, Z
from polyhead.intervals.shares import wilson

_GROUPS = 50
_NAME = "jackknife of groups"
_UNDEFINED = "some of the rows decide whether it is defined"
_ALL_AGREE = "all rows agree, so they do not show how much it varies"


def kept(rows: int) -> Iterator[Booleans]:
    """Which of so many rows are left without each group."""
    groups = min(rows, _GROUPS)
    for group in range(groups):
        yield np.arange(rows) % groups != group


def values_of(value: Callable[[Booleans], float | None], rows: int) -> Floats | str:
    """What a function of some rows is without each group, or why it is not known."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn warns where a metric is not defined
        found = [value(left) for left in kept(rows)]
    if any(one is None or not math.isfinite(one) for one in found):
        return _UNDEFINED
    return np.array(found, np.float64)


def limits(value: float, without: Floats, lowest: float, rows: float) -> Span:
    """Wilson's limits of a share that is as uncertain.

    Args:
        value: Of all rows.
        without: Without each group.
        lowest: The least possible value; the largest is 1.
        rows: How many of equal weight say as much, for where no group changes anything.
    """
    span = 1 - lowest
    share, variance = (value - lowest) / span, (_error(without) * _longer(without) / span) ** 2
    counted = share * (1 - share) / variance if variance > 0 and 0 < share < 1 else rows
    low, high = wilson(share * counted, counted)
    return Span(lowest + span * low, lowest + span * high, _NAME)


def difference(value: float, without: Floats) -> Span | str:
    """Of a difference: Student's t."""
    half = Z * _error(without) * _longer(without)
    return Span(value - half, value + half, _NAME) if half > 0 else _ALL_AGREE


def _error(without: Floats) -> float:
    groups = len(without)
    return math.sqrt((groups - 1) / groups * float(((without - without.mean()) ** 2).sum()))


def _longer(without: Floats) -> float:
    """What so few groups widen an interval by."""
    return float(stdtrit(len(without) - 1, 1 - TAIL)) / Z
