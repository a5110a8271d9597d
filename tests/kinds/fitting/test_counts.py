"""Counts of strings: those of `collections.Counter`, also where batches are added up now and then."""

from __future__ import annotations

from collections import Counter

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import texts

from polyhead.kinds.fitting.counts import Counts


def of(*batches: list[str]) -> Counts:
    counts = Counts()
    for batch in batches:
        counts.update(pl.Series(batch, dtype=pl.String))
    return counts


def states(counts: Counts) -> dict[str, list[object]]:
    return {name: values.to_list() for name, values in counts.state().items()}


@settings(max_examples=100, deadline=None)
@given(st.lists(st.lists(texts), max_size=4), st.lists(st.lists(texts), max_size=4))
def test_counts_add_up(first: list[list[str]], second: list[list[str]]) -> None:
    """In order of code points, whichever is merged into which."""
    expected = Counter(text for batch in (*first, *second) for text in batch)
    one, other = of(*first), of(*second)
    one.merge(other)
    other.merge(of(*first))
    assert list(one.by_token().items()) == sorted(expected.items())
    assert states(one) == states(other) == states(Counts.restored(one.state()))


def test_many_different_strings_in_many_batches() -> None:
    """More than may wait before they are added up."""
    batches = [[f"word{i * step}" for i in range(30_000)] for step in (1, 2, 3, 1, 5)]
    counts = of(*batches)
    assert counts.by_token() == Counter(word for batch in batches for word in batch)
    counts.update(pl.Series(["word0"]))
    assert counts.by_token()["word0"] == 6
