"""Near hashes are all found, against a comparison of every pair, and the cost is bounded."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from polyhead.leakage import neighbours as module
from polyhead.leakage.neighbours import RADIUS, neighbours


def _every_pair(hashes: Any, radius: int) -> Any:
    first, second = np.triu_indices(len(hashes), 1)
    near = np.bitwise_count(hashes[first] ^ hashes[second]) <= radius
    return np.stack([first[near], second[near]])


def _hashes(rows: int, *, planted: int = 0, seed: int = 0) -> Any:
    """Random hashes, the last of which are the first with up to 15 bits changed."""
    random = np.random.default_rng(seed)
    hashes = random.integers(0, 2**64, rows, dtype=np.uint64)
    for place in range(planted):
        bits = random.choice(64, random.integers(0, 16), replace=False)
        hashes[rows - 1 - place] = hashes[place] ^ np.bitwise_or.reduce(np.uint64(1) << bits.astype(np.uint64))
    return hashes


@pytest.mark.parametrize(("rows", "planted"), [(0, 0), (1, 0), (2, 0), (700, 200)])
def test_every_pair_within_the_radius_is_found_once(rows: int, planted: int) -> None:
    hashes = _hashes(rows, planted=planted)
    found = neighbours(hashes)
    assert found.radius == RADIUS
    assert np.array_equal(np.stack([found.first, found.second]), _every_pair(hashes, RADIUS))


def test_every_pair_of_hashes_that_are_alike_is_found() -> None:
    """Chunks that many hashes share are joined in parts."""
    hashes = np.arange(600, dtype=np.uint64) * np.uint64(2**52)
    found = neighbours(hashes)
    assert np.array_equal(np.stack([found.first, found.second]), _every_pair(hashes, RADIUS))


def test_where_there_is_no_room_the_radius_is_the_largest_that_has_room(monkeypatch: pytest.MonkeyPatch) -> None:
    hashes = _hashes(400, planted=150)
    counts = [_every_pair(hashes, radius).shape[1] for radius in range(RADIUS + 1)]
    monkeypatch.setattr(module, "_LEAST_PAIRS", counts[6])
    monkeypatch.setattr(module, "_PAIRS", 0)
    found = neighbours(hashes)
    assert found.radius == max(radius for radius, count in enumerate(counts) if count <= counts[6])
    assert np.array_equal(np.stack([found.first, found.second]), _every_pair(hashes, found.radius))


@pytest.mark.parametrize(("near", "radius"), [(1, 7), (0, 3), (None, 0)])
def test_work_is_bounded(monkeypatch: pytest.MonkeyPatch, near: int | None, radius: int) -> None:
    hashes = _hashes(300, planted=100)
    chunks = module._chunks(hashes)
    monkeypatch.setattr(module, "_WORK", -1 if near is None else module._work(chunks, near))
    found = neighbours(hashes)
    assert found.radius == radius
    assert np.array_equal(np.stack([found.first, found.second]), _every_pair(hashes, radius))


def test_a_hash_of_very_many_is_paired_with_those_behind_it() -> None:
    hashes = np.zeros(500, np.uint64)
    found = neighbours(hashes)
    assert len(found.first) == sum(min(32, 499 - place) for place in range(500))
    assert (found.second - found.first).max() == 32
