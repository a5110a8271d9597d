"""Which rows are in which fold.

By default they are dealt like cards, class by class, so that every fold has its share of each class of the first
target. Where the configuration's split has groups or names heads to stratify by, the folds follow it
(`polyhead.preprocess.stratified`).
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from polyhead.contracts.validation import GROUP, KEY, ROW, SPLIT
from polyhead.preprocess.stratified import stratified
from polyhead.tables.hashing import place_of

FOLD = "fold"
_AT = "__at__"
_FOLDS_MOST = 1_000


def with_folds(
    rows: pl.DataFrame, strata: Sequence[str], *, folds: int, seed: int, jointly: bool = False
) -> pl.DataFrame:
    """The rows with their fold.

    Rows are ordered by their classes, then by a hash of the seed and their key, and dealt in turn. So folds differ by
    one row at most, in all and of each class of the first target; a missing class counts as one.

    Args:
        rows: `__key__` and the strata; `__group__` where no group may be in two folds.
        strata: The columns to stratify by, the most important first; with `jointly` or groups, all are as important,
            and may be numbers or lists of labels too.
        folds: Parts, at least 2.
        seed: Another one is another deal.
        jointly: Whether folds have their share of every stratum.

    Returns:
        The rows in their order, with `fold`, int64 from 0.
    """
    salt = seed * _FOLDS_MOST
    if jointly or GROUP in rows.columns:
        parts = stratified(rows, strata, [1 / folds] * folds, seed=salt)
        return rows.with_columns(pl.Series(FOLD, parts, dtype=pl.Int64))
    return _dealt(rows, strata, salt).with_columns((pl.col(_AT) % folds).alias(FOLD)).drop(_AT)


def split_table(
    rows: pl.DataFrame, strata: Sequence[str], fold: int, *, val: float, seed: int, jointly: bool = False
) -> pl.DataFrame:
    """The split of one fold: its rows are the test rows, of the others a share is val, stratified too.

    Args:
        rows: As `with_folds` gives them, with `__row__`.
        strata: The columns to stratify by.
        fold: From 0.
        val: Share of the rows outside the fold.
        seed: As there.
        jointly: As there.

    Returns:
        `__row__`, `__key__`, `__split__` in the rows' order.
    """
    others, salt = rows.filter(pl.col(FOLD) != fold), seed * _FOLDS_MOST + 1 + fold
    if val and (jointly or GROUP in rows.columns):
        parts = stratified(others, strata, [1 - val, val], seed=salt)
        known = others.select(ROW, pl.Series(SPLIT, ["train", "val"]).gather(parts))
    else:
        others = _dealt(others, strata, salt)
        is_val = ((pl.col(_AT) + 1) * val).floor() > (pl.col(_AT) * val).floor()
        split = pl.when(is_val).then(pl.lit("val")).otherwise(pl.lit("train"))
        known = others.select(ROW, split.alias(SPLIT))
    return rows.select(ROW, KEY).join(known, on=ROW, how="left", maintain_order="left").fill_null("test")


def _dealt(rows: pl.DataFrame, strata: Sequence[str], salt: int) -> pl.DataFrame:
    """The rows in their order, with their number, from 0, in the order of their classes and a hash."""
    order = rows.with_row_index("__row_index__").sort(*strata, place_of(pl.col(KEY), salt), nulls_last=True)
    numbered = order.with_row_index(_AT).with_columns(pl.col(_AT).cast(pl.Int64))
    return numbered.sort("__row_index__").drop("__row_index__")
