"""Tables in: Parquet, CSV, JSON Lines, or a DataFrame that is already in memory; and out, as Parquet."""

from __future__ import annotations

import contextlib
import csv
import datetime as dt
import decimal
import gzip
import io
import json
import os
import re
import shutil
import stat
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, Any, Self

import polars as pl
from polars import selectors

from polyhead.errors import DataError, Problem, did_you_mean
from polyhead.progress import say
from polyhead.storage.json_lines import has_booleans, has_halves, mixed_columns, rewritten, without_halves
from polyhead.storage.objects import download_file
from polyhead.storage.places import check_scheme, is_remote
from polyhead.storage.separated import plain_rows, rewrite, separator_of

if TYPE_CHECKING:
    import pandas as pd

    Table = str | pl.DataFrame | pd.DataFrame
else:
    Table = object

_READERS = {".parquet": "parquet", ".pq": "parquet", ".csv": "csv", ".tsv": "tsv", ".jsonl": "json", ".ndjson": "json"}
_SEPARATORS = {"csv": ",", "tsv": "\t"}
_BOM = b"\xef\xbb\xbf"
_GZIP = b"\x1f\x8b"
_PACKED = (b"\x28\xb5\x2f\xfd", b"\x78\x01", b"\x78\x9c", b"\x78\xda")  # zstd and zlib, which polars unpacks


ROW_GROUP = 131_072
"""Rows of each row group of the tables that steps hand on, the last apart."""


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
        The table, its rows in order. Empty CSV cells are null; empty lines are no rows. Cells of CSV files are
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
        frame = _from_pandas(table, columns, optional)
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

    def __init__(self, name: str, scan: pl.LazyFrame, source: _Source | None = None, rows: int | None = None) -> None:
        self.name = name
        self.schema = scan.collect_schema()
        self.rows: int = scan.select(pl.len()).collect().item() if rows is None else rows
        self._scan = scan
        self._source = source
        if self.rows == 0:
            raise DataError("has no rows", where=name)

    def batches(self, rows: int) -> Iterator[pl.DataFrame]:
        """The table in parts.

        Text is read ahead by the columnar engine, in a few hundred megabytes at most. Parquet is not: the engine would
        read ahead as far as it can.

        Args:
            rows: Most rows of a part.

        Yields:
            Parts in the table's order, at least one row each.

        Raises:
            DataError: The table cannot be parsed.
        """
        with _reading(self.name, self._source):
            if self._source is None or self._source.kind == "parquet":
                slice_rows = max(1, ROW_GROUP // rows) * rows  # each is looked for in its row group from the start
                for first in range(0, self.rows, slice_rows):
                    yield from self._scan.slice(first, slice_rows).collect().iter_slices(rows)
                return
            for batch in self._scan.collect_batches(chunk_size=rows, maintain_order=True, lazy=True):
                if batch.height:
                    yield batch

    def frame(self) -> pl.DataFrame:
        """The whole table.

        Raises:
            DataError: The table cannot be parsed.
        """
        with _reading(self.name, self._source):
            return self._scan.collect()


def parquet_bytes(table: pl.DataFrame) -> bytes:
    """A small table as a Parquet file."""
    buffer = io.BytesIO()
    table.write_parquet(buffer, compression="zstd")
    return buffer.getvalue()


def named(*columns: str) -> pl.Expr:
    """Columns of a table, in this order, by their very names: polars itself takes `*` and `^a$` for patterns.

    The methods of a series do so with the series' own name.
    """
    return selectors.by_name(*columns).as_expr()


def choose_columns(
    name: str, names: Sequence[str], columns: Sequence[str] | None, optional: Sequence[str] = ()
) -> list[str]:
    """The columns to keep of those that a table has; a column without a name is nobody's.

    Args:
        name: What messages call the table.
        names: The names of its columns.
        columns: The columns wanted. Default: all that have a name.
        optional: More columns wanted, of those that there are.

    Raises:
        DataError: One is missing or is there twice; all of them at once.
    """
    counts = Counter(names)
    wanted = [column for column in counts if column] if columns is None else list(columns)
    wanted += [column for column in dict.fromkeys(optional) if column in counts and column not in wanted]
    problems = []
    if len(wanted) > 1 and not counts.keys() & set(wanted):
        header = ", ".join(list(counts)[:12])
        separated = next((mark for mark in (";", "\t", "|") if mark in header), None)
        hint = f"is its separator {separated!r}? Save it with commas" if separated else "is its first line a header?"
        raise DataError(f"has none of the columns {', '.join(wanted[:12])}; it has: {header}", where=name, hint=hint)
    for column in wanted:
        if column not in counts:
            problems.append(Problem(f"no column '{column}'", name, did_you_mean(column, list(counts))))
        elif counts[column] > 1:
            problems.append(Problem(f"{counts[column]} columns are called '{column}'", name, "keep one"))
    if problems:
        raise DataError(problems)
    return wanted


def _open_file(place: str, columns: Sequence[str] | None, optional: Sequence[str]) -> OpenTable:
    check_scheme(place)
    suffix = PurePosixPath(place).suffix.lower()
    kind = _READERS.get(suffix)
    if kind is None:
        raise DataError(f"unknown table format '{suffix}'", where=place, hint=f"one of: {', '.join(_READERS)}")
    with _reading(place):
        source = _Source(place, kind)
    with _reading(place, source):
        return _scan_file(source, columns, optional)


def _scan_file(source: _Source, columns: Sequence[str] | None, optional: Sequence[str]) -> OpenTable:
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
        scan, names, rows = _scan_csv(source)
    names = scan.collect_schema().names() if names is None else names
    chosen = named(*choose_columns(source.place, names, columns, optional))
    return OpenTable(source.place, scan.select(chosen), source, rows)


def _with_repeated_names(source: _Source, columns: Sequence[str] | None, optional: Sequence[str]) -> pl.LazyFrame:
    """The columns wanted of a Parquet file in which others have the same name."""
    import pyarrow.parquet as pq

    file = pq.ParquetFile(source.handle())
    chosen = choose_columns(source.place, file.schema_arrow.names, columns, optional)
    frame = pl.from_arrow(file.read(columns=chosen))
    assert isinstance(frame, pl.DataFrame)
    return frame.select(named(*chosen)).lazy()


@contextlib.contextmanager
def _reading(place: str, source: _Source | None = None) -> Iterator[None]:
    """Turn what goes wrong while a file is read into an error that names it."""
    try:
        yield
    except FileNotFoundError:
        raise DataError("no such table", where=place) from None
    except pl.exceptions.NoDataError:
        raise DataError("is empty", where=place) from None
    except PermissionError:
        raise DataError("may not be read: permission denied", where=place) from None
    except (OSError, UnicodeDecodeError, pl.exceptions.PolarsError) as error:
        if source is not None and not isinstance(error, OSError):
            source.explain()
        suffix = PurePosixPath(place).suffix.lower()
        reason = str(error).splitlines()[0]
        hint = "save it as UTF-8" if re.search("utf-?8", reason, re.IGNORECASE) else ""
        raise DataError(f"cannot be read as {suffix[1:]}: {reason}", where=place, hint=hint) from None


class _Source:
    """A file that is there, is a file, and is not empty.

    Args:
        place: Its name.
        kind: parquet, csv, tsv or json.

    Raises:
        DataError: It is a folder, a pipe or a device, or empty.
        OSError: It cannot be read.
    """

    def __init__(self, place: str, kind: str) -> None:
        self.place = place
        self.kind = kind
        self._copy = _copied(place) if is_remote(place) else None
        self._path = place if self._copy is None else self._copy.name
        status = os.stat(self._path)
        if not stat.S_ISREG(status.st_mode):
            what = "a folder" if stat.S_ISDIR(status.st_mode) else "a pipe or a device"
            raise DataError(f"is {what}, not a file", where=place, hint="give one file")
        if status.st_size == 0:
            raise DataError("is empty", where=place)

    def handle(self) -> str:
        """What polars reads."""
        return self._path

    def stream(self) -> io.BufferedReader:
        """The bytes, from the start."""
        return Path(self._path).open("rb")

    def text(self) -> io.BufferedReader:
        """The bytes behind a byte order mark, if there is one."""
        stream = self.stream()
        if stream.read(len(_BOM)) != _BOM:
            stream.seek(0)
        return stream

    @contextlib.contextmanager
    def anew(self) -> Iterator[IO[bytes]]:
        """A temporary file to write, which is what is read from then on."""
        copy = _temporary(self.place)
        yield copy
        copy.flush()
        self._copy, self._path = copy, copy.name

    def explain(self) -> None:
        """Name the line that keeps the file from being read, where one does.

        Raises:
            DataError: There is one.
        """
        if self.kind == "json":
            _refuse_other_json(self)
        elif self.kind in _SEPARATORS:
            _refuse_other_text(self)


def _copied(place: str) -> tempfile._TemporaryFileWrapper[bytes]:
    """A temporary file with an object's bytes, all of one version; it goes when nobody holds it any more."""
    file = _temporary(place)
    download_file(place, file)
    file.flush()
    return file


def _temporary(place: str) -> tempfile._TemporaryFileWrapper[bytes]:
    return tempfile.NamedTemporaryFile(prefix="polyhead-", suffix=PurePosixPath(place).suffix)


def _scan_csv(source: _Source) -> tuple[pl.LazyFrame, list[str], int | None]:
    """Cells as text, the true names of the columns, which polars renames where they repeat, and the number of rows."""
    with source.stream() as stream:
        mark = stream.read(4)
    if mark[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise DataError("is UTF-16 text", where=source.place, hint="save it as UTF-8")
    if mark[:2] == _GZIP:
        with source.anew() as file, gzip.open(source.handle()) as packed:
            shutil.copyfileobj(packed, file)
    usual = _SEPARATORS[source.kind]
    if mark.startswith(_PACKED):
        separator, rows = usual, None
    else:
        with source.text() as stream:
            separator = separator_of(stream, usual)
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


def _refuse_other_text(source: _Source) -> None:
    """Name the first line that is no UTF-8 text."""
    with source.stream() as stream:
        for number, line in enumerate(stream, 1):
            try:
                line.decode()
            except UnicodeDecodeError:
                raise DataError(
                    f"line {number} is no UTF-8 text", where=source.place, hint="save it as UTF-8"
                ) from None


def _scan_json_lines(source: _Source) -> pl.LazyFrame:
    """A first pass finds the columns and their types, so that a part's types do not depend on where it is cut."""
    with source.stream() as stream:
        if not any(line.removeprefix(_BOM).strip() for line in stream):
            raise DataError("is empty", where=source.place)
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


def _told_apart(source: _Source, *, records: bool) -> bool:
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


def _refuse_other_json(source: _Source) -> None:
    """Name the first line that is no JSON object."""
    with source.stream() as stream:
        for number, line in enumerate(stream, 1):
            reason = _no_json_object(line.rstrip(b"\n"))
            if reason:
                raise DataError(f"line {number} is no JSON object: {reason}", where=source.place)


def _no_json_object(line: bytes) -> str:
    """What is wrong with a line of JSON; empty where nothing is."""

    def refuse(word: str) -> None:
        raise ValueError(f"{word} is no JSON value, write null")

    if not line.strip():
        return ""
    try:
        value = json.loads(line.decode("utf-8"), parse_constant=refuse)
    except json.JSONDecodeError as error:
        return f"{error.msg} at character {error.colno}"
    except (ValueError, RecursionError) as error:
        return str(error)
    return "" if isinstance(value, dict) else f"received a {type(value).__name__}"


def _from_pandas(table: object, columns: Sequence[str] | None, optional: Sequence[str]) -> pl.DataFrame:
    """The columns of a pandas frame, one by one, so that a strange one that nobody asked for does not matter."""
    pandas = sys.modules.get("pandas")
    if pandas is None or not isinstance(table, pandas.DataFrame):
        raise TypeError(f"a table is a path, a pandas or a polars DataFrame; received {type(table).__name__}")
    frame: pd.DataFrame = table
    names = [str(name) for name in frame.columns]
    chosen = choose_columns("the DataFrame", names, columns, optional)
    return pl.DataFrame([_from_series(name, frame.iloc[:, names.index(name)]) for name in chosen])


def _from_series(name: str, values: pd.Series[Any]) -> pl.Series:
    kind = getattr(values.dtype, "categories", values)  # of the categories, where it is categorical
    if type(kind.dtype).__name__ in ("PeriodDtype", "IntervalDtype"):
        values = values.astype(object).map(str, na_action="ignore")
    try:
        return pl.from_pandas(values.rename(None)).alias(name)
    except (TypeError, ValueError, OverflowError, NotImplementedError, pl.exceptions.PolarsError):
        # Arrow's errors derive from these: the values are of several types, or of one that it does not know.
        try:
            return pl.Series([_written(value) for value in values], dtype=pl.String).alias(name)
        except TypeError as error:
            raise DataError(f"holds {error}, which is no single value", where=f"column '{name}'") from None


def _written(value: Any) -> str | None:
    """A value of a column of mixed types, as pandas would write it to CSV."""
    if isinstance(value, (list, tuple, set, frozenset)) or type(value).__name__ == "ndarray":
        items = [_written(item) for item in value]
        return json.dumps(sorted(items, key=str) if isinstance(value, (set, frozenset)) else items)
    if value is None or type(value).__name__ == "NAType" or value != value:  # noqa: PLR0124  # NaN and NaT
        return None
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")  # half a pair is no text
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            raise TypeError("bytes that are no UTF-8 text") from None
    if isinstance(value, (int, float, decimal.Decimal, dt.date, dt.time)) or type(value).__module__ == "numpy":
        return str(value)
    if isinstance(value, os.PathLike):
        return str(os.fspath(value))
    raise TypeError(f"a {type(value).__name__}")


class TableWriter:
    """Writes a Parquet file from parts of any size: the same rows give the same bytes, however they are cut.

    Row groups hold `ROW_GROUP` rows, the last apart; LZ4 compresses, since the next steps read every column and it
    costs them nothing. A row group is encoded in a thread while the caller makes the next one.

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
        self._file: Any = None
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
                self._file.close()

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

        self._file = pq.ParquetWriter(
            self._path,
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
        self._file.write_table(_as_arrow(rows.rechunk()), row_group_size=ROW_GROUP)


def _as_arrow(rows: pl.DataFrame) -> Any:
    """An Arrow table in types that every reader of Parquet knows."""
    return rows.to_arrow(compat_level=pl.CompatLevel.oldest())
