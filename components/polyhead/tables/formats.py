"""The formats of table files, and how a file of each becomes rows."""

from __future__ import annotations

import csv
import gzip
import io
import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import polars as pl

from polyhead.errors import DataError
from polyhead.tables.arrow import as_arrow_file, names_in, read_columns
from polyhead.tables.json_lines import has_booleans, has_halves, mixed_columns, rewritten, without_halves
from polyhead.tables.separated import plain_rows, rewrite, separator_of
from polyhead.tables.source import BOM, Source

if TYPE_CHECKING:
    import pyarrow as pa

KINDS = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".csv": "csv",
    ".tsv": "tsv",
    ".jsonl": "json",
    ".ndjson": "json",
    ".arrow": "arrow",
    ".arrows": "arrow",
    ".feather": "arrow",
    ".orc": "orc",
}
"""The kind of format that a file's suffix stands for."""

_SEPARATORS = {"csv": ",", "tsv": "\t"}
_GZIP = b"\x1f\x8b"
_PACKED = (b"\x28\xb5\x2f\xfd", b"\x78\x01", b"\x78\x9c", b"\x78\xda")  # zstd and zlib, which polars unpacks


@dataclass(frozen=True)
class Scan:
    """The rows of one file, none of which is read yet.

    Attributes:
        names: Its columns as the file calls them; a name may be there twice.
        rows: How many rows, where that is known.
        having: Gives the rows with at least some columns, none of which is there twice.
        remark: What its owner should know of how it is read; empty where nothing is odd.
    """

    names: list[str]
    rows: int | None
    having: Callable[[Sequence[str]], pl.LazyFrame]
    remark: str = ""


def kind_of(place: str) -> str | None:
    """The kind of format that a place's name promises; None where none is known."""
    return KINDS.get(PurePosixPath(place).suffix.lower())


def scanned(source: Source, columns: Sequence[str] | None) -> Scan:
    """The rows of a file.

    Args:
        source: The file.
        columns: Columns that it should have, where some are wanted.

    Raises:
        DataError: It is not of its format.
        pl.exceptions.PolarsError: It is not of its format either.
    """
    match source.kind:
        case "parquet":
            return _scan_parquet(source)
        case "arrow" | "orc":
            return _scan_arrow(source)
        case "json":
            return _whole(_scan_json_lines(source))
        case _:
            return _scan_csv(source, columns or ())


def _whole(scan: pl.LazyFrame) -> Scan:
    return Scan(scan.collect_schema().names(), None, lambda _: scan)


def _scan_parquet(source: Source) -> Scan:
    scan = pl.scan_parquet(source.handle(), glob=False)
    try:
        return _whole(scan)
    except pl.exceptions.DuplicateError:
        import pyarrow.parquet as pq

        file = pq.ParquetFile(source.handle())
        return Scan(file.schema_arrow.names, file.metadata.num_rows, lambda names: _loaded(file.read(list(names))))


def _scan_arrow(source: Source) -> Scan:
    as_arrow_file(source)
    names = names_in(source)
    if len(set(names)) == len(names):
        return _whole(pl.scan_ipc(source.handle(), glob=False))
    return Scan(names, None, lambda wanted: _loaded(read_columns(source, wanted)))


def _loaded(table: pa.Table) -> pl.LazyFrame:
    """An Arrow table in memory, of a file in which columns that are not wanted have the same name."""
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)
    return frame.lazy()


def _scan_csv(source: Source, columns: Sequence[str]) -> Scan:
    """Cells as text, under the true names of the columns, which polars renames where they repeat."""
    with source.stream() as stream:
        mark = stream.read(4)
    if mark[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise DataError("not-utf8", "is UTF-16 text", where=source.place, hint="save it as UTF-8")
    if mark[:2] == _GZIP:
        with source.anew() as file, gzip.open(source.handle()) as packed:
            shutil.copyfileobj(packed, file)
    usual = _SEPARATORS[source.kind]
    if mark.startswith(_PACKED):
        separator, rows, remark = usual, None, ""
    else:
        with source.text() as stream:
            separator = separator_of(stream, usual, columns)
        remark = f"cells are separated by {separator!r}" if separator != usual else ""
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
    found = scan if rows is None else scan.head(rows)
    return Scan(names, rows, lambda _: found, remark)


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
