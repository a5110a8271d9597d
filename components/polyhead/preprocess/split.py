"""Which rows train, validate and test."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import polars_hash
import xxhash

from polyhead.contracts.config import SplitSection
from polyhead.contracts.validation import KEY, ROW, SPLIT
from polyhead.tables.clean import ParquetTable
from polyhead.tables.writing import ROW_GROUP


def split_of(section: SplitSection) -> pl.Expr:
    """The split of every row of a clean table: train, val or test, as a column `__split__`.

    With a split column that column decides. Otherwise a row falls where a hash of the seed and its key falls in
    [0, 1): below `train`, below `train + val`, or above. So adding, removing or reordering rows moves no other row.
    """
    if section.column is not None:
        return pl.col(SPLIT)
    shares, position = section.shares, _position(section.seed)
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


def hash_positions(salt: int, keys: pl.Series) -> pl.Series:
    """Every key's fixed place in [0, 1): the first 53 bits of its XXH64, whose seed is the XXH64 of the salt's digits.

    Args:
        salt: Any integer; each gives places that are unrelated to those of another.
        keys: Strings without nulls.

    Returns:
        Float64, one per key.
    """
    return keys.alias(KEY).to_frame().select(_position(salt)).to_series()


def _position(salt: int) -> pl.Expr:
    seed = xxhash.xxh64_intdigest(str(salt).encode())
    hashed: pl.Expr = polars_hash.col(KEY).nchash.xxhash64(seed=seed)
    return (hashed // 2**11).cast(pl.Float64) / 2**53
