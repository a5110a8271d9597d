"""pandas frames as polars frames."""

from __future__ import annotations

import datetime as dt
import decimal
import json
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import polars as pl

from polyhead.errors import DataError
from polyhead.tables.columns import choose_columns

if TYPE_CHECKING:
    import pandas as pd


def from_pandas(table: object, columns: Sequence[str] | None, optional: Sequence[str]) -> pl.DataFrame:
    """The columns of a pandas frame, one by one, so that a strange one that is not needed does not matter.

    Args:
        table: The frame.
        columns: Columns to keep, in this order. Default: all.
        optional: More columns to keep, of those that there are.

    Raises:
        DataError: It lacks columns or has two of one name, or a column holds what is not a single value.
        TypeError: It is not a pandas frame.
    """
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
            raise DataError(
                "not-a-single-value", f"holds {error}, which is not a single value", where=f"column '{name}'"
            ) from None


def _written(value: Any) -> str | None:
    """A value of a column of mixed types, as pandas would write it to CSV."""
    if isinstance(value, (list, tuple, set, frozenset)) or type(value).__name__ == "ndarray":
        items = [_written(item) for item in value]
        return json.dumps(sorted(items, key=str) if isinstance(value, (set, frozenset)) else items)
    if value is None or type(value).__name__ == "NAType" or value != value:  # noqa: PLR0124  # NaN and NaT
        return None
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")  # half a pair is not text
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            raise TypeError("bytes that are not UTF-8 text") from None
    if isinstance(value, (int, float, decimal.Decimal, dt.date, dt.time)) or type(value).__module__ == "numpy":
        return str(value)
    if isinstance(value, os.PathLike):
        return str(os.fspath(value))
    raise TypeError(f"a {type(value).__name__}")
