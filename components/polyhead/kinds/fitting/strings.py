"""Strings whose file depends on nothing but them."""

from __future__ import annotations

import polars as pl


def detached(words: pl.Series) -> pl.Series:
    """The same strings in memory that holds no others.

    Strings of more than 12 bytes lie in buffers, which they may share with strings that have been filtered out or
    grouped away. Arrow files hold these buffers whole, so that their bytes would tell what the threads happened to do.
    """
    return pl.Series(words.name, words.to_list(), dtype=pl.String)
