"""Shards back into batches of serialised examples, from any step on.

A batch is a function of its number: the rows' order follows from the seed, the epoch and the manifest alone, and a
record is read from the place that the framing names. So nothing before the first wanted batch is read, and no
shuffle buffer is filled. The operating system keeps in memory what fits; a cache would be a second copy.
"""

from __future__ import annotations

import contextlib
import functools
import mmap
import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from polyhead.contracts.shards import Shard, ShardManifest
from polyhead.contracts.splits import Split
from polyhead.errors import ArtifactError
from polyhead.examples.epochs import Draws, shuffled_rows, shuffled_windows, windows
from polyhead.examples.framing import mapped, record_places
from polyhead.storage.artifact import sha256_of
from polyhead.storage.parallel import available_cpus, ordered_map

_PARALLEL_READS = 2
_KEPT_SHARDS = 8
"""Shards whose records' places are kept over epochs: 16 bytes a record."""


def shard_paths(manifest: ShardManifest, directory: Path, *splits: Split) -> list[str]:
    """The files of some splits that hold rows.

    A file is digested once in a process, and again only when its size, time or place on the disk has changed.

    Raises:
        ArtifactError: A file is missing or is not the one that the manifest names; all of them at once.
    """
    shards = manifest.of(*splits)
    digests = ordered_map(_digest, [directory / shard.path for shard in shards], workers=available_cpus())
    wrong = [shard.path for shard, digest in zip(shards, digests, strict=True) if digest != shard.sha256]
    if wrong:
        raise ArtifactError(
            "artifact-changed",
            f"{', '.join(wrong)}: missing, or changed after the manifest was written",
            where=str(directory),
            hint="run polyhead shard again",
        )
    return [str(directory / shard.path) for shard in shards if shard.rows]


def _digest(path: Path) -> str | None:
    if not path.is_file():
        return None
    state = path.stat()
    return _digest_of_state(path, (state.st_size, state.st_mtime_ns, state.st_ctime_ns, state.st_ino))


@functools.cache
def _digest_of_state(path: Path, state: tuple[int, ...]) -> str:  # noqa: ARG001  # the state is a part of the key
    return sha256_of(path)


def records(manifest: ShardManifest, directory: Path, *splits: Split, batch_size: int) -> tf.data.Dataset:
    """Serialised examples of some splits in the shards' order, string (batch,).

    Raises:
        ArtifactError: See `shard_paths`.
    """
    shard_paths(manifest, directory, *splits)
    rows, shards = manifest.rows_of(*splits), manifest.of(*splits)
    reader = _Reader(directory, rows, batch_size, lambda _: windows(shards), lambda rows, *_: np.arange(rows))
    return reader.batches(0, batches_in(rows, batch_size))


def records_at(manifest: ShardManifest, directory: Path, split: Split, rows: Sequence[int]) -> list[bytes]:
    """Serialised examples of some rows of a split.

    Args:
        manifest: The shards, which were checked.
        directory: Where they lie.
        split: Which of them.
        rows: Places in the shards' order, from 0.
    """
    shards = [shard for shard in manifest.of(split) if shard.rows]
    starts = np.cumsum([0, *(shard.rows for shard in shards)])
    places = functools.cache(record_places)
    found = []
    for row in rows:
        at = int(np.searchsorted(starts, row, side="right")) - 1
        path = directory / shards[at].path
        start, length = places(path)[row - starts[at]].tolist()
        with path.open("rb") as file:
            file.seek(start)
            found.append(file.read(length))
    return found


def shuffled_records(
    manifest: ShardManifest,
    directory: Path,
    *splits: Split,
    batch_size: int,
    seed: int,
    epochs: int = 1,
    skip: int = 0,
    draws: Draws | None = None,
) -> tf.data.Dataset:
    """Serialised examples of some splits, epoch after epoch, each in another order; string (batch,).

    Shards of all these splits are permuted, and the rows of neighbours mixed (`polyhead.examples.epochs`). The last
    batch of an epoch may be smaller.

    Args:
        manifest: The shards.
        directory: Where they lie.
        splits: Which of them.
        batch_size: Rows in a batch.
        seed: Of the order.
        epochs: How often every row comes.
        skip: Batches left out at the beginning, over epochs. Shards in which no other batch lies are not opened
            for them.
        draws: How often each row comes in an epoch. Default: once.

    Raises:
        ArtifactError: See `shard_paths`.
    """
    shard_paths(manifest, directory, *splits)
    rows, shards = draws.rows if draws else manifest.rows_of(*splits), manifest.of(*splits)
    reader = _Reader(
        directory,
        rows,
        batch_size,
        lambda epoch: shuffled_windows(shards, seed, epoch),
        lambda rows, epoch, window: shuffled_rows(rows, seed, epoch, window),
        None if draws is None else _Drawn(shards, draws, seed),
    )
    return reader.batches(skip, epochs * batches_in(rows, batch_size))


def batches_in(rows: int, batch_size: int) -> int:
    """Batches of an epoch, the last and smaller one included."""
    return -(-rows // batch_size)


class _Reader:
    """Batches by number.

    Args:
        directory: Where the shards lie.
        rows: Of an epoch.
        batch_size: Rows in a batch.
        windows_of: An epoch's shards in order, in groups that are opened together.
        order_of: The order of a window's rows, from their number, the epoch and the window.
        drawn: Says how often rows come. Default: once.
    """

    def __init__(
        self,
        directory: Path,
        rows: int,
        batch_size: int,
        windows_of: Callable[[int], list[list[Shard]]],
        order_of: Callable[[int, int, int], NDArray[np.int64]],
        drawn: _Drawn | None = None,
    ) -> None:
        self._directory = directory
        self._rows = rows
        self._batch_size = batch_size
        self._order_of = order_of
        self._drawn = drawn
        self._epoch = functools.lru_cache(maxsize=2)(lambda epoch: _Epoch(windows_of(epoch), epoch, drawn))
        self._window = functools.lru_cache(maxsize=2)(self._opened)
        self._places = functools.lru_cache(maxsize=_KEPT_SHARDS)(record_places)
        self._opening = threading.Lock()

    def batches(self, start: int, stop: int) -> tf.data.Dataset:
        """Batches of a range of numbers, counted over epochs."""

        def read(number: tf.Tensor) -> tf.Tensor:
            return tf.ensure_shape(tf.numpy_function(self._batch, [number], tf.string, stateful=False), [None])

        data = tf.data.Dataset.range(start, max(start, stop))
        return _steady(data.map(read, num_parallel_calls=_PARALLEL_READS, deterministic=True))

    def _batch(self, number: int) -> NDArray[np.object_]:
        epoch, batch = divmod(int(number), batches_in(self._rows, self._batch_size))
        at, end = batch * self._batch_size, min((batch + 1) * self._batch_size, self._rows)
        found: list[bytes] = []
        while at < end:
            with self._opening:
                starts = self._epoch(epoch).starts
                index = int(np.searchsorted(starts, at, side="right")) - 1
                window = self._window(epoch, index)
            stop = min(end, int(starts[index + 1]))
            found += window.read(at - int(starts[index]), stop - int(starts[index]))
            at = stop
        return np.array(found, object)

    def _opened(self, epoch: int, index: int) -> _Window:
        shards = self._epoch(epoch).windows[index]
        if self._drawn is None:
            order = self._order_of(sum(shard.rows for shard in shards), epoch, index)
        else:
            counts = np.concatenate([self._drawn.counts(shard, epoch) for shard in shards])
            order = np.repeat(np.arange(len(counts)), counts)[self._order_of(int(counts.sum()), epoch, index)]
        paths = [self._directory / shard.path for shard in shards]
        return _Window(paths, [self._places(path) for path in paths], order)


class _Drawn:
    """How often the rows of each shard come.

    Args:
        shards: All of them, in the order in which the draws have their rows.
        draws: Of all rows.
        seed: Of the order.
    """

    def __init__(self, shards: list[Shard], draws: Draws, seed: int) -> None:
        ends = np.cumsum([shard.rows for shard in shards]).tolist()
        self._places = {shard.path: slice(end - shard.rows, end) for shard, end in zip(shards, ends, strict=True)}
        self._counts = functools.lru_cache(maxsize=2)(lambda epoch: draws.counts(seed, epoch))

    def counts(self, shard: Shard, epoch: int) -> NDArray[np.int64]:
        """Of one shard's rows, int64 (rows,)."""
        counts: NDArray[np.int64] = self._counts(epoch)[self._places[shard.path]]
        return counts

    def rows(self, shard: Shard, epoch: int) -> int:
        """How many there are in all."""
        return int(self.counts(shard, epoch).sum())


class _Epoch:
    """The windows of an epoch.

    Attributes:
        windows: Their shards.
        starts: The first row of each, counted in the epoch's order, and the epoch's rows at the end.
    """

    def __init__(self, grouped: list[list[Shard]], epoch: int, drawn: _Drawn | None) -> None:
        self.windows = grouped
        sizes = [
            sum(shard.rows if drawn is None else drawn.rows(shard, epoch) for shard in shards) for shards in grouped
        ]
        self.starts = np.cumsum([0, *sizes])


class _Window:
    """A few shards and the places of their records, in order.

    Finding the places of records smaller than a page reads all pages of their files, so these are mapped, and a record
    costs no call of the system. Larger ones are read call by call: a thread that waits for the disk in a call lets
    others run, and one that waits for a mapped page does not.
    """

    def __init__(self, paths: list[Path], places: list[NDArray[np.int64]], order: NDArray[np.int64]) -> None:
        self._paths = paths
        starts, lengths = np.concatenate(places).T
        self._file = np.repeat(np.arange(len(paths)), [len(place) for place in places])[order]
        self._start, self._length = starts[order], lengths[order]
        self._contents = [mapped(path) for path in paths] if lengths.mean() < mmap.PAGESIZE else None

    def read(self, start: int, stop: int) -> list[bytes]:
        """The records at a range of positions."""
        wanted = slice(start, stop)
        files, starts, lengths = (of[wanted].tolist() for of in (self._file, self._start, self._length))
        chosen = zip(files, starts, lengths, strict=True)
        if self._contents is not None:
            contents = self._contents
            return [contents[file][offset : offset + length] for file, offset, length in chosen]
        with contextlib.ExitStack() as opened:
            descriptor = functools.cache(
                lambda file: opened.enter_context(self._paths[file].open("rb", buffering=0)).fileno()
            )
            return [os.pread(descriptor(file), length, offset) for file, offset, length in chosen]


def _steady(data: tf.data.Dataset) -> tf.data.Dataset:
    """A dataset with a fixed order and fixed parallelism.

    Autotuning is off because it can stall for seconds when an iterator is dropped; so is rewriting, which finds nothing
    to do here and takes half a second for each iterator.
    """
    options = tf.data.Options()
    options.deterministic = True
    options.experimental_optimization.apply_default_optimizations = False
    options.autotune.enabled = False
    return data.with_options(options)
