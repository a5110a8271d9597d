"""Which row lies where: the shards of an artifact, and the rows of each, without the whole table in memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from polyhead.contracts.shards import PlannedShard
from polyhead.contracts.splits import SPLITS
from polyhead.contracts.validation import KEY, ROW, SPLIT
from polyhead.tables.hashing import hash_positions

ORDER_SALT = 1 << 64
"""Salt of the rows' order, above every split seed that a config would name, so that order and split are unrelated."""

_RANK = "__rank__"
_SPOOL_BYTES = 16 * 2**20
_MOST_SPOOLS = 256


class RowOrder:
    """The order of the rows in the shards: by split, then by a hash of the key, so any shard is a fair sample.

    Rows without a split come behind all others, and are in no shard.

    Args:
        splits: `__row__`, `__key__` and `__split__` of every clean row, in the clean table's order. Sixteen bytes a
            row are kept in memory.
        rows_per_shard: Most rows of a shard.

    Attributes:
        shards: All shards, split by split.
    """

    def __init__(self, splits: pl.DataFrame, rows_per_shard: int) -> None:
        numbers = splits[SPLIT].replace_strict([*SPLITS, None], range(len(SPLITS) + 1), return_dtype=pl.UInt8)
        places = hash_positions(ORDER_SALT, splits[KEY])
        order = _ordered(numbers.to_numpy(), places.to_numpy(), splits[KEY])
        self._ranks: NDArray[np.int64] = np.empty(len(order), np.int64)
        self._ranks[order] = np.arange(len(order))
        self._rows = splits[ROW].to_numpy()
        self.shards: list[PlannedShard] = []
        start = 0
        for split in SPLITS:
            rows = int((splits[SPLIT] == split).sum())
            count = -(-rows // rows_per_shard)
            for index in range(count):
                first, last = (start + rows * place // count for place in (index, index + 1))
                name = f"{split}-{index:05d}-of-{count:05d}.tfrecord"
                self.shards.append(PlannedShard(name=name, split=split, start=first, end=last))
            start += rows

    def in_order(self, values: NDArray[np.int64]) -> NDArray[np.int64]:
        """A value of every clean row, in the clean table's order, brought into the shards' order."""
        ordered = np.empty_like(values)
        ordered[self._ranks] = values
        return ordered[: self.shards[-1].end if self.shards else 0]

    def spool(self, batches: Iterable[pl.DataFrame], folder: Path, shards: list[PlannedShard]) -> Spool:
        """Sort rows of the clean table into the shards' order.

        Args:
            batches: The clean table in pieces, in its order.
            folder: For what is too large to keep in memory; its files begin with a dot.
            shards: Neighbouring shards, the outer ones whole or cut: the rows that are wanted.
        """
        start, end = (shards[0].start, shards[-1].end) if shards else (0, 0)
        spool: Spool | None = None
        at = 0
        for batch in batches:
            if spool is None:
                wanted_bytes = batch.estimated_size() * (end - start) / max(1, batch.height)
                count = min(_MOST_SPOOLS, len(shards), int(wanted_bytes // _SPOOL_BYTES) + 1)
                spool = Spool(shards, count, folder)
            ranks = self._ranks[at : at + batch.height]
            assert (self._rows[at : at + batch.height] == batch[ROW].to_numpy()).all()
            ranked = batch.with_columns(pl.Series(_RANK, ranks))
            spool.add(ranked.filter(pl.col(_RANK).is_between(start, end, closed="left")))
            at += batch.height
        assert at == len(self._ranks)
        return spool or Spool(shards, 1, folder)


class Spool:
    """The rows of a table by shard. Neighbouring shards share files; what fits into one stays in memory.

    Args:
        shards: All shards, in order.
        count: Groups of neighbouring shards.
        folder: Where the files lie.
    """

    def __init__(self, shards: list[PlannedShard], count: int, folder: Path) -> None:
        groups = [shards[len(shards) * i // count : len(shards) * (i + 1) // count] for i in range(count)]
        self._groups = [group for group in groups if group]
        self._ends = np.array([group[-1].end for group in self._groups])
        self._folder = folder
        self._parts: list[pl.DataFrame] = []
        self._files: dict[int, list[Path]] = {number: [] for number in range(len(self._groups))}

    def add(self, batch: pl.DataFrame) -> None:
        """Take some rows, each with its rank."""
        if len(self._groups) <= 1:
            self._parts.append(batch)
            return
        numbers = np.searchsorted(self._ends, batch[_RANK].to_numpy(), side="right")
        for number in np.unique(numbers).tolist():
            path = self._folder / f".spool-{number:05d}-{len(self._files[number]):05d}.arrow"
            batch.filter(pl.Series(numbers == number)).write_ipc(path, compression="uncompressed")
            self._files[number].append(path)

    def rows(self) -> Iterator[tuple[PlannedShard, pl.DataFrame]]:
        """Every shard with its rows in order. Each can be had once."""
        for number, group in enumerate(self._groups):
            parts, self._parts = self._parts, []
            parts += map(pl.read_ipc, self._files[number])
            rows = pl.concat(parts).sort(_RANK).drop(_RANK)
            parts.clear()
            for path in self._files[number]:
                path.unlink()
            first = group[0].start
            for shard in group:
                yield shard, rows[shard.start - first : shard.end - first]


def _ordered(splits: NDArray[np.uint8], places: NDArray[np.float64], keys: pl.Series) -> NDArray[np.int64]:
    """Rows by split, place and key. Only rows of one place, of which there are hardly any, are compared by their keys.

    Args:
        splits: Numbers from 0.
        places: In [0, 1), of 53 bits.
        keys: Strings.
    """
    codes = (splits.astype(np.uint64) << np.uint64(53)) | (places * 2.0**53).astype(np.uint64)
    order = np.argsort(codes)
    codes = codes[order]
    same = np.flatnonzero(codes[1:] == codes[:-1])
    for run in np.split(same, np.flatnonzero(np.diff(same) > 1) + 1) if len(same) else []:
        rows = order[run[0] : run[-1] + 2]
        order[run[0] : run[-1] + 2] = rows[keys.gather(rows).arg_sort().to_numpy()]
    return order
