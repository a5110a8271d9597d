"""Where every picture of the shards lies, so that the next shards need not decode it again."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import os
import tempfile
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Self

import numpy as np
import polars as pl

from polyhead.contracts.shards import PICTURE_INDEX, Shard, ShardManifest
from polyhead.errors import ArtifactError, ConflictError, StorageError
from polyhead.examples.framing import HEADER
from polyhead.examples.stored import PictureName
from polyhead.storage.artifact import checked_file
from polyhead.storage.objects import download_file
from polyhead.storage.opened import opened_artifact
from polyhead.storage.places import is_remote, join

PicturePlace = tuple[PictureName, int, int]
"""A picture's name, its first byte in the shard, and its length."""

_SCHEMA = {"high": pl.UInt64, "low": pl.UInt64, "shard": pl.UInt32, "offset": pl.UInt64, "length": pl.UInt32}


def picture_index(shard: int, pictures: Iterable[PicturePlace]) -> pl.DataFrame:
    """The pictures of one shard, as the index holds them.

    Args:
        shard: Its place in the manifest.
        pictures: What it holds.
    """
    mask = 2**64 - 1
    rows = [(name >> 64, name & mask, shard, offset, length) for name, offset, length in pictures]
    return pl.DataFrame(rows, schema=_SCHEMA, orient="row")


def places_of(example: Sequence[bytes], pictures: Mapping[PictureName, bytes]) -> list[PicturePlace]:
    """Where the pictures of a row lie in its framed record.

    Args:
        example: The serialised message, in pieces.
        pictures: Pieces of it, by the picture's name.
    """
    starts = dict(zip(map(id, example), itertools.accumulate(map(len, example), initial=HEADER), strict=False))
    return [(name, starts[id(stored)], len(stored)) for name, stored in pictures.items()]


def write_picture_index(directory: Path, indexes: Sequence[pl.DataFrame]) -> None:
    """Write the index of an artifact; a picture that lies in several places is named once, by the first.

    The file is Arrow IPC, uncompressed, sorted by `high` and `low`.

    Args:
        directory: The artifact.
        indexes: `picture_index` of each shard.
    """
    ordered = (
        pl.concat([pl.DataFrame(schema=_SCHEMA), *indexes])
        .sort("high", "low", "shard", "offset")
        .unique(["high", "low"], keep="first", maintain_order=True)
    )
    ordered.rechunk().write_ipc(directory / PICTURE_INDEX, compression="uncompressed")


class KeptPictures:
    """The pictures of an artifact of `shard`, or the features in one of `encode`, by name. Threads may share one.

    A shard is believed only if it still has the SHA-256 that its manifest names. Of remote shards the index is copied,
    and each shard into a temporary file when a picture in it is wanted.

    Args:
        place: The artifact.
        directory: A local folder that has its index.
        manifest: Its contract.
    """

    def __init__(self, place: str, directory: Path, manifest: ShardManifest) -> None:
        index = pl.read_ipc(directory / PICTURE_INDEX)
        self._high, self._low, self._shard, self._offset, self._length = (
            index[column].to_numpy() for column in _SCHEMA
        )
        self._place = place
        self._shards = manifest.shards
        self._files: dict[int, IO[bytes] | None] = {}
        self._lock = threading.Lock()

    @classmethod
    @contextlib.contextmanager
    def of(cls, place: str | Path, contract: type[ShardManifest] = ShardManifest) -> Iterator[Self | None]:
        """The pictures of an artifact, open during the block; None where there is none, or one that is unusable.

        Args:
            place: The artifact.
            contract: Its contract class.

        Raises:
            DataError: The place has a scheme that is not known, or names no bucket.
            StorageError: The store does not give it.
        """
        kept = None
        try:
            with opened_artifact(place, contract, [PICTURE_INDEX]) as directory:
                manifest = contract.read(directory)
                checked_file(directory, manifest, PICTURE_INDEX)
                kept = cls(str(place), directory, manifest)
        except StorageError:
            raise
        except (ArtifactError, OSError):
            pass
        try:
            yield kept
        finally:
            if kept is not None:
                kept.close()

    def get(self, name: PictureName) -> bytes | None:
        """What is stored of a picture; None where it is not there or its shard was changed or lost."""
        high, low = name >> 64, name & (2**64 - 1)
        at = int(np.searchsorted(self._high, np.uint64(high)))
        while at < len(self._high) and int(self._high[at]) == high:
            if int(self._low[at]) == low:
                return self._read(at)
            at += 1
        return None

    def close(self) -> None:
        """Close the shards."""
        for file in self._files.values():
            if file is not None:
                file.close()
        self._files.clear()

    def _read(self, at: int) -> bytes | None:
        file = self._file(int(self._shard[at]))
        if file is None:
            return None
        length = int(self._length[at])
        content = os.pread(file.fileno(), length, int(self._offset[at]))
        return content if len(content) == length else None

    def _file(self, number: int) -> IO[bytes] | None:
        with self._lock:
            if number not in self._files:
                self._files[number] = self._opened(self._shards[number])
            return self._files[number]

    def _opened(self, shard: Shard) -> IO[bytes] | None:
        place = join(self._place, shard.path)
        try:
            file = _local_copy(place) if is_remote(place) else Path(place).open("rb")  # noqa: SIM115
        except ConflictError:
            return None
        except StorageError:
            raise
        except OSError:
            return None
        file.seek(0)
        if hashlib.file_digest(file, "sha256").hexdigest() == shard.sha256:  # type: ignore[arg-type]
            return file
        file.close()
        return None


def _local_copy(place: str) -> IO[bytes]:
    """An object in a temporary file without a name."""
    file = tempfile.TemporaryFile(prefix="polyhead-")  # noqa: SIM115
    try:
        download_file(place, file)
        file.flush()
    except BaseException:
        file.close()
        raise
    return file
