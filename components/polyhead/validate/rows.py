"""Rows of a table into clean rows and rejected cells."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import polars as pl

from polyhead.contracts.config import Config
from polyhead.contracts.validation import GROUP, KEY, ROW, SPLIT, TIME, weight_column
from polyhead.errors import DataError, Problem
from polyhead.kinds.coercion import Coercion, Source, details, received_of
from polyhead.kinds.features.datetime.config import DatetimeFeature
from polyhead.kinds.tables import coercion
from polyhead.kinds.union import Feature, Target
from polyhead.tables.hashing import hashed
from polyhead.tables.rejected import Rejected
from polyhead.validate.key_and_split import (
    group_coercion,
    key_coercion,
    split_coercion,
    time_coercion,
    weight_coercion,
)

KEY_HASH = "key hash"
"""A column of `RowPlan.computed`. Features and targets have no space in their names."""


class _Part(NamedTuple):
    """One column of the clean rows: its name there, what messages call the table's, and how it comes about."""

    name: str
    column: str
    received: pl.Expr
    coercion: Coercion


class RowPlan:
    """What to compute of a table of one schema, and how its batches become clean rows and rejected cells.

    Args:
        schema: The table's columns and types.
        config: The configuration.
        key: The key column. None names rows by their position.
        members: The features and targets wanted.
        split: Whether the columns of the split are wanted.
        time_reading: How its time column is read; see `polyhead.validate.key_and_split.time_reading`.
        weights: The columns of row weights wanted. Default: none.

    Raises:
        DataError: Columns whose type as a whole cannot hold their kind, all of them.
    """

    def __init__(
        self,
        schema: Mapping[str, pl.DataType],
        config: Config,
        *,
        key: str | None,
        members: Mapping[str, Feature | Target],
        split: bool = False,
        time_reading: DatetimeFeature | None = None,
        weights: Sequence[str] = (),
    ) -> None:
        self._schema = schema
        self._numbers = config.numbers
        self._problems: list[Problem] = []
        self._parts: list[_Part] = []
        self.keyed = key is not None
        if key is not None:
            self._take(KEY, key, [key], key_coercion)
        for name, member in members.items():
            columns = config.columns_of(name)
            self._take(name, config.column_of(name), columns, functools.partial(coercion, member=member))
        for column in weights:
            self._take(weight_column(column), column, [column], weight_coercion)
        section = config.split
        if split and section.column is not None:
            self._take(SPLIT, section.column, [section.column], functools.partial(split_coercion, section=section))
        if split and section.group is not None:
            self._take(GROUP, section.group, [section.group], group_coercion)
        if split and section.time is not None:
            time = section.time.column
            self._take(TIME, time, [time], functools.partial(time_coercion, reading=time_reading))
        if self._problems:
            raise DataError(self._problems)

    def _take(self, name: str, called: str, columns: Sequence[str], make: Callable[[Source], Coercion]) -> None:
        try:
            received, dtype = received_of({column: self._schema[column] for column in columns}, self._numbers)
            source = Source(called, dtype, pl.col(_received(name)), pl.col(name), self._numbers)
            self._parts.append(_Part(name, called, received, make(source)))
        except DataError as error:
            self._problems += error.problems

    def computed(self, table: pl.DataFrame) -> pl.DataFrame:
        """What the columnar engine makes of some rows of the table, all columns at the same time, for `rows`."""
        received = [part.received.alias(_received(part.name)) for part in self._parts]
        values = [part.coercion.values.alias(part.name) for part in self._parts]
        faults = [part.coercion.fault.alias(_fault(part.name)) for part in self._parts if part.coercion.rules]
        hashes = [hashed(pl.col(KEY)).alias(KEY_HASH)] if self.keyed else []
        return table.lazy().select(received).with_columns(values).with_columns(*faults, *hashes).collect()

    def rows(self, batch: pl.DataFrame, first: int, repeated: pl.Series | None = None) -> tuple[pl.DataFrame, Rejected]:
        """The rows of one batch and their rejected cells.

        A row whose key is rejected keeps the key's name, so that its other problems can be looked up.

        Args:
            batch: What `computed` gives.
            first: Position in the table of its first row.
            repeated: Boolean, which rows have the key of an earlier one. Default: none.

        Returns:
            `__row__`, `__key__` and the canonical columns of all rows, where a rejected cell holds anything; and the
            rejected cells.
        """
        position = pl.int_range(first, first + batch.height, dtype=pl.Int64, eager=True).alias(ROW)
        names = (batch[KEY] if self.keyed else position.cast(pl.String)).alias(KEY)
        rejected = Rejected(first)
        for name, column, _, made in self._parts:
            faults = batch[_fault(name)] if made.rules else None
            if faults is not None and faults.max():
                for number, rule in enumerate(made.rules, 1):
                    rows = (faults == number).arg_true()
                    if len(rows):
                        said = details(rule, batch[name].gather(rows))
                        rejected.add_cells(rows, names, column, rule.reason, batch[_received(name)], said)
            if name == KEY and repeated is not None:
                rows = repeated.arg_true()
                said = pl.Series(["an earlier row has this key"]).new_from_index(0, len(rows))
                rejected.add_cells(rows, names, column, "duplicate_key", batch[_received(name)], said)
        return pl.DataFrame(
            [position, names, *(batch[part.name] for part in self._parts if part.name != KEY)]
        ), rejected


def _received(name: str) -> str:
    return f"received {name}"


def _fault(name: str) -> str:
    return f"fault {name}"
