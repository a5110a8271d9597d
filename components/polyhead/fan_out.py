"""Cutting work into partitions of about the same size."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from polyhead.contracts.partitions import Partition, Plan
from polyhead.errors import counted
from polyhead.progress import say

ROW_BYTES = 256
"""What a row is reckoned to cost beside its pictures."""


def balanced(sizes: NDArray[np.int64], count: int) -> list[Partition]:
    """Cut a row of items so that the largest partition is as small as neighbours can make it.

    Args:
        sizes: Bytes of each item, at least 1 each.
        count: Most partitions, at least 1. There are fewer where fewer do not make the largest one larger.

    Returns:
        At least one partition; none is empty unless there are no items.
    """
    ends = np.cumsum(sizes)
    total = int(ends[-1]) if len(ends) else 0
    low, high = max(-(-total // count), int(sizes.max(initial=0))), total
    while low < high:
        middle = (low + high) // 2
        if len(_cuts(ends, middle)) <= count:
            high = middle
        else:
            low = middle + 1
    cuts = _cuts(ends, low) or [0]
    starts = [0, *cuts[:-1]]
    reached = [0, *(int(ends[cut - 1]) if cut else 0 for cut in cuts)]
    return [
        Partition(name=f"{i:05d}-of-{len(cuts):05d}", start=start, end=end, bytes=reached[i + 1] - reached[i])
        for i, (start, end) in enumerate(zip(starts, cuts, strict=True))
    ]


def tell_plan(plan: Plan, item: str, of: str = "") -> None:
    """Say how a plan cuts the work.

    Args:
        plan: The plan.
        item: What its partitions hold, for example `row`.
        of: What such an item is made of, for example ` of 256 rows`.
    """
    counts = [partition.end - partition.start for partition in plan.partitions]
    sizes = [partition.bytes / 2**20 for partition in plan.partitions]
    least = "" if min(counts) == max(counts) else f"{min(counts):,} to "
    smallest = "" if len(sizes) == 1 else f"{min(sizes):,.1f} to "
    items = f"{least}{counted(max(counts), item)}{of}"
    say(f"{counted(len(counts), 'partition')} of {items}, {smallest}{max(sizes):,.1f} MiB")


def _cuts(ends: NDArray[np.int64], most: int) -> list[int]:
    """Where partitions of at most so many bytes end, each as long as can be."""
    cuts: list[int] = []
    reached = 0
    while not cuts or cuts[-1] < len(ends):
        cuts.append(int(np.searchsorted(ends, reached + most, side="right")))
        if cuts[-1] == 0:
            return []
        reached = int(ends[cuts[-1] - 1])
    return cuts
