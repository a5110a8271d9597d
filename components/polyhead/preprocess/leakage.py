"""What the split has on several sides, and the rows that are moved for it."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from polyhead.contracts.config import Config
from polyhead.contracts.findings import Finding, refused
from polyhead.contracts.splits import SPLITS
from polyhead.contracts.validation import DUPLICATES_TABLE, KEY, ROW, SPLIT
from polyhead.errors import DataError, counted
from polyhead.leakage.duplicates import components
from polyhead.leakage.findings import crossing, crossing_findings
from polyhead.storage.artifact import checked_file
from polyhead.tables.clean import CleanTable, ParquetTable
from polyhead.tables.writing import ROW_GROUP


def settle_splits(
    clean: CleanTable, data: Path, table: ParquetTable, config: Config, *, may_move: bool
) -> list[Finding]:
    """Look for what crosses the split, and move it to one side where the configuration says so.

    Args:
        clean: The clean rows.
        data: The artifact of `validate`, with their duplicates.
        table: Their splits, which are written anew if rows are moved.
        config: The configuration.
        may_move: Whether the split is this step's own. One that was given stays as it is.

    Returns:
        The findings of `validate`, and those of this split in place of those that depend on one.

    Raises:
        DataError: There are findings, and `validate.leakage` is fail.
    """
    same = pl.read_parquet(checked_file(data, clean.report, DUPLICATES_TABLE))
    splits = table.scan().select(ROW, pl.col(SPLIT).cast(pl.Enum(SPLITS))).collect()
    found = crossing_findings(same, splits, clean, config, moves=False)
    if config.validate_.leakage == "move" and may_move:
        whole = table.scan().select(ROW, KEY, SPLIT).collect()
        moved = together(same, whole)
        if not moved.equals(whole):
            moved.write_parquet(table.path, compression="zstd", row_group_size=ROW_GROUP)
        found = [_told(finding, same, whole, moved) for finding in found]
    findings = [*(finding for finding in clean.report.findings if not finding.crosses), *found]
    if config.validate_.leakage == "fail" and findings:
        raise DataError(refused(findings))
    return findings


def together(duplicates: pl.DataFrame, splits: pl.DataFrame) -> pl.DataFrame:
    """The splits with all rows that are the same, or have the same picture, in one.

    What hangs together, by any of its rows, goes to the split that most of its rows are in; of several, to train before
    val before test. Other rows stay.

    Args:
        duplicates: As `polyhead.leakage.duplicates` gives them.
        splits: `__row__`, `__key__`, `__split__`, one line a row.

    Returns:
        Of the same rows and columns.
    """
    rows = duplicates.select("same", "set", ROW).unique(maintain_order=True)
    places = splits.select(ROW).with_row_index("place")
    rows = rows.join(places, on=ROW, how="inner", maintain_order="left").with_columns(pl.col("place").cast(pl.Int64))
    first = rows.select(pl.col("place").first().over("same", "set")).to_series()
    whole = components(splits.height, first.to_numpy(), rows["place"].to_numpy())
    order = {name: number for number, name in enumerate(SPLITS)}
    numbered = splits.with_columns(
        pl.Series("whole", whole), pl.col(SPLIT).replace_strict(order, return_dtype=pl.Int8).alias("number")
    )
    most = (
        numbered.group_by("whole", "number")
        .len()
        .sort("whole", "len", "number", descending=[False, True, False])
        .unique("whole", keep="first", maintain_order=True)
        .select("whole", pl.col("number").replace_strict(dict(enumerate(SPLITS)), return_dtype=pl.String).alias("to"))
    )
    joined = numbered.join(most, on="whole", how="left", maintain_order="left")
    return joined.select(ROW, KEY, pl.col("to").alias(SPLIT))


def _told(finding: Finding, duplicates: pl.DataFrame, splits: pl.DataFrame, moved: pl.DataFrame) -> Finding:
    """A finding with what was done about it."""
    if not finding.code.endswith("_across_splits"):
        return finding
    same = finding.code.removesuffix("_across_splits")
    rows = crossing(duplicates.filter(pl.col("same") == same), splits).select(ROW).unique()
    both = splits.select(ROW, SPLIT).join(moved.select(ROW, pl.col(SPLIT).alias("to")), on=ROW).join(rows, on=ROW)
    count = both.filter(pl.col(SPLIT) != pl.col("to")).height
    done = f"{counted(count, 'row')} of them went to another split, so that each set is in one"
    return finding.model_copy(update={"moved": count, "remedy": f"nothing: {done}"})
