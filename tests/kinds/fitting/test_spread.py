"""Moments and range together: numpy's, in any order and grouping."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import calm_numbers

from polyhead.kinds.fitting.spread import Spread


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(calm_numbers, min_size=1, max_size=9), max_size=6))
def test_a_spread_is_numpys_in_any_parts(parts: list[list[float]]) -> None:
    """Merged from both ends and restored; zeros for no number."""
    whole, spreads = Spread(), [Spread() for _ in parts]
    for spread, part in zip(spreads, parts, strict=True):
        spread.update(np.array(part))
        whole.update(np.array(part))
    merged = Spread()
    for spread in reversed(spreads):
        merged.merge(spread)
    merged = Spread.restored(merged.state())
    assert merged.state() == whole.state()
    every = np.array([number for part in parts for number in part])
    assert merged.range == ((every.min(), every.max()) if len(every) else (0.0, 0.0))
    mean, variance = merged.moments.mean_and_variance()
    assert mean == pytest.approx(every.mean() if len(every) else 0.0, abs=1e-6)
    assert variance == pytest.approx(every.var() if len(every) else 1.0, rel=1e-6, abs=1e-6)
