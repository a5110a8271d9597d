"""The clean table of a validation artifact, for the steps that read it."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from polyhead.contracts.validation import CLEAN_TABLE, ValidationReport
from polyhead.errors import ArtifactError
from polyhead.storage.artifact import sha256_of


def read_clean(data: str | Path) -> tuple[ValidationReport, pl.DataFrame]:
    """The report and the clean rows of a validation that passed.

    Raises:
        ArtifactError: It did not pass, or its table was changed or lost.
    """
    report = ValidationReport.read(data)
    if not report.passed:
        raise ArtifactError("did not pass validation", where=str(data), hint="see its ValidationReport.json")
    path = Path(data) / CLEAN_TABLE
    if not path.is_file() or sha256_of(path) != report.clean_sha256:
        raise ArtifactError("is missing or was changed", where=str(path), hint="run polyhead validate again")
    return report, pl.read_parquet(path)
