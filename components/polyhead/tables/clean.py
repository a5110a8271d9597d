"""The clean table of a validation artifact, for the steps that read it."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import polars as pl

from polyhead.contracts.validation import CLEAN_TABLE, ValidationReport
from polyhead.errors import ArtifactError
from polyhead.storage.artifact import checked_file
from polyhead.tables.writing import ROW_GROUP

_PART_BYTES = 24 * 2**20
_LEAST_BYTES = 2**18
_NUMBER_BYTES, _VIEW_BYTES = 8, 16
"""What a number takes in memory, and what a word or a list takes beside its content."""


class Piece(NamedTuple):
    """Some columns of some rows."""

    rows: range
    columns: list[str]


@dataclass(frozen=True)
class ParquetTable:
    """A Parquet file that is read in parts, so that memory does not grow with it.

    Attributes:
        path: The file.
        rows: How many rows it has.
    """

    path: Path
    rows: int

    def scan(self) -> pl.LazyFrame:
        """The rows as a query that has read nothing yet."""
        return self._scan

    @functools.cached_property
    def _scan(self) -> pl.LazyFrame:
        """One query for all, since it keeps the file's footer, which is long where there are many columns."""
        return pl.scan_parquet(self.path, glob=False)

    def parts(self, rows: int | None = None) -> Iterator[range]:
        """Consecutive ranges of rows.

        Args:
            rows: Rows of every part but the last. Default: a row group, halved until a part is below about 24 MiB.
        """
        size = rows or self._fitting(sum(self._row_bytes().values()), _PART_BYTES)
        for start in range(0, self.rows, size):
            yield range(start, min(start + size, self.rows))

    def pieces(self, columns: Sequence[str], wanted: int = 1) -> Iterator[Piece]:
        """The cells of some columns, each once, cut so that what is read of a column at a time is as long as can be.

        A piece has the rows of a row group, and as many neighbouring columns as stay below about 24 MiB with it. So a
        wide table is not cut into many short parts. Only a column that is larger by itself has fewer rows at a time.

        Args:
            columns: Which; none of them a struct.
            wanted: About how many pieces there should be at least, so that every worker gets some. None is made
                smaller than about 256 KiB for that.
        """
        sizes = self._row_bytes()
        room = max(_LEAST_BYTES, min(_PART_BYTES, sum(sizes[name] for name in columns) * self.rows / wanted))
        groups: list[tuple[int, list[str]]] = []
        filled = 0.0
        for name in columns:
            rows = self._fitting(sizes[name], room)
            taken = min(rows, self.rows) * sizes[name]
            if not groups or groups[-1][0] != rows or filled + taken > room:
                groups.append((rows, []))
                filled = 0.0
            groups[-1][1].append(name)
            filled += taken
        for rows, names in groups:
            for part in self.parts(rows):
                yield Piece(part, names)

    def read(self, part: range, *columns: str | pl.Expr) -> pl.DataFrame:
        """Some rows in their order. It may be called in threads.

        Args:
            part: Which rows.
            columns: What to give: columns, or expressions that look at single rows.
        """
        return self.scan().slice(part.start, len(part)).select(columns).collect()

    def _fitting(self, row_bytes: float, room: float) -> int:
        """The rows of a row group, halved until they fit."""
        rows = ROW_GROUP
        while rows > 1 and min(rows, self.rows) * row_bytes > room:
            rows //= 2
        return rows

    def _row_bytes(self) -> dict[str, float]:
        """What each column takes in memory for a row, about: as much as in the file before it was compressed."""
        import pyarrow.parquet as pq

        file, schema = pq.read_metadata(self.path), self.scan().collect_schema()
        stored = dict.fromkeys(schema, 0)
        for number in range(file.num_row_groups):
            group = file.row_group(number)
            for at in range(group.num_columns):
                column = group.column(at)
                stored[column.path_in_schema.partition(".")[0]] += column.total_uncompressed_size
        each = {name: size / max(1, self.rows) for name, size in stored.items()}
        return {
            name: max(_NUMBER_BYTES, each[name]) if dtype.is_numeric() else _VIEW_BYTES + each[name]
            for name, dtype in schema.items()
        }


@dataclass(frozen=True)
class CleanTable(ParquetTable):
    """The clean rows of a validation that passed.

    Attributes:
        report: The validation's report.
    """

    report: ValidationReport


def open_clean(data: str | Path) -> CleanTable:
    """The clean table of a validation that passed.

    Args:
        data: The artifact of `validate`.

    Raises:
        ArtifactError: It did not pass, or its table was changed or lost.
    """
    report = ValidationReport.read(data)
    if not report.passed:
        raise ArtifactError(
            "not-validated", "did not pass validation", where=str(data), hint="see its ValidationReport.json"
        )
    path = checked_file(data, report, CLEAN_TABLE)
    return CleanTable(path, report.rows_clean, report)
