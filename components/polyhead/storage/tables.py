"""Tables in: Parquet, CSV, JSON Lines, or a DataFrame that is already in memory."""

from __future__ import annotations

import csv
import datetime as dt
import decimal
import io
import json
import os
import re
import stat
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import polars as pl

from polyhead.errors import DataError, Problem, did_you_mean
from polyhead.storage.places import check_scheme, is_remote, read_bytes

if TYPE_CHECKING:
    import pandas as pd

    Table = str | pl.DataFrame | pd.DataFrame
else:
    Table = object

_READERS = {".parquet": "parquet", ".pq": "parquet", ".csv": "csv", ".tsv": "tsv", ".jsonl": "json", ".ndjson": "json"}
_SEPARATORS = {"csv": ",", "tsv": "\t"}
_BOM = b"\xef\xbb\xbf"


def read_table(table: Table, columns: Sequence[str] | None = None) -> pl.DataFrame:
    """Read a table, with CSV cells as text, so that `007` stays `007`.

    Args:
        table: A path or `gs://` place ending in .parquet, .pq, .csv, .tsv, .jsonl or .ndjson; or a DataFrame.
        columns: Columns to keep, in this order. Default: all.

    Returns:
        The rows in the table's order. Empty CSV cells are null; blank lines at a file's end are no rows.

    Raises:
        DataError: There is no such table, it cannot be parsed, has no rows, or lacks columns or has two of one name
            (all named).
    """
    name = table if isinstance(table, str) else "the DataFrame"
    if isinstance(table, str):
        frame, names = _load(table)
    elif isinstance(table, pl.DataFrame):
        frame, names = table, table.columns
    else:
        return _from_pandas(table, columns)
    frame = frame.select(choose_columns(name, names, columns))
    if frame.height == 0:
        raise DataError("has no rows", where=name)
    return frame


def choose_columns(name: str, names: Sequence[str], columns: Sequence[str] | None) -> list[str]:
    """The columns to keep of those that a table has; a column without a name is nobody's.

    Args:
        name: What messages call the table.
        names: The names of its columns.
        columns: The columns wanted. Default: all that have a name.

    Raises:
        DataError: One is missing or is there twice; all of them at once.
    """
    counts = Counter(names)
    wanted = [column for column in counts if column] if columns is None else list(columns)
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


def _load(place: str) -> tuple[pl.DataFrame, list[str]]:
    """A file's rows, and its column names as they stand in it."""
    check_scheme(place)
    suffix = PurePosixPath(place).suffix.lower()
    kind = _READERS.get(suffix)
    if kind is None:
        raise DataError(f"unknown table format '{suffix}'", where=place, hint=f"one of: {', '.join(_READERS)}")
    try:
        source = _Source(place)
        if kind == "parquet":
            frame = pl.read_parquet(source.handle(), glob=False)
            return frame, frame.columns
        if kind == "json":
            frame = _read_json_lines(source)
            return frame, frame.columns
        return _read_csv(source, _SEPARATORS[kind])
    except FileNotFoundError:
        raise DataError("no such table", where=place) from None
    except pl.exceptions.NoDataError:
        raise DataError("is empty", where=place) from None
    except PermissionError:
        raise DataError("may not be read: permission denied", where=place) from None
    except (OSError, UnicodeDecodeError, pl.exceptions.PolarsError) as error:
        reason = str(error).splitlines()[0]
        hint = "save it as UTF-8" if re.search("utf-?8", reason, re.IGNORECASE) else ""
        raise DataError(f"cannot be read as {suffix[1:]}: {reason}", where=place, hint=hint) from None


class _Source:
    """A file that is there, is a file, and is not empty.

    Attributes:
        place: Its name.

    Raises:
        DataError: It is a folder, a pipe or a device, or empty.
        OSError: It cannot be read.
    """

    def __init__(self, place: str) -> None:
        self.place = place
        self._content = read_bytes(place) if is_remote(place) else None
        if self._content is None:
            status = os.stat(place)
            if not stat.S_ISREG(status.st_mode):
                what = "a folder" if stat.S_ISDIR(status.st_mode) else "a pipe or a device"
                raise DataError(f"is {what}, not a file", where=place, hint="give one file")
            size = status.st_size
        else:
            size = len(self._content)
        if size == 0:
            raise DataError("is empty", where=place)

    def handle(self) -> str | io.BytesIO:
        """What polars reads."""
        return self.place if self._content is None else io.BytesIO(self._content)

    def content(self) -> bytes:
        """All bytes."""
        return Path(self.place).read_bytes() if self._content is None else self._content

    def stream(self) -> io.BufferedReader | io.BytesIO:
        """The bytes, from the start."""
        return Path(self.place).open("rb") if self._content is None else io.BytesIO(self._content)


def _read_csv(source: _Source, separator: str) -> tuple[pl.DataFrame, list[str]]:
    """Cells as text. Polars renames repeated columns and keeps doubled quotes; the second value has the true names."""
    with source.stream() as stream:
        if stream.read(2) in (b"\xff\xfe", b"\xfe\xff"):
            raise DataError("is UTF-16 text", where=source.place, hint="save it as UTF-8")
    try:
        frame = pl.read_csv(source.handle(), separator=separator, infer_schema=False, encoding="utf8", glob=False)
    except pl.exceptions.ComputeError:
        _refuse_long_line(source, separator)
        raise
    blank = _blank_lines_at_end(source)
    if blank and frame.tail(blank).select(pl.all_horizontal(pl.all().is_null())).to_series().all():
        frame = frame.head(frame.height - blank)
    names = frame.columns
    if any(re.search(r'_duplicated_\d+$|"', name) for name in names):
        with io.TextIOWrapper(source.stream(), encoding="utf-8-sig", newline="") as lines:
            header = next((cells for cells in csv.reader(lines, delimiter=separator) if cells), names)
        names = header if len(header) == len(names) else names
        if len(set(names)) == len(names):
            frame.columns = names
    return frame, names


def _refuse_long_line(source: _Source, separator: str) -> None:
    """Name the first line that has more cells than the header, where that is what is wrong."""
    with io.TextIOWrapper(source.stream(), encoding="utf-8-sig", newline="") as lines:
        rows = csv.reader(lines, delimiter=separator)
        try:
            width = len(next(rows, []))
            for cells in rows:
                if len(cells) > width:
                    raise DataError(
                        f"line {rows.line_num} has {len(cells)} cells, the header has {width}",
                        where=source.place,
                        hint="put cells that hold the separator in quotes",
                    )
        except (csv.Error, UnicodeDecodeError):
            return


def _blank_lines_at_end(source: _Source) -> int:
    """How many empty lines follow the last row; polars reads each as a row of nulls."""
    with source.stream() as stream:
        size = stream.seek(0, os.SEEK_END)
        stream.seek(max(0, size - 4096))
        tail = stream.read().replace(b"\r\n", b"\n")
    return max(0, len(tail) - len(tail.rstrip(b"\n")) - 1)


def _read_json_lines(source: _Source) -> pl.DataFrame:
    content = source.content().removeprefix(_BOM)
    if not content.strip():
        raise DataError("is empty", where=source.place)
    try:
        return pl.read_ndjson(io.BytesIO(content), infer_schema_length=None)
    except pl.exceptions.PolarsError:
        for number, line in enumerate(content.split(b"\n"), 1):
            reason = _no_json_object(line)
            if reason:
                raise DataError(f"line {number} is no JSON object: {reason}", where=source.place) from None
        raise


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


def _from_pandas(table: object, columns: Sequence[str] | None) -> pl.DataFrame:
    """The columns of a pandas frame, one by one, so that a strange one that nobody asked for does not matter."""
    pandas = sys.modules.get("pandas")
    if pandas is None or not isinstance(table, pandas.DataFrame):
        raise TypeError(f"a table is a path, a pandas or a polars DataFrame; received {type(table).__name__}")
    frame: pd.DataFrame = table
    names = [str(name) for name in frame.columns]
    chosen = choose_columns("the DataFrame", names, columns)
    if len(frame) == 0:
        raise DataError("has no rows", where="the DataFrame")
    return pl.DataFrame([_from_series(name, frame.iloc[:, names.index(name)]) for name in chosen])


def _from_series(name: str, values: pd.Series[Any]) -> pl.Series:
    try:
        return pl.from_pandas(values).alias(name)
    except (TypeError, ValueError, OverflowError, NotImplementedError, pl.exceptions.PolarsError):
        # Arrow's errors derive from these: the values are of several types, or of one that it does not know.
        try:
            return pl.Series(name, [_spelled(value) for value in values], dtype=pl.String)
        except TypeError as error:
            raise DataError(f"holds {error}, which is no single value", where=f"column '{name}'") from None


def _spelled(value: Any) -> str | None:
    """A value of a column of mixed types, as `polyhead.validate.coerce.words` spells it."""
    value = value.item() if hasattr(value, "item") and not isinstance(value, str) else value
    if value is None or type(value).__name__ == "NAType" or value != value:  # noqa: PLR0124  # NaN and NaT
        return None
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**63:
        return str(int(value))
    if isinstance(value, (int, float, decimal.Decimal, dt.date, dt.time)):
        return str(value)
    if isinstance(value, os.PathLike):
        return str(os.fspath(value))
    raise TypeError(f"a {type(value).__name__}")
