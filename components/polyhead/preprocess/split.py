"""Which rows train, validate and test."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from polyhead.contracts.config import SPLITS, SplitSection
from polyhead.contracts.validation import KEY, ROW, SPLIT
from polyhead.errors import ArtifactError
from polyhead.tables.clean import ParquetTable
from polyhead.tables.hashing import place_of
from polyhead.tables.writing import ROW_GROUP


def split_of(section: SplitSection) -> pl.Expr:
    """The split of every row of a clean table: train, val or test, as a column `__split__`.

    With a split column that column decides. Otherwise a row falls where a hash of the seed and its key falls in
    [0, 1): below `train`, below `train + val`, or above. So adding, removing or reordering rows moves no other row.
    """
    if section.column is not None:
        return pl.col(SPLIT)
    shares, position = section.shares, place_of(pl.col(KEY), section.seed)
    train, val, test = (pl.lit(name) for name in ("train", "val", "test"))
    by_hash = pl.when(position < shares.train).then(train).when(position < shares.train + shares.val).then(val)
    return by_hash.otherwise(test).alias(SPLIT)


def write_splits(table: ParquetTable, section: SplitSection, path: Path) -> None:
    """Write `__row__`, `__key__` and `__split__` of every row, in the rows' order, without holding them all.

    Args:
        table: A clean table.
        section: The config's split section.
        path: A Parquet file, in row groups of fixed size.
    """
    rows = table.scan().select(ROW, KEY, split_of(section))
    rows.sink_parquet(path, compression="zstd", row_group_size=ROW_GROUP, maintain_order=True)


def copy_splits(table: ParquetTable, given: Path, path: Path) -> None:
    """Write a split table that was made elsewhere, as `write_splits` would.

    Args:
        table: The clean table.
        given: `__row__`, `__key__` and `__split__` of its rows, in their order.
        path: A Parquet file.

    Raises:
        ArtifactError: It is of other rows, or names other splits.
    """
    splits = pl.read_parquet(given, columns=[ROW, KEY, SPLIT])
    rows = table.scan().select(ROW, KEY).collect()
    if not splits.select(ROW, KEY).equals(rows) or not splits[SPLIT].is_in(SPLITS).all():
        raise ArtifactError("split-mismatch", "is not a split of the table's rows", where=str(given))
    splits.write_parquet(path, compression="zstd", row_group_size=ROW_GROUP)
