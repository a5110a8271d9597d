"""Where every picture of the shards lies, so that the next shards need not decode it again."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Self

import numpy as np
import polars as pl
import xxhash

from polyhead.contracts.shards import PICTURE_INDEX, ShardManifest
from polyhead.errors import ArtifactError
from polyhead.storage.artifact import sha256_of

PictureName = int
"""128 bits of what was stored: a file's content and how it was turned into bytes."""

PicturePlace = tuple[PictureName, int, int]
"""A picture's name, its first byte in the shard, and its length."""

_SCHEMA = {"high": pl.UInt64, "low": pl.UInt64, "shard": pl.UInt32, "offset": pl.UInt64, "length": pl.UInt32}


def picture_name(recipe: str, content_hash: str) -> PictureName:
    """The name of what a recipe makes of a file.

    Args:
        recipe: `polyhead.shard.pictures.PictureEncoder.recipe`.
        content_hash: `polyhead.storage.pictures.content_hash` of the file.
    """
    return xxhash.xxh3_128_intdigest(f"{recipe}{content_hash}".encode())


def picture_index(shard: int, pictures: Iterable[PicturePlace]) -> pl.DataFrame:
    """The pictures of one shard, as the index holds them.

    Args:
        shard: Its place in the manifest.
        pictures: What it holds.
    """
    mask = 2**64 - 1
    rows = [(name >> 64, name & mask, shard, offset, length) for name, offset, length in pictures]
    return pl.DataFrame(rows, schema=_SCHEMA, orient="row")


def write_picture_index(directory: Path, indexes: Sequence[pl.DataFrame]) -> str:
    """Write the index of an artifact; a picture that lies in several places is named once, by the first.

    Args:
        directory: The artifact.
        indexes: `picture_index` of each shard.

    Returns:
        SHA-256 of the file: Arrow IPC, uncompressed, sorted by `high` and `low`.
    """
    ordered = (
        pl.concat([pl.DataFrame(schema=_SCHEMA), *indexes])
        .sort("high", "low", "shard", "offset")
        .unique(["high", "low"], keep="first", maintain_order=True)
    )
    ordered.rechunk().write_ipc(directory / PICTURE_INDEX, compression="uncompressed")
    return sha256_of(directory / PICTURE_INDEX)


class KeptPictures:
    """The pictures of an artifact of `shard`, by name. Threads may share one.

    A shard is believed only if it still has the SHA-256 that its manifest names.

    Args:
        directory: The artifact.
        manifest: Its contract.
    """

    def __init__(self, directory: Path, manifest: ShardManifest) -> None:
        index = pl.read_ipc(directory / PICTURE_INDEX)
        self._high, self._low, self._shard, self._offset, self._length = (
            index[column].to_numpy() for column in _SCHEMA
        )
        self._directory = directory
        self._shards = manifest.shards
        self._files: dict[int, int | None] = {}
        self._lock = threading.Lock()

    @classmethod
    @contextlib.contextmanager
    def of(cls, directory: str | Path) -> Iterator[Self | None]:
        """The pictures of an artifact, open during the block; None where there is none, or one that is unusable."""
        directory = Path(directory)
        try:
            manifest = ShardManifest.read(directory)
            unchanged = sha256_of(directory / PICTURE_INDEX) == manifest.pictures_sha256
        except (ArtifactError, OSError):
            unchanged = False
        kept = cls(directory, manifest) if unchanged else None
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
                os.close(file)
        self._files.clear()

    def _read(self, at: int) -> bytes | None:
        file = self._file(int(self._shard[at]))
        if file is None:
            return None
        length = int(self._length[at])
        content = os.pread(file, length, int(self._offset[at]))
        return content if len(content) == length else None

    def _file(self, number: int) -> int | None:
        with self._lock:
            if number not in self._files:
                shard = self._shards[number]
                path = self._directory / shard.path
                whole = path.is_file() and sha256_of(path) == shard.sha256
                self._files[number] = os.open(path, os.O_RDONLY) if whole else None
            return self._files[number]
