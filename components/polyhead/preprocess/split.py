"""Which rows train, validate and test."""

from __future__ import annotations

import hashlib

import polars as pl

from polyhead.contracts.config import SplitSection
from polyhead.contracts.validation import SPLIT


def split_of(keys: pl.Series, fixed: pl.Series | None, section: SplitSection) -> pl.Series:
    """The split of every row.

    With a split column that column decides. Otherwise a row falls where a hash of the seed and its key falls in
    [0, 1): below `train`, below `train + val`, or above. So adding, removing or reordering rows moves no other row.

    Args:
        keys: Strings, one per row.
        fixed: The split column's values, where the config names one.
        section: The config's split section.

    Returns:
        Strings, each of train, val, test.
    """
    if fixed is not None:
        return fixed.alias(SPLIT)
    shares = section.shares
    positions = [hash_position(section.seed, key) for key in keys]
    names = ["train" if at < shares.train else "val" if at < shares.train + shares.val else "test" for at in positions]
    return pl.Series(SPLIT, names, dtype=pl.String)


def hash_position(salt: int, key: str) -> float:
    """A key's fixed place in [0, 1): the first 53 bits of BLAKE2b over salt and key."""
    digest = hashlib.blake2b(f"{salt}\0{key}".encode(), digest_size=8).digest()
    return (int.from_bytes(digest, "big") >> 11) / 2**53


def hash_positions(salt: int, keys: pl.Series) -> pl.Series:
    """`hash_position` of every key."""
    return pl.Series([hash_position(salt, key) for key in keys], dtype=pl.Float64)
