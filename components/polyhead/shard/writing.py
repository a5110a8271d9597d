"""Rows into TFRecord files: encoded in threads, written in order, each file noted as finished beside it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from polyhead.contracts.config import Config
from polyhead.contracts.shards import PlannedShard, Shard, ShardTimings
from polyhead.examples.encoding import examples_of, frames_of
from polyhead.examples.framing import frame
from polyhead.examples.kept import PicturePlace, picture_index, places_of
from polyhead.examples.rows import RowEncoder, RowError
from polyhead.examples.shard_files import FinishedShard, OpenShard
from polyhead.examples.timing import Stopwatch
from polyhead.fan_out import ROW_BYTES
from polyhead.progress import Advance
from polyhead.shard.order import Spool
from polyhead.tables.rejected import Cell, Rejected

_TASK_BYTES, _TASK_ROWS = 2**19, 512
"""What a thread is handed at a time, about: enough that handing over costs nothing beside the work."""
_TASK_CELLS, _TASK_PLAIN_ROWS = 2**19, 2**14
"""The same of rows without pictures, whose columns are encoded all at once."""


def rows_per_shard(config: Config) -> int:
    """Most rows of a shard: it follows from the config alone, so it does not depend on the data."""
    return max(1, config.shard.megabytes * 2**20 // _estimated_bytes(config))


def _estimated_bytes(config: Config) -> int:
    """Bytes of one row, about."""
    return sum(feature.stored_bytes for feature in config.features.values()) + ROW_BYTES


class _Task(NamedTuple):
    """Some neighbouring rows of one shard; none where an earlier attempt has finished it."""

    shard: PlannedShard
    rows: pl.DataFrame
    finished: FinishedShard | None
    ends_shard: bool

    def to_encode(self) -> pl.DataFrame:
        """The rows that are to be encoded."""
        return self.rows if self.finished is None else self.rows.clear()


@dataclass
class _Encoded:
    """What became of a task: framed records with the pictures that they hold, and the cells that cannot be used."""

    task: _Task
    rows: int = 0
    records: list[bytes | memoryview] = field(default_factory=list)
    pictures: list[PicturePlace] = field(default_factory=list)
    size: int = 0
    rejected: list[Cell] = field(default_factory=list)
    clock: Stopwatch = field(default_factory=Stopwatch)
    decoded: int = 0
    kept: int = 0
    bytes_read: int = 0


class ShardWriter:
    """Writes shards, or a partition's parts of them.

    Args:
        config: The configuration.
        encoder: Makes examples of rows.
        directory: Where the files lie.
        workers: Threads.

    Attributes:
        shards: Every shard, in order.
        indexes: The pictures of each.
        rejected: The rows that are in none, and the cells that are masked.
        resumed: Shards that an earlier attempt had finished.
    """

    def __init__(self, config: Config, encoder: RowEncoder, directory: Path, workers: int) -> None:
        self.shards: list[Shard] = []
        self.indexes: list[pl.DataFrame] = []
        self.rejected = Rejected()
        self.resumed = 0
        self._config = config
        self._encoder = encoder
        self._directory = directory
        self._workers = workers
        self._clock = Stopwatch()
        self._counts = Counter[str]()
        self._seconds = 0.0

    def write(self, spool: Spool, advance: Advance) -> None:
        """Write every shard that is not finished."""
        started = time.perf_counter()
        open_shard: OpenShard | None = None
        try:
            for encoded in self._encoder.map(self._encode, self._tasks(spool), self._to_read, workers=self._workers):
                task = encoded.task
                if task.finished is not None:
                    self.resumed += 1
                    self._finish(task.finished)
                    advance(task.shard.end - task.shard.start)
                    continue
                open_shard = open_shard or OpenShard(self._directory, task.shard.name, task.shard.split)
                self._clock.start()
                open_shard.write(encoded.records, encoded.rows, encoded.pictures)
                open_shard.reject(encoded.rejected)
                self._clock.lap("write")
                self._count(encoded)
                advance(task.rows.height, size=encoded.bytes_read)
                if task.ends_shard:
                    self._finish(open_shard.finish())
                    open_shard = None
        finally:
            if open_shard is not None:
                open_shard.close()
            self._seconds = time.perf_counter() - started

    def _count(self, encoded: _Encoded) -> None:
        self._clock.add(encoded.clock)
        self._counts["rows"] += encoded.rows
        self._counts["decoded"] += encoded.decoded
        self._counts["kept"] += encoded.kept
        self._counts["bytes_read"] += encoded.bytes_read
        self._counts["bytes_written"] += encoded.size

    def timings(self) -> ShardTimings:
        """Where the time went."""
        return ShardTimings(
            seconds={stage: round(seconds, 3) for stage, seconds in self._clock.seconds.items()},
            wall_seconds=round(self._seconds, 3),
            workers=self._workers,
            rows=self._counts["rows"],
            decoded=self._counts["decoded"],
            kept=self._counts["kept"],
            bytes_read=self._counts["bytes_read"],
            bytes_written=self._counts["bytes_written"],
        )

    def _finish(self, finished: FinishedShard) -> None:
        self.indexes.append(picture_index(len(self.shards), finished.pictures))
        self.shards.append(finished.shard)
        for cell in finished.rejected:
            self.rejected.add_cell(*cell)

    def _tasks(self, spool: Spool) -> Iterator[_Task]:
        if self._encoder.pictures:
            size = max(1, min(_TASK_ROWS, _TASK_BYTES // _estimated_bytes(self._config)))
        else:
            columns = 1 + len(self._config.features) + len(self._config.targets)
            size = max(1, min(_TASK_PLAIN_ROWS, _TASK_CELLS // columns))
        for shard, rows in spool.rows():
            finished = FinishedShard.read(self._directory, shard.name)
            if finished is not None:
                yield _Task(shard, rows, finished, ends_shard=True)
                continue
            for start in range(0, rows.height, size):
                yield _Task(shard, rows[start : start + size], None, ends_shard=start + size >= rows.height)

    def _to_read(self, task: _Task) -> Iterator[dict[str, Any]]:
        return self._encoder.rows(task.to_encode(), entries=False)

    def _encode(self, task: _Task) -> _Encoded:
        encoded = _Encoded(task)
        rows = task.to_encode()
        if not self._encoder.pictures:
            encoded.clock.start()
            framed = frames_of(examples_of(self._encoder.entries(rows)))
            encoded.clock.lap("encode")
            encoded.rows, encoded.records, encoded.size = rows.height, [framed.data.data], len(framed.data)
            return encoded
        for row in self._encoder.rows(rows):
            made = self._encoder(row, encoded.clock)
            if isinstance(made, RowError):
                encoded.rejected.append(made.cell(row, self._config))
                continue
            encoded.rejected += [fault.cell(row, self._config, masked=True) for fault in made.masked]
            record = frame(made.example)
            places = places_of(made.example, made.pictures)
            encoded.pictures += [(name, encoded.size + offset, length) for name, offset, length in places]
            encoded.records.append(record)
            encoded.rows += 1
            encoded.size += len(record)
            encoded.decoded += made.decoded
            encoded.kept += made.kept
            encoded.bytes_read += made.bytes_read
        return encoded
