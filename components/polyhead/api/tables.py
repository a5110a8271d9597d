"""The tables that users hand over, and frames of the kind that they know."""

from __future__ import annotations

import hashlib
import io
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import polars as pl

from polyhead.errors import DataError
from polyhead.tables.reading import Table, read_table

if TYPE_CHECKING:
    import pandas as pd

WHERE = "the table"


@runtime_checkable
class ArrowStream(Protocol):
    """What gives its rows as a stream of Arrow: a table of PyArrow, a relation of DuckDB, and others."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """The stream."""


if TYPE_CHECKING:
    Data = str | os.PathLike[str] | pd.DataFrame | pl.DataFrame | pl.LazyFrame | ArrowStream
else:
    Data = object


@dataclass(frozen=True)
class Given:
    """A table as its user gave it.

    Attributes:
        table: As the steps take it.
        index: Of a pandas frame; None for all others.
        is_polars: Whether it is a polars frame, so that a result is one.
    """

    table: Table
    index: pd.Index[Any] | None = None
    is_polars: bool = False

    @classmethod
    def of(cls, data: Data) -> Given:
        """A table in whatever form.

        Args:
            data: A path or remote place, a pandas or polars frame, or what gives its rows as Arrow.

        Raises:
            DataError: It is none of these.
        """
        if isinstance(data, (str, os.PathLike)):
            return cls(os.fspath(data))
        if isinstance(data, pl.LazyFrame):
            return cls(data.collect(), is_polars=True)
        if isinstance(data, pl.DataFrame):
            return cls(data, is_polars=True)
        pandas = sys.modules.get("pandas")
        if pandas is not None and isinstance(data, pandas.DataFrame):
            return cls(data, data.index)
        if isinstance(data, ArrowStream):
            return cls(pl.DataFrame(data))
        raise DataError(
            "not-a-table",
            f"received {type(data).__name__}",
            where=WHERE,
            hint="give a path, a pandas or polars DataFrame, or an Arrow table",
        )

    @property
    def place(self) -> str | None:
        """Where it lies; None for a frame."""
        return self.table if isinstance(self.table, str) else None

    def in_memory(self, columns: Sequence[str] | None = None) -> Given:
        """The same with a frame of polars in the place of one of pandas.

        Args:
            columns: Those needed. Default: all.

        Raises:
            DataError: It lacks columns, or cells of one are no single values.
        """
        if isinstance(self.table, str):
            return self
        return Given(read_table(self.table, columns), self.index, self.is_polars)

    def digest(self) -> str:
        """SHA-256 of a frame's cells, or of a place's name, in hexadecimal."""
        if isinstance(self.table, str):
            return hashlib.sha256(os.path.abspath(self.table).encode()).hexdigest()
        buffer = io.BytesIO()
        read_table(self.table).write_ipc(buffer, compat_level=pl.CompatLevel.oldest())
        return hashlib.sha256(buffer.getbuffer()).hexdigest()
