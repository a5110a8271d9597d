"""Cutting work into partitions: nothing lost, nothing twice, the largest as small as neighbours can make it."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from polyhead.fan_out import balanced


def smallest_largest(sizes: list[int], count: int) -> int:
    """The oracle: try every way to cut."""
    best = sum(sizes)
    for cuts in itertools.combinations(range(1, len(sizes)), min(count, len(sizes)) - 1):
        ends = [0, *cuts, len(sizes)]
        best = min(best, max(sum(sizes[start:end]) for start, end in itertools.pairwise(ends)))
    return best


@given(st.lists(st.integers(1, 50), min_size=1, max_size=9), st.integers(1, 5))
def test_the_largest_partition_is_as_small_as_can_be(sizes: list[int], count: int) -> None:
    """No other way to cut neighbours gives a smaller largest partition."""
    assert max(part.bytes for part in balanced(np.array(sizes), count)) == smallest_largest(sizes, count)


@given(st.lists(st.integers(1, 10**12), max_size=200), st.integers(1, 300))
def test_partitions_hold_every_item_once(sizes: list[int], count: int) -> None:
    """They follow one another from the first item to the last, at most as many as asked, and know their bytes."""
    parts = balanced(np.array(sizes, dtype=np.int64), count)
    assert 1 <= len(parts) <= count
    assert (parts[0].start, parts[-1].end) == (0, len(sizes))
    for before, after in itertools.pairwise(parts):
        assert before.end == after.start
    for part in parts:
        assert part.bytes == sum(sizes[part.start : part.end])
        assert part.end > part.start or not sizes
    assert [part.name for part in parts] == [f"{i:05d}-of-{len(parts):05d}" for i in range(len(parts))]


def test_giant_items_are_spread() -> None:
    """Three giants among many small items never share a partition of four."""
    sizes = np.full(1000, 10)
    sizes[[0, 1, 500]] = 5000
    assert [(part.start, part.end, part.bytes) for part in balanced(sizes, 4)] == [
        (0, 1, 5000),
        (1, 251, 7490),
        (251, 501, 7490),
        (501, 1000, 4990),
    ]
