"""What the report says of a column: the same whatever parts it comes in."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polyhead.kinds.summaries import EXACT_DISTINCT, ClassSummary, DistinctWords, NumberSummary


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(max_size=3) | st.none(), max_size=60), st.integers(1, 20))
def test_few_different_words_are_counted_exactly(words: list[str | None], size: int) -> None:
    """In parts of any size; null is no word."""
    counted = DistinctWords()
    for start in range(0, len(words), size):
        counted.add(pl.Series(words[start : start + size], dtype=pl.String))
    assert counted.count() == len({word for word in words if word is not None})


@pytest.mark.parametrize("different", [EXACT_DISTINCT - 1, 300_000])
def test_many_different_words_are_estimated(different: int) -> None:
    """Exact below the limit, within 1 % above, and the same in any order and parts."""
    words = pl.Series([f"word {i}" for i in range(different)])
    forwards, backwards = DistinctWords(), DistinctWords()
    for part in words.to_frame().iter_slices(50_000):
        forwards.add(part.to_series())
    for _ in range(2):
        backwards.add(words.reverse())
    assert forwards.count() == backwards.count()
    if different < EXACT_DISTINCT:
        assert forwards.count() == different
    else:
        assert abs(forwards.count() / different - 1) < 0.01
        assert f"{forwards.count():.3g}" == f"{float(forwards.count()):.3g}"


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(-9, 9) | st.none(), max_size=30), st.integers(1, 9))
def test_column_statistics_are_those_of_the_whole_column(numbers: list[float | None], size: int) -> None:
    """Missing, smallest and largest as numpy has them; classes as pandas counts them."""
    column = pl.Series(numbers, dtype=pl.Float64)
    labels = column.round().cast(pl.String)
    gathered, classes = NumberSummary(), ClassSummary()
    for start in range(0, len(numbers), size):
        gathered.add(column[start : start + size])
        classes.add(labels[start : start + size])
    known = np.array([number for number in numbers if number is not None])
    summary = gathered.column_summary("x", "feature", "numeric")
    assert summary.missing == len(numbers) - len(known)
    assert (summary.minimum, summary.maximum) == ((known.min(), known.max()) if len(known) else (None, None))
    assert classes.classes == pd.Series(labels.to_list(), dtype=object).value_counts().to_dict()
