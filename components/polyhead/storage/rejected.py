"""The rows set aside, cell by cell, with their reasons."""

from __future__ import annotations

import io

import polars as pl

from polyhead.contracts.validation import Rejection

SCHEMA = {
    "row": pl.Int64,
    "key": pl.String,
    "column": pl.String,
    "reason": pl.String,
    "value": pl.String,
    "detail": pl.String,
}
_VALUE_CHARACTERS = 200

Cell = tuple[int, str | None, str, str, str | None, str]


class Rejected:
    """Collects rejected cells.

    Attributes:
        rows: Positions of all rows that have at least one rejected cell.
        cells: Row, key, column, reason, value and detail of each.
    """

    def __init__(self) -> None:
        self.rows: set[int] = set()
        self.cells: list[Cell] = []

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
        for row, key, value in zip(rows, keys.gather(rows), values.gather(rows), strict=True):
            shown = value.to_list() if isinstance(value, pl.Series) else value
            self.add_cell(row, key, column, reason, None if shown is None else str(shown), detail)

    def add_cell(self, row: int, key: str | None, column: str, reason: str, value: str | None, detail: str) -> None:
        """Set one cell aside; a long value is cut."""
        self.rows.add(row)
        self.cells.append((row, key, column, reason, value and value[:_VALUE_CHARACTERS], detail))

    def frame(self) -> pl.DataFrame:
        """One line per rejected cell, by row, then column and reason."""
        cells = pl.DataFrame(self.cells, schema=SCHEMA, orient="row")
        return cells.sort("row", "column", "reason", maintain_order=True)

    def parquet(self) -> bytes:
        """`frame` as a Parquet file."""
        buffer = io.BytesIO()
        self.frame().write_parquet(buffer, compression="zstd")
        return buffer.getvalue()

    def summary(self) -> list[Rejection]:
        """Counts by column and reason, the most frequent first."""
        groups = (
            self.frame()
            .group_by("column", "reason", maintain_order=True)
            .agg(pl.len().alias("rows"), pl.col("row", "key", "value", "detail").first())
        )
        return [
            Rejection(
                column=group["column"],
                reason=group["reason"],
                rows=group["rows"],
                example=_example(group["row"], group["key"], group["value"], group["detail"]),
            )
            for group in groups.sort("rows", "column", "reason", descending=[True, False, False]).to_dicts()
        ]


def _example(row: int, key: str | None, value: str | None, detail: str) -> str:
    name = f"key {key}" if key is not None else f"row {row}"
    received = "no value" if value is None else repr(value)
    return f"{name}, {received}: {detail}"
