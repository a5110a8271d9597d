"""The file that a table's rows come from."""

from __future__ import annotations

import contextlib
import io
import os
import stat
import tempfile
import weakref
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO

from polyhead.errors import DataError
from polyhead.storage.objects import download_file
from polyhead.storage.places import is_remote

BOM = b"\xef\xbb\xbf"
"""The byte order mark of UTF-8."""


class Source:
    """A file that is there, is a file, and is not empty.

    Args:
        place: Its name.
        kind: One of the kinds of `polyhead.tables.formats`.
        write: Writes a copy, which is what is read. Default: an object in a bucket is downloaded, a file read as it is.

    Raises:
        DataError: It is a folder, a pipe or a device, or empty.
        OSError: It cannot be read.
    """

    def __init__(self, place: str, kind: str, write: Callable[[IO[bytes]], object] | None = None) -> None:
        self.place = place
        self.kind = kind
        if write is None and is_remote(place):
            write = partial(download_file, place)
        self._copy = None if write is None else _copied(place, write)
        self._path = place if self._copy is None else self._copy.path
        status = os.stat(self._path)
        if not stat.S_ISREG(status.st_mode):
            what = "a folder" if stat.S_ISDIR(status.st_mode) else "a pipe or a device"
            raise DataError("not-a-file", f"is {what}, not a file", where=place, hint="give one file")
        if status.st_size == 0:
            raise DataError("empty-file", "is empty", where=place)

    def handle(self) -> str:
        """What polars reads."""
        return self._path

    def stream(self) -> io.BufferedReader:
        """The bytes, from the start."""
        return Path(self._path).open("rb")

    def text(self) -> io.BufferedReader:
        """The bytes behind a byte order mark, if there is one."""
        stream = self.stream()
        if stream.read(len(BOM)) != BOM:
            stream.seek(0)
        return stream

    @contextlib.contextmanager
    def anew(self) -> Iterator[IO[bytes]]:
        """A temporary file to write, which is what is read from then on."""
        copy = _Temporary(self.place)
        with copy.open() as file:
            yield file
        self._copy, self._path = copy, copy.path


class _Temporary:
    """A temporary file, not held open, that is removed when nothing refers to this any more.

    Args:
        place: What it is for; the file has its suffix.
    """

    def __init__(self, place: str) -> None:
        handle, self.path = tempfile.mkstemp(prefix="polyhead-", suffix=PurePosixPath(place).suffix)
        os.close(handle)
        weakref.finalize(self, Path(self.path).unlink, missing_ok=True)

    def open(self) -> IO[bytes]:
        return Path(self.path).open("wb")


def _copied(place: str, write: Callable[[IO[bytes]], object]) -> _Temporary:
    """A temporary file of what lies elsewhere."""
    copy = _Temporary(place)
    with copy.open() as file:
        write(file)
    return copy
