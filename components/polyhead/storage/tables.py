"""Tables in: Parquet, CSV, JSON Lines, or a DataFrame that is already in memory."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import polars as pl

from polyhead.errors import DataError, Problem, did_you_mean
from polyhead.storage.places import check_scheme, is_remote, read_bytes

if TYPE_CHECKING:
    import pandas as pd

    Table = str | pl.DataFrame | pd.DataFrame
else:
    Table = object

_READERS = {".parquet": "parquet", ".pq": "parquet", ".csv": "csv", ".tsv": "tsv", ".jsonl": "json", ".ndjson": "json"}


def read_table(table: Table, columns: Sequence[str] | None = None) -> pl.DataFrame:
    """Read a table, with CSV cells as text, so that `007` stays `007`.

    Args:
        table: A path or `gs://` place ending in .parquet, .pq, .csv, .tsv, .jsonl or .ndjson; or a DataFrame.
        columns: Columns to keep, in this order. Default: all.

    Returns:
        The rows in the table's order. Empty CSV cells are null.

    Raises:
        DataError: There is no such table, it cannot be parsed, has no rows, or lacks columns (all named).
    """
    frame = _load(table) if isinstance(table, str) else _from_memory(table)
    name = table if isinstance(table, str) else "the DataFrame"
    if columns is not None:
        missing = [column for column in columns if column not in frame.columns]
        if missing:
            raise DataError(
                Problem(f"no column '{column}'", name, did_you_mean(column, frame.columns)) for column in missing
            )
        frame = frame.select(columns)
    if frame.height == 0:
        raise DataError("has no rows", where=name)
    return frame


def _from_memory(table: object) -> pl.DataFrame:
    if isinstance(table, pl.DataFrame):
        return table
    return pl.from_pandas(table)  # type: ignore[call-overload, no-any-return]  # a pandas frame, by the signature


def _load(place: str) -> pl.DataFrame:
    check_scheme(place)
    suffix = PurePosixPath(place).suffix.lower()
    kind = _READERS.get(suffix)
    if kind is None:
        raise DataError(f"unknown table format '{suffix}'", where=place, hint=f"one of: {', '.join(_READERS)}")
    source: str | io.BytesIO = place
    try:
        if is_remote(place):
            source = io.BytesIO(read_bytes(place))
        if kind == "parquet":
            return pl.read_parquet(source)
        if kind == "json":
            return pl.read_ndjson(source, infer_schema_length=None)
        separator = "\t" if kind == "tsv" else ","
        return pl.read_csv(source, separator=separator, infer_schema=False, encoding="utf8")
    except FileNotFoundError:
        raise DataError("no such table", where=place) from None
    except pl.exceptions.NoDataError:
        raise DataError("is empty", where=place) from None
    except (OSError, pl.exceptions.PolarsError) as error:
        reason = str(error).splitlines()[0]
        raise DataError(f"cannot be read as {suffix[1:]}: {reason}", where=place) from None
