"""The cells that cannot be used, with their reasons: their rows are set aside, or the cells count as missing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import polars as pl

from polyhead.contracts.settings import ValidateSection
from polyhead.contracts.validation import MASKED, Rejection
from polyhead.errors import Problem, counted
from polyhead.progress import say

SCHEMA = {
    "row": pl.Int64,
    "key": pl.String,
    "column": pl.String,
    "reason": pl.String,
    "value": pl.String,
    "detail": pl.String,
}
_VALUE_CHARACTERS = 200
_REASONS = 10
_FIRST_DAY, _LAST_DAY = -719_161, 2_932_895  # within Python's years 1 to 9999 in every time zone; since 1970
_DAY = {"ms": 86_400_000, "us": 86_400_000_000}  # the years of nanoseconds are all within

Cell = tuple[int, str | None, str, str, str | None, str]


class Rejected:
    """Collects rejected cells.

    Args:
        first: Position in the table of the first of the rows that `add_cells` speaks of.

    Attributes:
        rows: Positions of all rows that have at least one rejected cell, and not only masked ones.
    """

    def __init__(self, first: int = 0) -> None:
        self.rows: set[int] = set()
        self._first = first
        self._frames: list[pl.DataFrame] = []
        self._cells: list[Cell] = []

    def add(self, mask: pl.Series, keys: pl.Series, column: str, reason: str, values: pl.Series, detail: str) -> None:
        """Set cells of one column aside.

        Args:
            mask: Boolean, True at the cells; null counts as False.
            keys: The key of every row, null where it has none.
            column: The table's column.
            reason: A word for counting.
            values: The column as received.
            detail: One line for a person.
        """
        rows = mask.fill_null(False).arg_true()
        self.add_cells(rows, keys, column, reason, values, pl.Series([detail]).new_from_index(0, len(rows)))

    def add_cells(
        self, rows: pl.Series, keys: pl.Series, column: str, reason: str, values: pl.Series, details: pl.Series
    ) -> None:
        """Set cells of one column aside, each with a line of its own.

        Args:
            rows: Which rows, counted from the first.
            keys: The key of every row, null where it has none.
            column: The table's column.
            reason: A word for counting.
            values: The column as received.
            details: One line for a person, per cell.

        Where the reason begins with `MASKED`, no row is set aside.
        """
        if not len(rows):
            return
        column_and_reason = (pl.Series([word]).new_from_index(0, len(rows)) for word in (column, reason))
        columns = (
            rows.cast(pl.Int64) + self._first,
            keys.gather(rows).cast(pl.String),
            *column_and_reason,
            _shown(values.gather(rows)),
            details,
        )
        if not reason.startswith(MASKED):
            self.rows.update(columns[0])
        self._frames.append(pl.DataFrame(dict(zip(SCHEMA, columns, strict=True)), schema=SCHEMA))

    def add_cell(self, row: int, key: str | None, column: str, reason: str, value: str | None, detail: str) -> None:
        """Set one cell aside, by its row's position in the table; a long value is cut.

        Where the reason begins with `MASKED`, the row is not set aside with it.
        """
        if not reason.startswith(MASKED):
            self.rows.add(row)
        self._cells.append((row, key, column, reason, value and value[:_VALUE_CHARACTERS], detail))

    def frame(self) -> pl.DataFrame:
        """One line per rejected cell, by row, then column and reason."""
        return in_order([*self._frames, pl.DataFrame(self._cells, schema=SCHEMA, orient="row")])

    def summary(self) -> list[Rejection]:
        """Counts by column and reason, the most frequent first."""
        counts = RejectionCounts()
        counts.add(self.frame())
        return counts.summary()


def in_order(cells: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Rejected cells from several places as one table, by row, then column and reason."""
    return pl.concat(cells).sort("row", "column", "reason", maintain_order=True)


def rows_aside(cells: pl.DataFrame) -> int:
    """How many rows are set aside with their cells; those of which cells are masked are kept."""
    return cells.filter(~pl.col("reason").str.starts_with(MASKED))["row"].n_unique()


class RejectionCounts:
    """Counts rejected cells by column and reason.

    Attributes:
        rows: Rows that are set aside.
    """

    def __init__(self) -> None:
        self.rows = 0
        self._groups: dict[tuple[str, str], Rejection] = {}

    def include(self, earlier: Sequence[Rejection]) -> None:
        """Begin with what was counted before, of other cells."""
        self._groups |= {(counted.column, counted.reason): counted for counted in earlier}

    def add(self, cells: pl.DataFrame) -> None:
        """Count the cells of later rows.

        Args:
            cells: As `Rejected.frame` gives them, with or without what `OpenTable.located` adds; all that there are of
                their rows.
        """
        self.rows += rows_aside(cells)
        groups = cells.group_by("column", "reason", maintain_order=True)
        for group in groups.agg(pl.col("row").n_unique().alias("rows"), pl.all().first()).to_dicts():
            name = group["column"], group["reason"]
            earlier = self._groups.get(name)
            self._groups[name] = Rejection(
                column=group["column"],
                reason=group["reason"],
                rows=group["rows"] + (earlier.rows if earlier else 0),
                example=earlier.example if earlier else _example(group),
            )

    def summary(self) -> list[Rejection]:
        """Counts by column and reason, the most frequent first."""
        return sorted(self._groups.values(), key=lambda group: (-group.rows, group.column, group.reason))


def too_many(section: ValidateSection, rejections: list[Rejection], *, rejected: int, rows: int) -> list[Problem]:
    """What stops a run that has lost so many rows.

    Args:
        section: What the config allows.
        rejections: Counts by column and reason, the most frequent first.
        rejected: Rows rejected so far.
        rows: Rows that the table had.

    Returns:
        The rule that is broken, then the most frequent reasons; empty where so many are allowed.
    """
    strict = section.on_bad_row == "fail"
    allowed = 0.0 if strict else section.max_rejected
    if rejected < rows and rejected <= allowed * rows:
        return []
    rule = "validate.on_bad_row is fail" if strict else f"validate.max_rejected is {allowed:.1%}"
    count = "all" if rejected == rows else f"{rejected:,} of"
    reasons = [
        Problem(rejection.reason.replace("_", "-"), _sentence(rejection), where=f"column '{rejection.column}'")
        for rejection in [one for one in rejections if not one.reason.startswith(MASKED)][:_REASONS]
    ]
    return [
        Problem("too-many-rejected", f"{count} {counted(rows, 'row')} are rejected ({rejected / rows:.1%}), {rule}"),
        *reasons,
    ]


def tell_rejections(rejections: Sequence[Rejection], place: str) -> None:
    """Say what was rejected or masked and why, and which file has every such cell.

    Args:
        rejections: Counts by column and reason, the most frequent first.
        place: The file.
    """
    for rejection in rejections[:_REASONS]:
        say(f"column '{rejection.column}': {_sentence(rejection)}")
    more = len(rejections) - _REASONS
    if more > 0:
        say(f"and {counted(more, 'more reason')}")
    masked = any(rejection.reason.startswith(MASKED) for rejection in rejections)
    say(f"every {'rejected row and masked cell' if masked else 'rejected row'} is in {place}")


def _sentence(rejection: Rejection) -> str:
    return f"{rejection.reason} in {counted(rejection.rows, 'row')}, first: {rejection.example}"


def _shown(values: pl.Series) -> pl.Series:
    """Cells as text, as Python writes them; a long value is cut."""
    if values.dtype != pl.String:
        cells = (value.to_list() if isinstance(value, pl.Series) else value for value in _within_python(values))
        values = pl.Series([None if cell is None else str(cell) for cell in cells], dtype=pl.String)
    return values.str.head(_VALUE_CHARACTERS)


def _within_python(values: pl.Series) -> Iterable[object]:
    """Cells as Python has them; a date or time in a year that Python does not have is the stored number."""
    dtype = values.dtype
    day = 1 if dtype == pl.Date else _DAY.get(dtype.time_unit) if isinstance(dtype, pl.Datetime) else None
    if day is None:
        return values
    numbers = values.to_physical()
    inside = numbers.is_between(_FIRST_DAY * day, _LAST_DAY * day)
    known = pl.select(pl.when(inside).then(values)).to_series()
    return (number if cell is None else cell for cell, number in zip(known, numbers, strict=True))


def _example(cell: Mapping[str, Any]) -> str:
    name = f"key {cell['key']}" if cell["key"] is not None else f"row {cell['row']}"
    place = f" (row {cell['file_row']} of {cell['file']})" if "file" in cell else ""
    received = "no value" if cell["value"] is None else repr(cell["value"])
    return f"{name}{place}, {received}: {cell['detail']}"
