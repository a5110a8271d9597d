"""The clean table of a validation artifact, for the steps that read it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from polyhead.contracts.validation import CLEAN_TABLE, ValidationReport
from polyhead.errors import ArtifactError
from polyhead.storage.artifact import checked_file
from polyhead.tables.writing import ROW_GROUP

_PART_BYTES = 24 * 2**20
_UNPACKED = 4  # how many times larger columns are in memory than in the file, about


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
        return pl.scan_parquet(self.path, glob=False)

    def parts(self, rows: int | None = None) -> Iterator[range]:
        """Consecutive ranges of rows.

        Args:
            rows: Rows of every part but the last. Default: a row group, halved until a part is below about 24 MiB.
        """
        size = rows or self._part_rows()
        for start in range(0, self.rows, size):
            yield range(start, min(start + size, self.rows))

    def read(self, part: range, *columns: str | pl.Expr) -> pl.DataFrame:
        """Some rows in their order. It may be called in threads.

        Args:
            part: Which rows.
            columns: What to give: columns, or expressions that look at single rows.
        """
        return self.scan().slice(part.start, len(part)).select(columns).collect()

    def _part_rows(self) -> int:
        rows, unpacked = ROW_GROUP, _UNPACKED * self.path.stat().st_size
        while rows > 1 and rows * unpacked > _PART_BYTES * self.rows:
            rows //= 2
        return rows


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
        raise ArtifactError("did not pass validation", where=str(data), hint="see its ValidationReport.json")
    path = checked_file(data, report, CLEAN_TABLE)
    return CleanTable(path, report.rows_clean, report)
