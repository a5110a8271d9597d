"""What is found in duplicates, groups and times, as findings."""

from __future__ import annotations

import math
from collections.abc import Iterator

import polars as pl

from polyhead.contracts.config import Config
from polyhead.contracts.findings import Finding
from polyhead.contracts.validation import GROUP, KEY, ROW, SPLIT
from polyhead.errors import counted
from polyhead.kinds.guessing.columns import Column
from polyhead.kinds.tables import feature_table, target_table
from polyhead.leakage.duplicates import IMAGES, NEAR_IMAGES, ROWS, SAME
from polyhead.tables.clean import ParquetTable

SHOWN = 10
_PROOF = 14.0  # a chance below e^-14, one in a million
_WORDS = {
    ROWS: ("set of rows that are the same", "sets of rows that are the same"),
    IMAGES: ("picture that is in several cells", "pictures that are in several cells"),
    NEAR_IMAGES: ("set of pictures that are nearly the same", "sets of pictures that are nearly the same"),
}
_REMOVE = {
    ROWS: "remove the repeats, if a row is there twice by mistake",
    IMAGES: "look whether the paths are right, and remove rows that are there twice",
    NEAR_IMAGES: "look at the pictures: copies that were scaled, cropped or saved again belong into one split",
}


def duplicate_findings(duplicates: pl.DataFrame, table: ParquetTable, config: Config) -> list[Finding]:
    """What duplicates mean whatever the split: that there are some, in one row, and in rows of other labels.

    Args:
        duplicates: As `polyhead.leakage.duplicates` gives them.
        table: The clean table that they are of.
        config: Its configuration.
    """
    if duplicates.is_empty():
        return []
    labelled = [name for name, target in config.targets.items() if target_table(target).labelled]
    wanted = duplicates.select(ROW).unique().lazy()
    labels = table.scan().select(ROW, *labelled).join(wanted, on=ROW, how="semi").collect()
    found: list[Finding] = []
    for same in SAME:
        cells = duplicates.filter(pl.col("same") == same)
        if cells.is_empty():
            continue
        found.append(_of_sets(same, cells, config, _told(same, cells), _REMOVE[same]))
        within = cells.filter(pl.len().over("set", ROW) > 1)
        if within.height:
            count = within[ROW].n_unique()
            said = f"{counted(count, 'row')} with {_kind(same)} in several columns, {_first(within)}"
            found.append(
                _of_sets(f"{same}_in_row", within, config, said, "give each column its own picture", count=count)
            )
        named = cells.join(labels, on=ROW, how="left", maintain_order="left")
        differs = [pl.col(name).drop_nulls().n_unique().over("set") > 1 for name in labelled]
        other = named.filter(pl.any_horizontal(differs)) if differs and same != ROWS else named.clear()
        if other.height:
            said = f"{_told(same, other)}, in rows with different labels"
            hint = "look at these rows: a label is wrong, or a picture is in the wrong row"
            found.append(_of_sets(f"{same}_with_other_labels", other, config, said, hint))
    return found


def crossing_findings(
    duplicates: pl.DataFrame, splits: pl.DataFrame, table: ParquetTable, config: Config, *, moves: bool
) -> list[Finding]:
    """What is on several sides of a split: duplicates, groups; and times that separate the sides.

    Args:
        duplicates: As `polyhead.leakage.duplicates` gives them.
        splits: `__row__` and `__split__` of every clean row, in their order; null for a row in no split.
        table: The clean table.
        config: Its configuration.
        moves: Whether a later step moves duplicates to one side.
    """
    found: list[Finding] = []
    for same in SAME:
        cells = crossing(duplicates.filter(pl.col("same") == same), splits)
        if cells.height:
            said = f"{_told(same, cells)}, across splits"
            hint = "preprocess moves them to one split each" if moves else "write validate.leakage: move"
            found.append(_of_sets(f"{same}_across_splits", cells, config, said, hint))
    return [*found, *_groups(splits, table, config), *_times(splits, table, config)]


def crossing(duplicates: pl.DataFrame, splits: pl.DataFrame) -> pl.DataFrame:
    """The duplicates whose set is in several splits, with their splits."""
    placed = duplicates.join(splits.select(ROW, SPLIT).drop_nulls(), on=ROW, how="inner", maintain_order="left")
    return placed.filter(pl.col(SPLIT).n_unique().over("same", "set") > 1)


def _of_sets(
    code: str, cells: pl.DataFrame, config: Config, message: str, remedy: str, *, count: int | None = None
) -> Finding:
    columns = set(cells["column"].drop_nulls())
    rows = cells.unique(ROW, keep="first", maintain_order=True)
    return Finding(
        code=code,
        column=", ".join(name for name in config.features if name in columns),
        count=cells["set"].n_unique() if count is None else count,
        rows=rows[KEY].head(SHOWN).to_list(),
        affected=rows.height,
        message=message,
        remedy=remedy,
    )


def _told(same: str, cells: pl.DataFrame) -> str:
    count = cells["set"].n_unique()
    rows = counted(cells[ROW].n_unique(), "row")
    return f"{count:,} {_WORDS[same][count != 1]}, in {rows}, {_first(cells)}"


def _kind(same: str) -> str:
    return "the same picture" if same == IMAGES else "nearly the same picture"


def _first(cells: pl.DataFrame) -> str:
    """The first two cells of the first set, in words."""
    pair = cells.filter(pl.col("set") == cells["set"][0]).head(2)
    places = [
        f"'{row[KEY]}'" + (f" {row['column']}" if row["column"] else "") + (f" ({row[SPLIT]})" if SPLIT in row else "")
        for row in pair.iter_rows(named=True)
    ]
    return f"first {' and '.join(places)}"


def _groups(splits: pl.DataFrame, table: ParquetTable, config: Config) -> Iterator[Finding]:
    """The groups of the configuration, and columns of ids by their names, whose values are in several splits."""
    named = {
        config.column_of(name): name
        for name, feature in config.features.items()
        if feature_table(feature).single and Column(pl.Series(config.column_of(name), [None], pl.String)).names_things
    }
    declared = {} if config.split.group is None else {config.split.group: GROUP}
    for column, name in {**named, **declared}.items():
        cells = table.scan().select(ROW, KEY, pl.col(name).alias("set")).collect().hstack(splits.select(SPLIT))
        cells = cells.drop_nulls()
        crossing = cells.filter(pl.col(SPLIT).n_unique().over("set") > 1)
        if crossing.height:
            count, of = crossing["set"].n_unique(), cells["set"].n_unique()
            yield Finding(
                code="group_crosses",
                column=column if name == GROUP else name,
                count=count,
                rows=crossing[KEY].head(SHOWN).to_list(),
                affected=crossing.height,
                message=f"{count:,} of {of:,} {'groups' if name == GROUP else 'values'} of '{column}'"
                f"{'' if name == GROUP else ', which seems to name things,'} are in several splits",
                remedy="split so that all rows of one are in one split, if rows of one are more alike than others; "
                "and remove the feature, if new rows will have other values",
            )


def _times(splits: pl.DataFrame, table: ParquetTable, config: Config) -> Iterator[Finding]:
    """Columns of times that do not overlap between the splits, which chance would not do; none if time splits."""
    if config.split.time is not None:
        return
    for name, feature in config.features.items():
        if not feature_table(feature).dated:
            continue
        cells = table.scan().select(KEY, pl.col(name).alias("time")).collect().hstack(splits.select(SPLIT)).drop_nulls()
        ranges = (
            cells.group_by(SPLIT).agg(low=pl.col("time").min(), high=pl.col("time").max(), rows=pl.len()).sort("low")
        )
        if ranges.height < 2 or not (ranges["low"].slice(1) > ranges["high"].head(ranges.height - 1)).all():
            continue
        orders = math.lgamma(cells.height + 1) - sum(math.lgamma(rows + 1) for rows in ranges["rows"])
        if orders - math.lgamma(ranges.height + 1) <= _PROOF:
            continue
        yield Finding(
            code="time_separates_splits",
            column=name,
            count=cells.height,
            rows=_borders(cells),
            affected=cells.height,
            message=f"the splits do not overlap in '{config.column_of(name)}': {', then '.join(ranges[SPLIT])}",
            remedy="if that is meant, the scores are those of later rows, and nothing is wrong; otherwise split by "
            "fractions, and ask whether rows of another time differ in more than their time",
        )


def _borders(cells: pl.DataFrame) -> list[str]:
    """The rows next to the borders between the splits."""
    ordered = cells.sort("time")
    changes = (ordered[SPLIT] != ordered[SPLIT].shift(1)).fill_null(False).arg_true()
    places = [place for change in changes for place in (change - 1, change)]
    return ordered[KEY].gather(places).to_list()
