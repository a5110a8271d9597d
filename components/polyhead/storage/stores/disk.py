"""The files of this machine, by the calls of a store."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from polyhead.errors import ConflictError
from polyhead.storage.folders import write_file
from polyhead.storage.stores.base import ObjectStat


class DiskStore:
    """Local files. A file's version is its time and its place on the disk; it has no checksum.

    A condition holds between processes of Polyhead: a folder is locked while a file in it is written or removed.
    """

    def stat(self, place: str) -> ObjectStat | None:
        """As `Store.stat`."""
        path = Path(place)
        try:
            status = path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        if not path.is_file():
            return None
        return ObjectStat(str(path), status.st_size, f"{status.st_mtime_ns:x}-{status.st_ino:x}")

    def list(self, place: str) -> Iterator[ObjectStat]:
        """As `Store.list`."""
        for path in sorted(Path(place).rglob("*"), key=lambda path: path.as_posix().encode()):
            found = self.stat(str(path))
            if found is not None:
                yield found

    def read(self, place: str, admit: Callable[[int], None] | None) -> bytes:  # noqa: ARG002  # nothing waits for a disk
        """As `Store.read`."""
        return Path(place).read_bytes()

    def fetch(self, thing: ObjectStat, file: IO[bytes]) -> None:
        """As `Store.fetch`."""
        with Path(thing.place).open("rb") as source:
            shutil.copyfileobj(source, file)

    def write(self, place: str, content: bytes | Path, *, absent: bool, replacing: str | None) -> str:
        """As `Store.write`."""
        path = Path(place).absolute()
        path.parent.mkdir(parents=True, exist_ok=True)
        with _only_here(path.parent):
            found = self.stat(str(path))
            if (absent and found is not None) or (replacing is not None and (not found or found.version != replacing)):
                raise ConflictError(
                    "changed-meanwhile", "was written or removed by another process meanwhile", where=str(path)
                )
            write_file(path, content)
            written = self.stat(str(path))
        assert written is not None
        return written.version

    def delete(self, place: str, version: str) -> None:
        """As `Store.delete`."""
        path = Path(place)
        if not path.parent.is_dir():
            return
        with _only_here(path.parent):
            found = self.stat(place)
            if found is not None and found.version != version:
                raise ConflictError("changed-meanwhile", "was written by another process meanwhile", where=str(path))
            path.unlink(missing_ok=True)


@contextlib.contextmanager
def _only_here(folder: Path) -> Iterator[None]:
    """Keep other processes of Polyhead from writing into a folder; it ends with this one."""
    lock = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)
