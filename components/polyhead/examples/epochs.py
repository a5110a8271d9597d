"""In which order training sees the rows: a pure function of the seed, the epoch and the shards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from polyhead.contracts.shards import Shard

WINDOW_BYTES = 256 * 2**20
"""Shards whose rows are mixed with each other: about so much, and one shard at least."""

WINDOW_SHARDS = 64
"""The most of them, so that a batch opens few files."""


def windows(shards: Sequence[Shard]) -> list[list[Shard]]:
    """Neighbouring shards in groups of at most `WINDOW_BYTES` and `WINDOW_SHARDS`, shards without rows left out."""
    groups: list[list[Shard]] = []
    size = 0
    for shard in shards:
        if not shard.rows:
            continue
        if not groups or size + shard.bytes > WINDOW_BYTES or len(groups[-1]) == WINDOW_SHARDS:
            groups.append([])
            size = 0
        groups[-1].append(shard)
        size += shard.bytes
    return groups


def shuffled_windows(shards: Sequence[Shard], seed: int, epoch: int) -> list[list[Shard]]:
    """`windows` of the shards in the order of one epoch."""
    return windows([shards[i] for i in _generator(seed, epoch).permutation(len(shards))])


def shuffled_rows(rows: int, seed: int, epoch: int, window: int) -> NDArray[np.int64]:
    """The order of a window's rows, int64 (rows,): positions in its shards, laid end to end.

    Args:
        rows: Of all shards of the window.
        seed: `train.seed`.
        epoch: From 0.
        window: Its number within the epoch, from 0.
    """
    return _generator(seed, epoch, window).permutation(rows)


@dataclass(frozen=True)
class Draws:
    """How often each row comes in an epoch.

    Attributes:
        classes: Of each row, in the shards' order, int64 (rows,); -1 for a row without one, which comes once.
        repeats: How often the rows of each class come, on average.
    """

    classes: NDArray[np.int64]
    repeats: NDArray[np.float64]

    @property
    def rows(self) -> int:
        """Rows of an epoch."""
        return int(self._wanted.sum()) + int((self.classes < 0).sum())

    def counts(self, seed: int, epoch: int) -> NDArray[np.int64]:
        """How often each row comes in one epoch, int64 (rows,).

        All rows of a class come equally often, and some of them, drawn anew in each epoch, once more.
        """
        counts = np.ones(len(self.classes), np.int64)
        for at, wanted in enumerate(self._wanted.tolist()):
            rows = np.flatnonzero(self.classes == at)
            if len(rows):
                whole, more = divmod(wanted, len(rows))
                counts[rows] = whole
                counts[_generator(seed, epoch, 0, at).choice(rows, more, replace=False)] += 1
        return counts

    @property
    def _wanted(self) -> NDArray[np.int64]:
        held = np.bincount(self.classes[self.classes >= 0], minlength=len(self.repeats))
        return np.rint(held * self.repeats).astype(np.int64)


def _generator(*words: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(words)))
