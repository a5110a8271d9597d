"""Hashes of words that are the same on every machine: places for splits, orders and samples, and numbers to compare."""

from __future__ import annotations

import polars as pl
import polars_hash as plh
import xxhash


def hashed(words: pl.Expr) -> pl.Expr:
    """XXH3 of words, 64 bits; null for null."""
    hashes: pl.Expr = plh.NonCryptographicHashingNameSpace(words).xxh3_64()
    return hashes


def place_of(words: pl.Expr, salt: int) -> pl.Expr:
    """Every word's fixed place in [0, 1): the first 53 bits of its XXH64, whose seed is the XXH64 of the salt's digits.

    Args:
        words: Strings without nulls.
        salt: Any integer; each gives places that are unrelated to those of another.

    Returns:
        Float64.
    """
    seed = xxhash.xxh64_intdigest(str(salt).encode())
    hashes: pl.Expr = plh.NonCryptographicHashingNameSpace(words).xxhash64(seed=seed)
    return (hashes // 2**11).cast(pl.Float64) / 2**53


def hash_positions(salt: int, keys: pl.Series) -> pl.Series:
    """The place of each of some strings without nulls, as `place_of` gives it."""
    return keys.alias("key").to_frame().select(place_of(pl.col("key"), salt)).to_series()
