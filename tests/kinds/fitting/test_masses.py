"""Sums of weights by word: those of the fractions, in any order and grouping."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from polyhead.kinds.fitting.masses import Masses
from polyhead.kinds.fitting.moments import Moments

pairs = st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 1e150)), max_size=40)


def of(rows: list[tuple[str, float]]) -> Masses:
    masses = Masses()
    masses.update(pl.Series([word for word, _ in rows], dtype=pl.String), np.array([weight for _, weight in rows]))
    return masses


@settings(max_examples=60, deadline=None)
@given(pairs, pairs)
def test_masses_are_exact(first: list[tuple[str, float]], second: list[tuple[str, float]]) -> None:
    """Relative to the mean weight, whichever is merged into which; a word that no row has weighs nothing."""
    one, other = of(first), of(second)
    one.merge(other)
    whole = Moments()
    whole.update(np.array([weight for _, weight in first + second]))
    state = {name: values.to_list() for name, values in one.state().items()}
    assert state == {name: values.to_list() for name, values in of(second + first).state().items()}
    assert state == {name: values.to_list() for name, values in Masses.restored(one.state()).state().items()}
    if not whole.total:
        return
    total = sum(Fraction(weight) for _, weight in first + second)
    for word, share in zip("abcd", one.shares(list("abcd"), whole), strict=True):
        exact = sum((Fraction(weight) for at, weight in first + second if at == word), Fraction(0))
        assert share == float(exact * whole.count / total)
