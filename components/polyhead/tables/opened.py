"""Tables of which the columns and the number of rows are known, and nothing is held."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import polars as pl

from polyhead.errors import DataError
from polyhead.tables.columns import named
from polyhead.tables.diagnosis import named_failures
from polyhead.tables.source import Source
from polyhead.tables.writing import ROW_GROUP

_ENGINES_OWN = ("csv", "tsv", "json")


class TablePart:
    """The rows of one file, or of a frame.

    Args:
        name: What messages call it.
        scan: Its rows, with the table's columns in their order and types.
        source: The file, if the rows come from one.
        rows: How many rows, where that is known.

    Attributes:
        rows: How many rows.
    """

    def __init__(self, name: str, scan: pl.LazyFrame, source: Source | None = None, rows: int | None = None) -> None:
        self.scan = scan
        self.rows: int = scan.select(pl.len()).collect().item() if rows is None else rows
        self._name = name
        self._source = source

    def batches(self, rows: int) -> Iterator[pl.DataFrame]:
        """The rows in parts of at most `rows`; see `OpenTable.batches`."""
        with named_failures(self._name, self._source):
            if self._source is not None and self._source.kind == "parquet" and self._holds_bytes:
                yield from self._streamed(self._source, rows)
                return
            if self._source is None or self._source.kind not in _ENGINES_OWN:
                slice_rows = max(1, ROW_GROUP // rows) * rows  # each is looked for in its row group from the start
                for first in range(0, self.rows, slice_rows):
                    yield from self.scan.slice(first, slice_rows).collect().iter_slices(rows)
                return
            for batch in self.scan.collect_batches(chunk_size=rows, maintain_order=True, lazy=True):
                if batch.height:
                    yield batch

    @property
    def _holds_bytes(self) -> bool:
        """Whether cells may be large."""
        types = self.scan.collect_schema().dtypes()
        inner = [part.dtype for dtype in types if isinstance(dtype, pl.Struct) for part in dtype.fields]
        return pl.Binary in [*types, *inner]

    def _streamed(self, source: Source, rows: int) -> Iterator[pl.DataFrame]:
        """The parts of a Parquet file, from its pages; a column that it lacks has one value, given by its path."""
        import pyarrow.parquet as pq

        schema = self.scan.collect_schema()
        file = pq.ParquetFile(source.handle(), pre_buffer=False, buffer_size=2**20)
        own = [column for column in schema if column in file.schema_arrow.names]
        given = self.scan.select(named(*(column for column in schema if column not in own))).head(1).collect()
        constant = [pl.lit(column.first(), column.dtype).alias(column.name) for column in given]
        for batch in file.iter_batches(batch_size=rows, columns=own):
            frame = pl.from_arrow(batch)
            assert isinstance(frame, pl.DataFrame)
            if frame.height:
                yield frame.with_columns(constant).select(named(*schema)).cast(schema)

    def frame(self) -> pl.DataFrame:
        """All rows; see `OpenTable.frame`."""
        with named_failures(self._name, self._source):
            return self.scan.collect()


class FileRows:
    """Which of a table's rows are in which of its files.

    Args:
        frame: `file`, the path of each file that has rows, relative to the table's folder, and `first`, int64, the
            table's row that is its first; in the table's order.
    """

    def __init__(self, frame: pl.DataFrame) -> None:
        self.frame = frame

    @classmethod
    def of(cls, files: Sequence[str], rows: Sequence[int]) -> FileRows:
        """For files in the table's order, with their numbers of rows."""
        firsts = np.cumsum([0, *rows[:-1]])
        frame = pl.DataFrame({"file": files, "first": firsts}, schema={"file": pl.String, "first": pl.Int64})
        return cls(frame.filter(pl.Series(rows) > 0))

    def located(self, cells: pl.DataFrame) -> pl.DataFrame:
        """Rejected cells with two more columns: `file`, and `file_row`, their rows as counted in that file from 0."""
        at = np.searchsorted(self.frame["first"].to_numpy(), cells["row"].to_numpy(), side="right") - 1
        found = self.frame[at]
        return cells.with_columns(found["file"], (cells["row"] - found["first"]).alias("file_row"))


class OpenTable:
    """A table of which the columns and the number of rows are known, and nothing is held.

    Args:
        name: What messages call it.
        parts: Its rows, at least one part; all have the same columns.
        files: Where it consists of several files, the name of each part, relative to the table's folder.

    Attributes:
        name: What messages call it.
        schema: Its columns and their types.
        rows: How many rows, at least one.
        files: Which rows are in which file, where it consists of several.

    Raises:
        DataError: It has no rows.
    """

    def __init__(self, name: str, parts: Sequence[TablePart], files: Sequence[str] | None = None) -> None:
        self.name = name
        self.schema = parts[0].scan.collect_schema()
        self.rows = sum(part.rows for part in parts)
        self.files = None if files is None else FileRows.of(files, [part.rows for part in parts])
        self._parts = [part for part in parts if part.rows]
        if self.rows == 0:
            raise DataError("no-rows", "has no rows", where=name)

    def batches(self, rows: int) -> Iterator[pl.DataFrame]:
        """The table in parts.

        Text is read ahead by the columnar engine, in a few hundred megabytes at most. Other formats are not: the engine
        would read ahead as far as it can. Columns of bytes, which may be whole pictures, are read a part at a time. One
        file is read after another.

        Args:
            rows: Most rows of a part.

        Yields:
            Parts in the table's order, of `rows` rows each, but the last.

        Raises:
            DataError: The table cannot be parsed.
        """
        waiting: list[pl.DataFrame] = []
        height = 0
        for part in self._parts:
            for batch in part.batches(rows):
                waiting.append(batch)
                height += batch.height
                if height >= rows:
                    whole = pl.concat(waiting)
                    yield whole.head(rows)
                    waiting, height = [whole.slice(rows)], height - rows
        if height:
            yield pl.concat(waiting)

    def frame(self) -> pl.DataFrame:
        """The whole table.

        Raises:
            DataError: The table cannot be parsed.
        """
        return pl.concat([part.frame() for part in self._parts])

    def located(self, cells: pl.DataFrame) -> pl.DataFrame:
        """Rejected cells as they are, or of a table of several files with the file of each and its row there."""
        return cells if self.files is None else self.files.located(cells)
