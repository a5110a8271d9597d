"""Columns of paths, one or several in a cell, path by path."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray


def flat_paths(column: pl.Series) -> tuple[pl.Series, NDArray[np.int64]]:
    """The paths of a column of paths or of lists of these, one by one, and the row of each.

    Args:
        column: Null where a row has none.
    """
    if column.dtype == pl.String:
        rows = column.is_not_null().arg_true()
        return column.gather(rows), rows.to_numpy().astype(np.int64)
    lengths = column.list.len().fill_null(0).to_numpy().astype(np.int64)
    return column.explode(empty_as_null=False, keep_nulls=False), np.repeat(np.arange(len(column)), lengths)


def regrouped(values: pl.Series, rows: NDArray[np.int64], like: pl.Series) -> pl.Series:
    """Values of the paths that `flat_paths` gives as a column again: null in rows without any.

    Args:
        values: Of each path, or of some.
        rows: The row of each, rising.
        like: The column of paths.
    """
    found = pl.DataFrame({"row": rows, "value": values})
    if like.dtype != pl.String:
        found = found.group_by("row", maintain_order=True).agg("value")
    every = pl.DataFrame({"row": np.arange(len(like))})
    return every.join(found, on="row", how="left", maintain_order="left")["value"].alias(like.name)
