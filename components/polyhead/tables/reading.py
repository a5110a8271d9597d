"""Tables in: Parquet, CSV, JSON Lines, or a DataFrame that is already in memory."""

from __future__ import annotations

import csv
import gzip
import io
import re
import shutil
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import polars as pl

from polyhead.errors import DataError
from polyhead.progress import say
from polyhead.storage.places import check_scheme
from polyhead.tables.columns import choose_columns, named
from polyhead.tables.diagnosis import named_failures
from polyhead.tables.frames import from_pandas
from polyhead.tables.json_lines import has_booleans, has_halves, mixed_columns, rewritten, without_halves
from polyhead.tables.separated import plain_rows, rewrite, separator_of
from polyhead.tables.source import BOM, Source
from polyhead.tables.writing import ROW_GROUP

if TYPE_CHECKING:
    import pandas as pd

    Table = str | pl.DataFrame | pd.DataFrame
else:
    Table = object

_READERS = {".parquet": "parquet", ".pq": "parquet", ".csv": "csv", ".tsv": "tsv", ".jsonl": "json", ".ndjson": "json"}
_SEPARATORS = {"csv": ",", "tsv": "\t"}
_GZIP = b"\x1f\x8b"
_PACKED = (b"\x28\xb5\x2f\xfd", b"\x78\x01", b"\x78\x9c", b"\x78\xda")  # zstd and zlib, which polars unpacks


def read_table(table: Table, columns: Sequence[str] | None = None) -> pl.DataFrame:
    """Read a whole table; see `open_table`.

    Raises:
        DataError: As `open_table` and `OpenTable.frame` say.
    """
    return open_table(table, columns).frame()


def open_table(table: Table, columns: Sequence[str] | None = None, optional: Sequence[str] = ()) -> OpenTable:
    """Open a table, with CSV cells as text, so that `007` stays `007`.

    Args:
        table: A path, or a `gs://`, `s3://` or `minio://` place, ending in .parquet, .pq, .csv, .tsv, .jsonl or
            .ndjson; or a DataFrame.
        columns: Columns to keep, in this order. Default: all.
        optional: More columns to keep, of those that there are.

    Returns:
        The table, its rows in order. Empty CSV cells are null; empty lines are not rows. Cells of CSV files are
        separated by commas and those of TSV files by tabs, unless only another of `,`, `;`, tab and `|` cuts the first
        lines evenly; that is said. An object in a bucket is copied once into a temporary file, which is gone with the
        table, and so is a file that has to be written anew before it can be read.

    Raises:
        DataError: There is no such table, it cannot be parsed, has lines with more or fewer cells than the header, has
            no rows, or lacks columns or has two of one name (all named).
    """
    if isinstance(table, str):
        return _open_file(table, columns, optional)
    if isinstance(table, pl.DataFrame):
        frame = table.select(named(*choose_columns("the DataFrame", table.columns, columns, optional)))
    else:
        frame = from_pandas(table, columns, optional)
    return OpenTable("the DataFrame", frame.lazy())


class OpenTable:
    """A table of which the columns and the number of rows are known, and nothing is held.

    Args:
        name: What messages call it.
        scan: Its rows.
        source: The file that the rows come from, if one.
        rows: How many rows, where that is known.

    Attributes:
        name: What messages call it.
        schema: Its columns and their types.
        rows: How many rows, at least one.

    Raises:
        DataError: It has no rows.
    """

    def __init__(self, name: str, scan: pl.LazyFrame, source: Source | None = None, rows: int | None = None) -> None:
        self.name = name
        self.schema = scan.collect_schema()
        self.rows: int = scan.select(pl.len()).collect().item() if rows is None else rows
        self._scan = scan
        self._source = source
        if self.rows == 0:
            raise DataError("no-rows", "has no rows", where=name)

    def batches(self, rows: int) -> Iterator[pl.DataFrame]:
        """The table in parts.

        Text is read ahead by the columnar engine, in a few hundred megabytes at most. Parquet is not: the engine would
        read ahead as far as it can. Columns of bytes, which may be whole pictures, are read a part at a time.

        Args:
            rows: Most rows of a part.

        Yields:
            Parts in the table's order, at least one row each.

        Raises:
            DataError: The table cannot be parsed.
        """
        with named_failures(self.name, self._source):
            if self._source is not None and self._source.kind == "parquet" and self._holds_bytes:
                yield from self._streamed(rows)
                return
            if self._source is None or self._source.kind == "parquet":
                slice_rows = max(1, ROW_GROUP // rows) * rows  # each is looked for in its row group from the start
                for first in range(0, self.rows, slice_rows):
                    yield from self._scan.slice(first, slice_rows).collect().iter_slices(rows)
                return
            for batch in self._scan.collect_batches(chunk_size=rows, maintain_order=True, lazy=True):
                if batch.height:
                    yield batch

    @property
    def _holds_bytes(self) -> bool:
        """Whether cells may be large."""
        inner = [part.dtype for dtype in self.schema.values() if isinstance(dtype, pl.Struct) for part in dtype.fields]
        return pl.Binary in [*self.schema.values(), *inner]

    def _streamed(self, rows: int) -> Iterator[pl.DataFrame]:
        """The parts of a Parquet file, from its pages."""
        import pyarrow.parquet as pq

        assert self._source is not None
        file = pq.ParquetFile(self._source.handle(), pre_buffer=False, buffer_size=2**20)
        columns = list(self.schema)
        for batch in file.iter_batches(batch_size=rows, columns=columns):
            frame = pl.from_arrow(batch)
            assert isinstance(frame, pl.DataFrame)
            if frame.height:
                yield frame.select(named(*columns)).cast(self.schema)

    def frame(self) -> pl.DataFrame:
        """The whole table.

        Raises:
            DataError: The table cannot be parsed.
        """
        with named_failures(self.name, self._source):
            return self._scan.collect()


def _open_file(place: str, columns: Sequence[str] | None, optional: Sequence[str]) -> OpenTable:
    check_scheme(place)
    suffix = PurePosixPath(place).suffix.lower()
    kind = _READERS.get(suffix)
    if kind is None:
        raise DataError(
            "unknown-table-format",
            f"unknown table format '{suffix}'",
            where=place,
            hint=f"one of: {', '.join(_READERS)}",
        )
    with named_failures(place):
        source = Source(place, kind)
    with named_failures(place, source):
        return _scan_file(source, columns, optional)


def _scan_file(source: Source, columns: Sequence[str] | None, optional: Sequence[str]) -> OpenTable:
    names = rows = None
    if source.kind == "parquet":
        scan = pl.scan_parquet(source.handle(), glob=False)
        try:
            scan.collect_schema()
        except pl.exceptions.DuplicateError:
            return OpenTable(source.place, _with_repeated_names(source, columns, optional))
    elif source.kind == "json":
        scan = _scan_json_lines(source)
    else:
        scan, names, rows = _scan_csv(source, columns or ())
    names = scan.collect_schema().names() if names is None else names
    chosen = named(*choose_columns(source.place, names, columns, optional))
    return OpenTable(source.place, scan.select(chosen), source, rows)


def _with_repeated_names(source: Source, columns: Sequence[str] | None, optional: Sequence[str]) -> pl.LazyFrame:
    """The columns wanted of a Parquet file in which others have the same name."""
    import pyarrow.parquet as pq

    file = pq.ParquetFile(source.handle())
    chosen = choose_columns(source.place, file.schema_arrow.names, columns, optional)
    frame = pl.from_arrow(file.read(columns=chosen))
    assert isinstance(frame, pl.DataFrame)
    return frame.select(named(*chosen)).lazy()


def _scan_csv(source: Source, columns: Sequence[str]) -> tuple[pl.LazyFrame, list[str], int | None]:
    """Cells as text, the true names of the columns, which polars renames where they repeat, and the number of rows."""
    with source.stream() as stream:
        mark = stream.read(4)
    if mark[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise DataError("not-utf8", "is UTF-16 text", where=source.place, hint="save it as UTF-8")
    if mark[:2] == _GZIP:
        with source.anew() as file, gzip.open(source.handle()) as packed:
            shutil.copyfileobj(packed, file)
    usual = _SEPARATORS[source.kind]
    if mark.startswith(_PACKED):
        separator, rows = usual, None
    else:
        with source.text() as stream:
            separator = separator_of(stream, usual, columns)
        if separator != usual:
            say(f"{source.place}: cells are separated by {separator!r}")
        with source.text() as stream:
            rows = plain_rows(stream, separator)
        if rows is None:
            with source.anew() as file, source.stream() as stream:
                rows = rewrite(stream, separator, file, place=source.place)
            separator = ","
    scan = pl.scan_csv(source.handle(), separator=separator, infer_schema=False, encoding="utf8", glob=False)
    columns = scan.collect_schema().names()
    names = columns
    if any(re.search(r'_duplicated_\d+$|"', name) for name in names):
        with io.TextIOWrapper(source.stream(), encoding="utf-8-sig", newline="") as lines:
            header = next((cells for cells in csv.reader(lines, delimiter=separator) if cells), names)
        names = header if len(header) == len(names) else names
        if len(set(names)) == len(names):
            scan = scan.rename(dict(zip(columns, names, strict=True)))
    return scan if rows is None else scan.head(rows), names, rows


def _scan_json_lines(source: Source) -> pl.LazyFrame:
    """A first pass finds the columns and their types, so that a part's types do not depend on where it is cut."""
    with source.stream() as stream:
        if not any(line.removeprefix(BOM).strip() for line in stream):
            raise DataError("empty-file", "is empty", where=source.place)
    with source.text() as stream:
        marked, halves = stream.tell() > 0, has_halves(stream)
    if marked or halves:
        with source.anew() as file, source.text() as stream:
            file.writelines(map(without_halves, stream))
    try:
        schema = pl.scan_ndjson(source.handle(), infer_schema_length=None).collect_schema()
    except pl.exceptions.PolarsError:
        if not _told_apart(source, records=True):
            raise
        schema = pl.scan_ndjson(source.handle(), infer_schema_length=None).collect_schema()
    with source.stream() as stream:
        suspect = has_booleans(stream, [name for name, dtype in schema.items() if _numeric(dtype)])
    if suspect and _told_apart(source, records=False):
        schema = pl.scan_ndjson(source.handle(), infer_schema_length=None).collect_schema()
    return pl.scan_ndjson(source.handle(), schema=schema)


def _numeric(dtype: pl.DataType) -> bool:
    inner = dtype.inner if isinstance(dtype, pl.List) else dtype
    return isinstance(inner, pl.DataType) and inner.is_numeric()


def _told_apart(source: Source, *, records: bool) -> bool:
    """Write the columns that hold several kinds of values as text, if there are any."""
    try:
        with source.stream() as stream:
            mixed = mixed_columns(stream, records=records)
    except (ValueError, RecursionError):
        return False  # polars names what is wrong
    if mixed:
        with source.anew() as file, source.stream() as stream:
            file.writelines(rewritten(stream, mixed))
    return bool(mixed)
