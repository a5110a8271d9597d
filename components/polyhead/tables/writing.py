"""Tables out, as Parquet."""

from __future__ import annotations

import contextlib
import hashlib
import io
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Self

import polars as pl

from polyhead.contracts.artifact import FileDigest

ROW_GROUP = 131_072
"""Rows of each row group, except the last, of the tables that steps pass on."""


def parquet_bytes(table: pl.DataFrame) -> bytes:
    """A small table as a Parquet file."""
    buffer = io.BytesIO()
    table.write_parquet(buffer, compression="zstd")
    return buffer.getvalue()


class TableWriter:
    """Writes a Parquet file from parts of any size: the same rows give the same bytes, however they are cut.

    Row groups hold `ROW_GROUP` rows, except the last; LZ4 compresses, since the next steps read every column and it
    costs them nothing. A row group is encoded and digested in a thread while the caller makes the next one.

    Args:
        path: The file.
        words: Columns with few different words, which are stored once per row group.
        counting: Columns of whole numbers that mostly grow by little, of which the steps are stored.
    """

    def __init__(self, path: Path, *, words: Sequence[str] = (), counting: Sequence[str] = ()) -> None:
        self._path = path
        self._words = list(words)
        self._counting = list(counting)
        self._parts: list[pl.DataFrame] = []
        self._height = 0
        self._file: _DigestedFile | None = None
        self._writer: Any = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="polyhead-write")
        self._pending: Future[None] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self._submit(pl.concat(self._parts))
                self._wait()
        finally:
            self._thread.shutdown()
            if self._file is not None:
                with contextlib.closing(self._file):
                    if self._writer is not None:
                        self._writer.close()

    @property
    def digest(self) -> FileDigest:
        """What a contract says of the file, once it is closed."""
        assert self._file is not None
        return self._file.digest

    def write(self, rows: pl.DataFrame) -> None:
        """Append rows; the first call, even without any, says what the columns are."""
        if self._file is None:
            self._open(rows)
        self._parts.append(rows)
        self._height += rows.height
        while self._height >= ROW_GROUP:
            whole = pl.concat(self._parts)
            self._submit(whole.head(ROW_GROUP))
            self._parts = [whole.slice(ROW_GROUP)]
            self._height -= ROW_GROUP

    def _open(self, rows: pl.DataFrame) -> None:
        import pyarrow.parquet as pq

        self._file = _DigestedFile(self._path)
        self._writer = pq.ParquetWriter(
            self._file,
            _as_arrow(rows.clear()).schema,
            compression="lz4",
            use_dictionary=self._words,
            column_encoding=dict.fromkeys(self._counting, "DELTA_BINARY_PACKED"),
            write_statistics=False,
            store_schema=False,
        )

    def _submit(self, rows: pl.DataFrame) -> None:
        self._wait()
        if rows.height:
            self._pending = self._thread.submit(self._encode, rows)

    def _wait(self) -> None:
        if self._pending is not None:
            self._pending.result()
            self._pending = None

    def _encode(self, rows: pl.DataFrame) -> None:
        self._writer.write_table(_as_arrow(rows.rechunk()), row_group_size=ROW_GROUP)


class _DigestedFile:
    """A file that is written from its start to its end, and digested meanwhile; as much of one as Arrow needs."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")
        self._sha256 = hashlib.sha256()
        self._bytes = 0
        self.flush, self.close = self._file.flush, self._file.close

    @property
    def closed(self) -> bool:
        return self._file.closed

    def write(self, content: bytes) -> int:
        self._sha256.update(content)
        self._bytes += len(content)
        return self._file.write(content)

    @property
    def digest(self) -> FileDigest:
        return FileDigest(bytes=self._bytes, sha256=self._sha256.hexdigest())


def _as_arrow(rows: pl.DataFrame) -> Any:
    """An Arrow table in types that every reader of Parquet knows."""
    return rows.to_arrow(compat_level=pl.CompatLevel.oldest())
