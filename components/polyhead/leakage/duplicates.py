"""Which rows are the same, and which cells hold the same picture or nearly the same."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from polyhead.contracts.config import Config
from polyhead.contracts.validation import KEY, ROW, picture_column
from polyhead.leakage.neighbours import RADIUS, Places, neighbours
from polyhead.leakage.pixels import SIDE, miniature, show_the_same
from polyhead.pictures.failures import PictureError
from polyhead.pictures.folder import PictureFolder
from polyhead.progress import progress, say
from polyhead.tables.clean import ParquetTable

ROWS, IMAGES, NEAR_IMAGES = "duplicate_rows", "duplicate_images", "near_duplicate_images"
SAME = (ROWS, IMAGES, NEAR_IMAGES)
SCHEMA = {
    "same": pl.Enum(SAME),
    "set": pl.Int64(),
    ROW: pl.Int64(),
    KEY: pl.String(),
    "column": pl.String(),
}
"""A line for each cell, or each whole row, that is the same as another one. `set` numbers what belongs together, in the
order of the first lines; `column` is null for whole rows."""

_SAMPLE = 10_000
_BEYOND_CHANCE = 10
_LARGE_SETS = 20


def duplicates(table: ParquetTable, config: Config, folder: PictureFolder, *, workers: int) -> pl.DataFrame:
    """Rows that are the same and pictures that are the same or nearly so.

    Rows are the same where all features without pictures, and all targets, are: key and pictures are left out. They do
    not count where that is no wonder: where the columns would give a tenth as many such pairs if they had nothing to do
    with one another, or where a row has twenty others like it on average.

    Pictures are the same where the bytes of their files are, and nearly the same where their perceptual hashes differ
    by 11 bits at most and their pixels agree, see `show_the_same`; the hashes are there if `validate.images` is decode.

    Args:
        table: A clean table.
        config: Its configuration.
        folder: Where the pictures are; those of near hashes are read again.
        workers: Threads that read pictures.

    Returns:
        Of `SCHEMA`.
    """
    cells = _cells(table, {name: feature.SEVERAL for name, feature in config.pictured.items()})
    found = [
        _identical_rows(table, config),
        _numbered(IMAGES, cells.filter(pl.len().over("content") > 1), "content"),
        _near_pictures(cells, folder, config, workers),
    ]
    return pl.concat(found)


def _numbered(same: str, cells: pl.DataFrame, by: str | Sequence[str]) -> pl.DataFrame:
    """Cells in their order, their sets numbered in the order of the first cells."""
    first = pl.col("at").min().over(by)
    return (
        cells.with_row_index("at")
        .select(
            pl.lit(same, SCHEMA["same"]).alias("same"),
            (first.rank("dense") - 1).cast(pl.Int64).alias("set"),
            ROW,
            KEY,
            "column",
        )
        .sort("set", maintain_order=True)
    )


def _identical_rows(table: ParquetTable, config: Config) -> pl.DataFrame:
    features = [name for name in config.features if name not in config.pictured]
    nothing = pl.DataFrame(schema=SCHEMA)
    if not features or table.rows < 2:
        return nothing
    names = [*features, *config.targets]
    known = pl.any_horizontal(pl.col(name).is_not_null() for name in features)
    row = pl.struct(names)
    low, high = row.hash(0).alias("low"), row.hash(1).alias("high")
    hashes = np.empty(table.rows, np.uint64)
    filled = 0
    for part in table.parts():
        found = table.read(part, low, known.alias("known")).filter("known")["low"].to_numpy()
        hashes[filled : filled + len(found)] = found
        filled += len(found)
    hashes = hashes[:filled]
    hashes.sort()
    repeats, more = np.unique(hashes[1:][hashes[1:] == hashes[:-1]], return_counts=True)
    del hashes
    suspects = pl.Series(repeats)
    if suspects.is_empty() or (filled - int(more.sum())) * _LARGE_SETS <= filled:
        return nothing
    sample = every(table, _SAMPLE, row.alias("row"), low).unique("low", keep="first", maintain_order=True)["row"]
    by_chance = math.comb(filled, 2) * math.prod(_agreement(sample.struct.field(name).to_frame()) for name in names)
    if by_chance * _BEYOND_CHANCE > float((more * (more + 1.0) / 2).sum()):
        return nothing
    suspected = low.is_in(suspects.implode()) & known
    rows = pl.concat(
        table.read(part, ROW, KEY, low, high, suspected.alias("suspected")).filter("suspected")
        for part in table.parts()
    )
    rows = rows.filter(pl.len().over("low", "high") > 1)
    return _numbered(ROWS, rows.with_columns(pl.lit(None, pl.String).alias("column")), ["low", "high"])


def every(table: ParquetTable, most: int, *columns: str | pl.Expr) -> pl.DataFrame:
    """Evenly spaced rows of a table.

    Args:
        table: With one row at least.
        most: Rows at most.
        columns: What to give of them.
    """
    step = -(-table.rows // most)
    parts = (table.read(part, *columns).gather_every(step, offset=-part.start % step) for part in table.parts())
    return pl.concat(map(_by_itself, parts))


def _by_itself(rows: pl.DataFrame) -> pl.DataFrame:
    """The same rows without the words of those that they were among, which polars would keep in memory."""
    return pl.DataFrame(rows.to_arrow(compat_level=pl.CompatLevel.oldest()), schema=rows.schema)


def _agreement(column: pl.DataFrame) -> float:
    """The share of pairs of rows that have the same value, missing ones too."""
    alike = column.select((pl.len().over(column.columns) - 1).cast(pl.Float64).sum()).item()
    pairs = column.height * (column.height - 1)
    return float(alike) / pairs if pairs else 0.0


def _cells(table: ParquetTable, images: Mapping[str, bool]) -> pl.DataFrame:
    """Every picture of the table: its row, key, column, content and perceptual hash, row by row.

    Args:
        table: A clean table.
        images: The features of pictures, and whether a cell has several.
    """
    columns = []
    for place, (name, several) in enumerate(images.items()):
        rows = table.scan().select(
            ROW,
            KEY,
            pl.lit(name).alias("column"),
            pl.lit(place, pl.UInt16).alias("place"),
            pl.col(name).alias("path"),
            pl.col(picture_column(name)).alias("picture"),
        )
        rows = rows.explode("path", "picture") if several else rows
        content = pl.col("picture").struct.field("content_hash").alias("content")
        hashed = pl.col("picture").struct.field("perceptual_hash").alias("hash")
        columns.append(rows.with_columns(content, hashed).drop("picture").filter(pl.col("content").is_not_null()))
    if not columns:
        return pl.DataFrame(
            schema={
                ROW: pl.Int64,
                KEY: pl.String,
                "column": pl.String,
                "place": pl.UInt16,
                "path": pl.String,
                "content": pl.String,
                "hash": pl.UInt64,
            }
        )
    return pl.concat(columns).collect().sort(ROW, "place", maintain_order=True)


def _near_pictures(cells: pl.DataFrame, folder: PictureFolder, config: Config, workers: int) -> pl.DataFrame:
    pictures = cells.filter(pl.col("hash").is_not_null()).unique("content", keep="first", maintain_order=True)
    if pictures.height < 2:
        return pl.DataFrame(schema=SCHEMA)
    near = neighbours(pictures["hash"].to_numpy())
    if near.radius < RADIUS:
        say(
            f"many pictures look alike: only those whose hashes differ by {near.radius} bits or fewer, "
            f"not by {RADIUS}, are compared"
        )
    same = confirmed(pictures["path"], near.first, near.second, folder, config.validate_.max_pixels, workers)
    sets = components(pictures.height, near.first[same], near.second[same])
    labelled = pictures.select("content", pl.Series("like", sets)).filter(pl.len().over("like") > 1)
    return _numbered(NEAR_IMAGES, cells.join(labelled, on="content", how="inner", maintain_order="left"), "like")


def confirmed(
    paths: pl.Series, first: Places, second: Places, folder: PictureFolder, max_pixels: int, workers: int
) -> NDArray[np.bool_]:
    """Which pairs of pictures are nearly the same by their pixels; each picture is read once.

    Args:
        paths: Of all pictures.
        first: A place in `paths` for each pair.
        second: Likewise.
        folder: Where the paths start.
        max_pixels: Largest height times width that is decoded.
        workers: Threads.
    """
    wanted = np.unique(np.concatenate([first, second]))
    if not len(wanted):
        return np.empty(0, np.bool_)
    miniatures = np.zeros((len(wanted), SIDE, SIDE, 3), np.uint8)
    readable = np.ones(len(wanted), np.bool_)

    def look(path: str) -> NDArray[np.uint8] | None:
        try:
            return miniature(folder.read(path), max_pixels=max_pixels)
        except PictureError:  # changed since it was validated: what reads it next will say so
            return None

    with progress("compare images", total=len(wanted), unit="images") as advance:
        for place, seen in enumerate(folder.map(look, paths.gather(wanted), lambda path: [path], workers=workers)):
            if seen is None:
                readable[place] = False
            else:
                miniatures[place] = seen
            advance(1)
    one, other = np.searchsorted(wanted, first), np.searchsorted(wanted, second)
    return show_the_same(miniatures, one, other) & readable[one] & readable[other]


def components(count: int, first: Places, second: Places) -> Places:
    """What hangs together by pairs.

    Args:
        count: Things there are.
        first: One of each pair.
        second: The other.

    Returns:
        For each thing the lowest one that it hangs together with, itself where there is none.
    """
    lowest = np.arange(count)
    while True:
        before = lowest.copy()
        least = np.minimum(lowest[first], lowest[second])
        np.minimum.at(lowest, lowest[first], least)
        np.minimum.at(lowest, lowest[second], least)
        lowest = lowest[lowest]
        if np.array_equal(before, lowest):
            return lowest
