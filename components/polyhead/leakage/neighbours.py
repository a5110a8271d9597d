"""Which of many 64-bit hashes are nearly the same, at a bounded cost."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]
Places = NDArray[np.int64]
_Pairs = tuple[Places, Places, NDArray[np.uint8]]

RADIUS = 11
"""Most bits in which two hashes differ that are compared further. Of photos that were scaled, saved again, brightened,
or lost 3 % at each side, 97 to 100 % are that near."""

_BITS, _CHUNKS, _CHUNK_BITS = 64, 4, 16
_WORK = 6_000_000_000
_PAIRS = 32
_LEAST_PAIRS = 1_000_000
_SAME = 32
_BLOCK = 2**18
_SPREAD = np.arange(_BITS).reshape(_CHUNK_BITS, _CHUNKS).T.reshape(-1)
"""Neighbouring bits say nearly the same, so each chunk takes every fourth bit."""


class Neighbours(NamedTuple):
    """Pairs of places in an array of hashes.

    Attributes:
        first: The lower place of each pair.
        second: The other.
        radius: The bits in which the hashes of a pair may differ: every such pair is there, but for hashes that more
            than 32 places have. `RADIUS`, or less where that would be too many pairs.
    """

    first: Places
    second: Places
    radius: int


def neighbours(hashes: Hashes) -> Neighbours:
    """Pairs of hashes that differ in a few bits at most.

    Multi-index hashing: hashes that differ in at most 11 bits differ in at most 2 of one of four chunks of 16 bits, so
    only hashes whose chunks are that near are compared. The radius is the largest one, of 11 at most, for which at most
    6e9 pairs have to be compared and at most 32 for each hash are found (a million in all are always allowed); of a
    hash that more than 32 places have, each place is paired with the 32 behind it, and the first 32 with other hashes.

    Args:
        hashes: Any number of them.

    Returns:
        Pairs in the order of their places, each once. They depend on nothing but the hashes and their order.
    """
    order = np.argsort(hashes, kind="stable")
    ranks = _ranks(hashes[order])
    first, second = _same(order, ranks)
    members = order[ranks < _SAME]
    chunks = _chunks(hashes[members])
    near = next((near for near in (2, 1, 0) if _work(chunks, near) <= _WORK), None)
    if near is None:
        radius = 0
    else:
        radius = _CHUNKS * near + _CHUNKS - 1
        room = max(_LEAST_PAIRS, _PAIRS * len(hashes))
        left, right, radius = _joined(hashes[members], chunks, near, radius, room)
        first = np.concatenate([first, np.minimum(members[left], members[right])])
        second = np.concatenate([second, np.maximum(members[left], members[right])])
    ordered = np.lexsort([second, first])
    return Neighbours(first[ordered], second[ordered], radius)


def _ranks(ordered: Hashes) -> Places:
    """How many equal hashes come before each of sorted ones."""
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]])) if len(ordered) else np.empty(0, int)
    return np.arange(len(ordered)) - np.repeat(starts, np.diff([*starts, len(ordered)]))


def _same(order: Places, ranks: Places) -> tuple[Places, Places]:
    """Pairs of equal hashes: each with those behind it, 32 at most."""
    firsts, seconds = [], []
    for step in range(1, min(_SAME, int(ranks.max(initial=0))) + 1):
        behind = np.flatnonzero(ranks >= step)
        firsts.append(order[behind - step])
        seconds.append(order[behind])
    nothing = [np.empty(0, np.int64)]
    return np.concatenate(firsts or nothing), np.concatenate(seconds or nothing)


def _chunks(hashes: Hashes) -> NDArray[np.uint16]:
    """(4, n): each hash in four parts of 16 bits."""
    parts = [np.zeros(len(hashes), np.uint16) for _ in range(_CHUNKS)]
    for place, bit in enumerate(_SPREAD):
        chunk, position = divmod(place, _CHUNK_BITS)
        parts[chunk] |= ((hashes >> np.uint64(bit)) & np.uint64(1)).astype(np.uint16) << np.uint16(position)
    return np.stack(parts)


def _masks(near: int) -> Iterator[int]:
    """Every way to change so many bits of a chunk at most."""
    for count in range(near + 1):
        for bits in itertools.combinations(range(_CHUNK_BITS), count):
            yield sum(1 << bit for bit in bits)


def _work(chunks: NDArray[np.uint16], near: int) -> float:
    """Pairs whose chunks are so near, those of several chunks counted for each."""
    work = 0.0
    for chunk in chunks:
        values, sizes = np.unique(chunk.astype(np.int64), return_counts=True)
        counts = np.zeros(1 << _CHUNK_BITS)
        counts[values] = sizes
        work += sum(float(sizes @ counts[values ^ mask]) for mask in _masks(near)) / 2
    return work


def _joined(
    hashes: Hashes, chunks: NDArray[np.uint16], near: int, radius: int, room: int
) -> tuple[Places, Places, int]:
    """Pairs of different hashes within a radius, which shrinks until they have room."""
    kept: list[_Pairs] = []
    count = 0
    for number in range(_CHUNKS):
        order = np.argsort(chunks[number], kind="stable")
        ordered, own = hashes[order], chunks[number][order].astype(np.int64)
        earlier = chunks[:number, order]
        starts = np.searchsorted(own, np.arange((1 << _CHUNK_BITS) + 1))
        for mask in _masks(near):
            for left, right in _bucket_pairs(own, starts, mask):
                bits = np.bitwise_count(ordered[left] ^ ordered[right])
                held = np.flatnonzero(bits <= radius)
                one, other, bits = left[held], right[held], bits[held]
                fresh = bits > 0  # equal hashes are paired elsewhere
                for chunk in earlier:  # pairs that are near there were found there
                    fresh &= np.bitwise_count(chunk[one] ^ chunk[other]) > near
                kept.append((order[one[fresh]], order[other[fresh]], bits[fresh]))
                count += len(kept[-1][0])
                while count > room and radius > 0:
                    radius -= 1
                    kept = [_within(radius, *_together(kept))]
                    count = len(kept[0][0])
    first, second, _ = _together(kept)
    return first, second, radius


def _together(pairs: list[_Pairs]) -> _Pairs:
    nothing = (np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.uint8))
    first, second, bits = (np.concatenate(parts) for parts in zip(nothing, *pairs, strict=True))
    return first, second, bits


def _within(radius: int, first: Places, second: Places, bits: NDArray[np.uint8]) -> _Pairs:
    near = bits <= radius
    return first[near], second[near], bits[near]


def _bucket_pairs(own: Places, starts: Places, mask: int) -> Iterator[tuple[Places, Places]]:
    """Pairs of sorted chunks, one of which is the other with some bits changed, a few million at a time."""
    partner = own ^ mask
    here = np.arange(len(own))
    begin = here + 1 if mask == 0 else starts[partner]
    counts = np.where(partner >= own, starts[partner + 1] - begin, 0)
    taken = np.flatnonzero(counts)
    begin, counts = begin[taken], counts[taken]
    ends = np.cumsum(counts)
    start = 0
    while start < len(taken):
        before = ends[start] - counts[start]
        stop = max(start + 1, int(np.searchsorted(ends, before + _BLOCK, side="right")))
        size = counts[start:stop]
        left = np.repeat(taken[start:stop], size)
        offsets = np.arange(len(left)) - np.repeat(ends[start:stop] - size - before, size)
        yield left, np.repeat(begin[start:stop], size) + offsets
        start = stop
