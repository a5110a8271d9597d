"""What the report says of a column, gathered batch by batch; the batches' order and sizes do not matter."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from polyhead.contracts.validation import ColumnSummary
from polyhead.storage.hashing import hashed

EXACT_DISTINCT = 2**16
"""Below as many different words their number is exact."""

_HASHES = 2.0**64


class DistinctWords:
    """How many different words there are, from the smallest of their hashes, 512 KiB at most.

    Below `EXACT_DISTINCT` different words the number is exact. Beyond, it follows from how closely the smallest
    hashes lie, which is within 1 % in 95 of 100 columns; it is then given in three digits.
    """

    def __init__(self) -> None:
        self._smallest: NDArray[np.uint64] = np.empty(0, np.uint64)

    def add(self, words: pl.Series) -> None:
        """Count more words; null is none."""
        column = words.to_frame("words").select(hashed(pl.col("words"))).to_series()
        if len(self._smallest) == EXACT_DISTINCT:
            column = column.filter(column < self._smallest[-1])
        new = column.drop_nulls().unique().to_numpy()
        self._smallest = np.union1d(self._smallest, new)[:EXACT_DISTINCT]

    def count(self) -> int:
        """The number of different words."""
        if len(self._smallest) < EXACT_DISTINCT:
            return len(self._smallest)
        return int(float(f"{(EXACT_DISTINCT - 1) / (float(self._smallest[-1]) / _HASHES):.3g}"))


class ColumnStatistics:
    """One feature or target of the clean rows.

    Args:
        name: Its name in the config.
        role: feature or target.
        kind: Its kind.

    Attributes:
        missing: Rows without a value.
        minimum: Smallest number; None without numbers.
        maximum: Largest number; None without numbers.
        classes: Rows by class, for binary and multiclass targets: as many as the target's head would have.
    """

    def __init__(self, name: str, role: str, kind: str) -> None:
        self.name = name
        self.role = role
        self.kind = kind
        self.missing = 0
        self.minimum: float | None = None
        self.maximum: float | None = None
        self.classes: dict[str, int] = {}
        self._words = DistinctWords()

    def add(self, values: pl.Series) -> None:
        """Take the column's values of more rows, in its canonical type."""
        self.missing += values.null_count()
        if values.null_count() == len(values):
            return
        if self.kind in ("binary", "multiclass"):
            for label, count in values.drop_nulls().alias("label").value_counts().iter_rows():
                self.classes[label] = self.classes.get(label, 0) + count
        elif self.kind in ("category", "text"):
            self._words.add(values)
        elif values.dtype == pl.Float64:
            low, high = float(values.min()), float(values.max())  # type: ignore[arg-type]  # not empty
            self.minimum = low if self.minimum is None else min(self.minimum, low)
            self.maximum = high if self.maximum is None else max(self.maximum, high)

    def summary(self) -> ColumnSummary:
        """What the report says."""
        distinct = None
        if self.kind in ("binary", "multiclass"):
            distinct = len(self.classes)
        elif self.kind in ("category", "text"):
            distinct = self._words.count()
        return ColumnSummary(
            name=self.name,
            role=self.role,
            kind=self.kind,
            missing=self.missing,
            distinct=distinct,
            minimum=self.minimum,
            maximum=self.maximum,
        )
