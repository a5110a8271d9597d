"""Which rows train, validate and test."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from polyhead.contracts.splits import SPLITS, SplitSection
from polyhead.contracts.validation import GROUP, KEY, ROW, SPLIT, TIME
from polyhead.errors import ArtifactError
from polyhead.kinds.features.datetime.table import shown
from polyhead.preprocess.stratified import stratified
from polyhead.tables.clean import ParquetTable
from polyhead.tables.hashing import place_of
from polyhead.tables.rejected import Rejected
from polyhead.tables.writing import ROW_GROUP


def split_of(section: SplitSection) -> pl.Expr:
    """The split of every row of a clean table: train, val or test, as a column `__split__`.

    With a split column that column decides. Otherwise a row falls where a hash of the seed and its group, or its key
    where it is of none, falls in [0, 1): below `train`, below `train + val`, or above. So adding, removing or
    reordering rows moves no other row.
    """
    if section.column is not None:
        return pl.col(SPLIT)
    shares, position = section.shares, place_of(unit_of(section), section.seed)
    return _split(position < shares.train, position < shares.train + shares.val)


def split_in_time(section: SplitSection, times: pl.Series) -> pl.Expr:
    """The split of every row of a clean table by its time, as a column `__split__`, null where the gap leaves it out.

    Rows of one time are in one split. Of the times at which val, or test, can begin, it is the one before which the
    number of rows is nearest to what the fractions ask for; where there are times enough, no split with a fraction is
    empty. From a row that is left out to the first row of a later split it is less than the gap.

    Args:
        section: The config's split section, with `time`.
        times: Those of all rows, in any order.
    """
    shares, gap = section.shares, section.gap_size
    val, test = _beginnings(times, shares.train, shares.val)
    time = pl.col(TIME)
    split = _split(time < val, time < test)
    close = ((time < val) & (time > val - gap)) | ((time < test) & (time > test - gap))
    return pl.when(~close).then(split).alias(SPLIT)


def unit_of(section: SplitSection) -> pl.Expr:
    """What is split: the names of the groups, and the keys of rows without one."""
    return pl.coalesce(GROUP, KEY) if section.group is not None else pl.col(KEY)


def stratified_split(section: SplitSection, rows: pl.DataFrame) -> pl.Series:
    """The split of every row of a clean table, which gives each split its share of what the heads hold.

    Args:
        section: The config's split section, with `stratify`.
        rows: `__key__`, the heads, and `__group__` where the section has a group.

    Returns:
        `__split__` in the rows' order.
    """
    assert section.stratify is not None
    wanted = {split: share for split, share in section.shares.model_dump().items() if share}
    parts = stratified(rows, section.stratify, list(wanted.values()), seed=section.seed)
    return pl.Series(SPLIT, list(wanted)).gather(parts)


def write_splits(table: ParquetTable, section: SplitSection, path: Path) -> None:
    """Write `__row__`, `__key__` and `__split__` of every row, in the rows' order.

    The rows are not held in memory, but for the times where these split, and the keys, groups and heads where it is
    stratified.

    Args:
        table: A clean table.
        section: The config's split section.
        path: A Parquet file, in row groups of fixed size.
    """
    rows = table.scan()
    if section.stratify is not None:
        groups = [GROUP] if section.group is not None else []
        whole = rows.select(ROW, KEY, *groups, *section.stratify).collect()
        rows = whole.select(ROW, KEY, stratified_split(section, whole)).lazy()
    elif section.time is not None:
        rows = rows.select(ROW, KEY, split_in_time(section, rows.select(TIME).collect()[TIME]))
    else:
        rows = rows.select(ROW, KEY, split_of(section))
    rows.sink_parquet(path, compression="zstd", row_group_size=ROW_GROUP, maintain_order=True)


def left_out(table: ParquetTable, path: Path, section: SplitSection) -> pl.DataFrame:
    """The rows that the gap leaves out of every split, as rejected cells of the time column.

    Args:
        table: A clean table.
        path: What `write_splits` wrote of it.
        section: The config's split section, with `time`.
    """
    assert section.time is not None
    whole = pl.concat([pl.scan_parquet(path, glob=False), table.scan().select(TIME)], how="horizontal").collect()
    rows = whole.filter(pl.col(SPLIT).is_null())
    values = pl.Series([_shown(time, section) for time in rows[TIME]], dtype=pl.String)
    val, test = _beginnings(whole[TIME], section.shares.train, section.shares.val)
    rejected = Rejected()
    for split, after, begin in (("val", -np.inf, val), ("test", val, test)):
        if begin > after and (split, val) != ("val", test):
            found = ((rows[TIME] < begin) & (rows[TIME] >= after)).arg_true()
            at, gap = _shown(begin, section), _gap(section)
            said = pl.Series([f"is within {gap} before the {split} rows, which begin at {at}"]).new_from_index(
                0, len(found)
            )
            rejected.add_cells(found, rows[KEY], section.time.column, "in_gap", values, said)
    return rejected.frame().with_columns(rows[ROW].alias("row"))


def write_slices(table: ParquetTable, splits: Path, path: Path, *, by: str, time_zone: str | None = None) -> None:
    """Write `__key__` and what the split goes by, of the test rows in their order.

    Args:
        table: A clean table.
        splits: What `write_splits` wrote of it.
        path: A Parquet file.
        by: `__group__` or `__time__`.
        time_zone: Of times that are dates and times, which become moments there. Default: they are numbers.
    """
    whole = pl.concat(
        [pl.scan_parquet(splits, glob=False).select(SPLIT), table.scan().select(KEY, by)], how="horizontal"
    )
    rows = whole.filter(pl.col(SPLIT) == "test").select(KEY, by)
    if time_zone is not None:
        moments = (pl.col(by) * 1e6).round().cast(pl.Int64).cast(pl.Datetime("us", "UTC"))
        rows = rows.with_columns(moments.dt.convert_time_zone(time_zone))
    rows.collect().write_parquet(path, compression="zstd")


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


def _split(is_train: pl.Expr, is_not_test: pl.Expr) -> pl.Expr:
    train, val, test = (pl.lit(name) for name in SPLITS)
    return pl.when(is_train).then(train).when(is_not_test).then(val).otherwise(test).alias(SPLIT)


def _shown(time: float, section: SplitSection) -> str:
    """A time as a person reads it; of dates and times in UTC."""
    return shown(time) if isinstance(section.gap, str) else f"{time:g}"


def _gap(section: SplitSection) -> str:
    return section.gap if isinstance(section.gap, str) else f"{section.gap:g}"


def _beginnings(times: pl.Series, train: float, val: float) -> tuple[float, float]:
    """The first time of a val row and that of a test row; infinite where there is none."""
    counts = times.alias("time").value_counts().sort("time")
    before = np.cumsum([0, *counts["count"].to_list()])  # rows before each different time
    last = counts.height - 1
    between = 1 if val and last > 1 else 0

    def nearest(share: float, first: int, end: int) -> int:
        return first + int(np.abs(before[first : end + 1] - share * before[-1]).argmin())

    if last < 1:
        return float("inf"), float("inf")
    at_val = nearest(train, 1, last - between)
    at_test = nearest(train + val, at_val + between, last) if val else at_val
    return counts["time"][at_val], counts["time"][at_test]
