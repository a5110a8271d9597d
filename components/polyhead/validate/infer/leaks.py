"""Columns that give a target away."""

from __future__ import annotations

import math

import polars as pl

from polyhead.kinds.guessing.columns import Column, shown

_PROOF = 14.0  # a chance below e^-14, one in a million
_MOST_CLASSES = 50
_MANY_NUMBERS = 20
_COPY = 0.9995


def gives_away(column: Column, target: Column) -> str:
    """How a column gives a target away, as a part of a sentence; empty where it does not.

    The tests are exact relations that hold in every row, and that would hold in one of a million tables by chance:
    a copy under another scale, bands of a number, a finer or a coarser division of the classes.

    Args:
        column: A possible feature.
        target: What is to be predicted.
    """
    if column.words is None or target.words is None or min(column.kinds, target.kinds) < 2:
        return ""
    name = shown(target.name)
    many = target.numbers is not None and target.different_numbers > _MANY_NUMBERS
    if many and column.numbers is not None and column.different_numbers > _MANY_NUMBERS:
        return f"rises and falls with {name}" if _rank_correlation(column, target) > _COPY else ""
    if many:
        return f"holds bands of {name}" if _bands(column, target) else ""
    if column.numbers is not None and column.different_numbers > _MOST_CLASSES:
        return f"tells {name} exactly by its ranges" if _bands(target, column) else ""
    words = pl.DataFrame({"column": column.words.fill_null(""), "target": target.words}).drop_nulls()
    if _decides(words, "column", "target"):
        return f"tells {name} exactly"
    return f"follows from {name}" if _decides(words, "target", "column") else ""


def _rank_correlation(column: Column, target: Column) -> float:
    both = pl.DataFrame({"column": column.numbers, "target": target.numbers}).drop_nulls()
    if both.height < _MANY_NUMBERS:
        return 0.0
    found = both.select(pl.corr("column", "target", method="spearman")).item()
    return abs(found) if found is not None and math.isfinite(found) else 0.0


def _bands(classes: Column, numbers: Column) -> bool:
    """Whether every class holds a range of the numbers of its own."""
    if classes.distinct > _MOST_CLASSES:
        return False
    both = pl.DataFrame({"class": classes.words, "number": numbers.numbers}).drop_nulls()
    ranges = (
        both.group_by("class")
        .agg(low=pl.col("number").min(), high=pl.col("number").max(), rows=pl.len())
        .sort("low", "high", "class")
    )
    if ranges.height < 2 or not (ranges["low"].slice(1) > ranges["high"].head(ranges.height - 1)).all():
        return False
    orders = math.lgamma(both.height + 1) - sum(math.lgamma(rows + 1) for rows in ranges["rows"])
    return orders - math.lgamma(ranges.height + 1) > _PROOF


def _decides(words: pl.DataFrame, known: str, told: str) -> bool:
    """Whether equal words of one column always come with equal words of the other, and chance would not do that."""
    if not words.height:
        return False
    groups = words.group_by(known).agg(different=pl.col(told).n_unique(), rows=pl.len())
    if groups["different"].max() != 1 or words[told].n_unique() < 2:
        return False
    most = float(words[told].value_counts()["count"].to_numpy().max()) / words.height
    return (words.height - groups.height) * -math.log(most) > _PROOF
