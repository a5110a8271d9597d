"""Groups of rows by the value of a feature, on which metrics are looked at alone."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from polyhead.contracts.evaluation import SliceKind

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]

MOST_SLICES = 20
"""Of a feature, the largest; those of other values have too few rows to say much."""

_QUARTERS = 4

FEW_VALUES = 6
"""Different numbers of a column up to which each is a slice of its own."""

Values = Floats | Booleans | Sequence[str] | Sequence[Sequence[str]]
"""Raw values of a feature, (rows,): numbers, NaN where missing; words, empty where missing; lists of them, with one
empty word where missing; or of a kind whose values make no slices, whether they are missing."""


class Slice(NamedTuple):
    """Some of the rows.

    Attributes:
        kind: What `value` is.
        value: Of the feature, in words.
        rows: Which of all rows these are, bool (rows,).
    """

    kind: SliceKind
    value: str
    rows: Booleans


def missing(values: Values) -> Booleans:
    """Which rows have no value, bool (rows,)."""
    if isinstance(values, np.ndarray):
        lacks: NDArray[Any] = np.isnan(values) if values.dtype.kind == "f" else values
        return lacks.astype(np.bool_)
    return np.array([value in ("", [""]) for value in values], np.bool_)


def by_word(values: Sequence[str]) -> list[Slice]:
    """A slice for each of the commonest words, the commonest first, words of as many rows in order."""
    words = np.array(values, np.object_)
    counts = pl.Series("value", values, pl.String).value_counts().filter(pl.col("value") != "")
    ordered = counts.sort("count", "value", descending=[True, False]).head(MOST_SLICES)
    return [Slice("value", word, words == word) for word in ordered["value"]]


def by_item(values: Sequence[Sequence[str]]) -> list[Slice]:
    """A slice for each of the commonest words of lists, which a row may have several of, ordered as by `by_word`."""
    rows = np.repeat(np.arange(len(values)), [len(words) for words in values])
    items = pl.DataFrame({"row": rows, "value": [word for words in values for word in words]}).unique()
    counts = items.filter(pl.col("value") != "").group_by("value").agg(pl.col("row"), pl.len().alias("count"))
    ordered = counts.sort("count", "value", descending=[True, False]).head(MOST_SLICES)
    return [
        Slice("value", word, np.isin(np.arange(len(values)), rows))
        for word, rows in ordered["value", "row"].iter_rows()
    ]


def by_range(values: Floats, edges: Sequence[float]) -> list[Slice]:
    """A slice for each number where these are few, otherwise for what lies between two edges, the upper one included.

    Args:
        values: NaN where missing.
        edges: In rising order; those that repeat count once.
    """
    known = np.unique(values[~np.isnan(values)])
    if len(known) <= FEW_VALUES:
        return [Slice("value", text, values == one) for one, text in zip(known, written(known), strict=True)]
    marks = np.unique(np.array(edges))
    texts = written(marks)
    place = np.where(np.isnan(values), -1, np.searchsorted(marks, values, side="left"))
    names = [f"up to {texts[0]}", *(f"{a} to {b}" for a, b in itertools.pairwise(texts))]
    slices = [Slice("range", name, place == at) for at, name in enumerate([*names, f"above {texts[-1]}"])]
    return [one for one in slices if one.rows.any()]


def by_time(times: pl.Series) -> list[Slice]:
    """A slice for each quarter of the rows in the order of time, named by its first and its last; equals go together.

    Args:
        times: Numbers, or moments, which are written as on the clocks of their time zone, no finer than tells the
            quarters apart; without a missing one.
    """
    ordered = times.sort()
    lasts = ordered.gather([-(-len(times) * part // _QUARTERS) - 1 for part in range(1, _QUARTERS + 1)]).unique().sort()
    place = lasts.search_sorted(times, side="left").to_numpy()
    firsts = ordered.gather([0, *(ordered.search_sorted(last, side="right") for last in lasts[:-1])])
    kind: SliceKind = "range"
    if isinstance(times.dtype, pl.Datetime):
        kind, (begin, end) = "period", _moments(firsts, lasts)
    else:
        ends = sorted({*firsts, *lasts})
        names = dict(zip(ends, written(ends), strict=True))
        begin, end = ([names[one] for one in some] for some in (firsts, lasts))
    return [
        Slice(kind, first if first == last else f"{first} to {last}", place == at)
        for at, (first, last) in enumerate(zip(begin, end, strict=True))
    ]


def _moments(firsts: pl.Series, lasts: pl.Series) -> tuple[list[str], list[str]]:
    """Ends of periods that follow one another, in words that tell each from the next."""
    texts: tuple[list[str], list[str]] = ([], [])
    for form in ("%Y-%m-%d", "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M:%S%.6f"):
        texts = firsts.dt.strftime(form).to_list(), lasts.dt.strftime(form).to_list()
        if not any(last == first for last, first in zip(texts[1], texts[0][1:], strict=False)):
            break
    return texts


def written(numbers: Sequence[float] | Floats) -> list[str]:
    """Numbers with three significant digits, or as many as tell them apart."""
    texts: list[str] = []
    for digits in range(3, 18):
        texts = [_digits(float(one), digits) for one in numbers]
        if len(set(texts)) == len(texts):
            break
    return texts


def _digits(value: float, digits: int) -> str:
    text = f"{value:.{digits}g}"
    text = f"{value:.0f}" if "e" in text and 1 <= abs(value) < 1e15 else text
    return text.replace("-", "−", 1) if text.startswith("-") else text
