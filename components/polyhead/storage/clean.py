"""The clean table of a validation artifact, for the steps that read it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from polyhead.contracts.validation import CLEAN_TABLE, ValidationReport
from polyhead.errors import ArtifactError
from polyhead.storage.artifact import sha256_of

_BATCH_BYTES = 16 * 2**20
_LEAST_ROWS, _MOST_ROWS = 1024, 131_072
_UNPACKED = 4  # how many times larger columns are in memory than in the file, about


@dataclass(frozen=True)
class CleanTable:
    """The clean rows of a validation that passed, as a file that is read in parts.

    Attributes:
        report: The validation's report.
        path: The table's file.
    """

    report: ValidationReport
    path: Path

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return self.report.rows_clean

    @property
    def memory_bytes(self) -> int:
        """What all rows would take in memory, about."""
        return _UNPACKED * self.path.stat().st_size

    def scan(self) -> pl.LazyFrame:
        """The rows as a query that has read nothing yet."""
        return pl.scan_parquet(self.path, glob=False)

    def batches(self, *columns: str | pl.Expr, rows: int | None = None) -> Iterator[pl.DataFrame]:
        """The rows in their order, a batch at a time, so that memory does not grow with the table.

        Args:
            columns: What each batch shall hold: columns, or expressions that look at single rows.
            rows: Rows of every batch but the last. Default: about 16 MiB, at most 131,072 rows.
        """
        wanted = rows or self._batch_rows()
        yield from self.scan().select(columns).collect_batches(chunk_size=wanted, maintain_order=True)

    def _batch_rows(self) -> int:
        row_bytes = self.memory_bytes / max(1, self.rows)
        return min(max(int(_BATCH_BYTES / row_bytes), _LEAST_ROWS), _MOST_ROWS)


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
    path = Path(data) / CLEAN_TABLE
    if not path.is_file() or sha256_of(path) != report.clean_sha256:
        raise ArtifactError("is missing or was changed", where=str(path), hint="run polyhead validate again")
    return CleanTable(report, path)
