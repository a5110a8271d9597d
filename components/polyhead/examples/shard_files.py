"""Shards while they are made: records appended to one file, which is noted as finished beside it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Self

from polyhead.contracts.artifact import Record
from polyhead.contracts.shards import Shard
from polyhead.contracts.splits import Split
from polyhead.examples.kept import PicturePlace
from polyhead.storage.artifact import sha256_of
from polyhead.storage.objects import write_whole
from polyhead.tables.rejected import Cell

_NOTE = ".finished.json"


class OpenShard:
    """A shard that is being written.

    Args:
        directory: Where.
        name: Of its file.
        split: train, val or test.
    """

    def __init__(self, directory: Path, name: str, split: Split) -> None:
        self._directory = directory
        self._name = name
        self._split = split
        self._file = (directory / name).open("wb")
        self._digest = hashlib.sha256()
        self._size = 0
        self._rows = 0
        self._places: list[PicturePlace] = []
        self._rejected: list[Cell] = []

    def write(self, records: Sequence[bytes | memoryview], rows: int, pictures: Iterable[PicturePlace]) -> None:
        """Append framed records.

        Args:
            records: End to end they are the rows'.
            rows: In them.
            pictures: Where they lie, counted from the first of these records.
        """
        self._places += [(name, self._size + offset, length) for name, offset, length in pictures]
        for record in records:
            self._file.write(record)
            self._digest.update(record)
            self._size += len(record)
        self._rows += rows

    def reject(self, cells: Iterable[Cell]) -> None:
        """Note cells that cannot be used, and whose rows are in no record unless they are masked."""
        self._rejected += cells

    def finish(self) -> FinishedShard:
        """Note beside the file that it is whole."""
        self.close()
        shard = Shard(
            path=self._name,
            split=self._split,
            rows=self._rows,
            bytes=self._size,
            sha256=self._digest.hexdigest(),
        )
        finished = FinishedShard(shard=shard, rejected=self._rejected, pictures=self._places)
        finished.write(self._directory)
        return finished

    def close(self) -> None:
        """No more records."""
        self._file.close()


class FinishedShard(Record):
    """A finished shard, noted beside it until the artifact is whole, so that a killed step resumes from there.

    Attributes:
        shard: The file.
        rejected: Cells whose rows are not in it, and masked ones.
        pictures: Where its pictures lie.
    """

    shard: Shard
    rejected: list[Cell]
    pictures: list[PicturePlace]

    def write(self, directory: Path) -> None:
        """Write the note."""
        write_whole(directory / f".{self.shard.path}{_NOTE}", self.model_dump_json().encode())

    @classmethod
    def read(cls, directory: Path, name: str) -> Self | None:
        """The note of a shard whose file is as it says; None where there is none."""
        try:
            finished = cls.model_validate_json((directory / f".{name}{_NOTE}").read_bytes())
        except (OSError, ValueError):
            return None
        path = directory / name
        return finished if path.is_file() and sha256_of(path) == finished.shard.sha256 else None
