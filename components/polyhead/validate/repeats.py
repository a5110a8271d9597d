"""Keys that an earlier row has, found exactly with eight bytes a row."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]


class KeyHashes:
    """The hashes of all keys of a table, to tell which of them occur more than once.

    What is kept is eight bytes a row. Two keys of one hash are only suspects, since different keys may share one; a
    second look at the rows, with `RepeatedKeys`, tells. A table whose keys are all different needs none.

    Args:
        rows: Most hashes that will be added.
    """

    def __init__(self, rows: int) -> None:
        self._hashes: Hashes = np.empty(rows, np.uint64)
        self._count = 0

    def add(self, hashes: pl.Series) -> None:
        """Note the hashes of more rows; null is none."""
        known = hashes.drop_nulls().to_numpy()
        self._hashes[self._count : self._count + len(known)] = known
        self._count += len(known)

    def suspects(self) -> Hashes:
        """The hashes that occur more than once, sorted; nothing can be added afterwards."""
        hashes = self._hashes[: self._count]
        hashes.sort()
        return np.unique(hashes[1:][hashes[1:] == hashes[:-1]])


class RepeatedKeys:
    """Tells, row by row in the table's order, whether an earlier row has the same key.

    Args:
        suspects: Hashes that occur more than once; only keys with one of them are remembered.
    """

    def __init__(self, suspects: Hashes) -> None:
        self._suspects = pl.Series(suspects, dtype=pl.UInt64)
        self._seen: set[str] = set()

    def repeated(self, keys: pl.Series, hashes: pl.Series) -> pl.Series:
        """Which of the next rows repeat a key.

        Args:
            keys: Their keys, null where a row has none.
            hashes: As `polyhead.tables.hashing.hashed` gives them.

        Returns:
            Boolean, never null.
        """
        mask = np.zeros(len(keys), dtype=np.bool_)
        if len(self._suspects):
            rows = hashes.is_in(self._suspects.implode()).fill_null(False).arg_true()
            for row, key in zip(rows, keys.gather(rows), strict=True):
                mask[row] = key in self._seen
                self._seen.add(key)
        return pl.Series(mask)
