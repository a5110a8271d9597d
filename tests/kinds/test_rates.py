"""Curves of classes and labels against scikit-learn's, and what a threshold costs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sk

from polyhead.kinds.targets.rates import Rates, curves


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 8)), min_size=2, max_size=60))
def test_areas_and_points_are_those_of_scikit_learn(rows: list[tuple[bool, int]]) -> None:
    """With ties, since there are nine probabilities; a class that all or no rows have is not drawn."""
    has = np.array([one for one, _ in rows])
    probabilities = np.array([share / 8 for _, share in rows])
    rates = Rates.of("a", has, probabilities)
    if has.all() or not has.any():
        assert not rates.drawable
        assert curves([rates]) == []
        return
    assert rates.roc_auc == pytest.approx(sk.roc_auc_score(has, probabilities), abs=1e-12)
    assert rates.pr_auc == pytest.approx(sk.average_precision_score(has, probabilities), abs=1e-12)
    false_alarms, found, cuts = sk.roc_curve(has, probabilities, drop_intermediate=False)
    assert rates.cuts.tolist() == cuts[1:].tolist()
    assert rates.false_alarms == pytest.approx(false_alarms[1:])
    assert rates.recall == pytest.approx(found[1:])
    for threshold in (0.0, 0.25, 0.3, 1.0, 1.1):
        said = probabilities >= threshold
        assert rates.at(threshold) == ((said & has).sum(), said.sum())


def test_a_threshold_table_marks_the_one_that_decides() -> None:
    """Of one class: rows said to have it, precision, recall, false positive rate and F1 at each threshold."""
    rates = Rates.of("yes", np.array([False, False, True, True]), np.array([0.15, 0.55, 0.35, 0.95]))
    *_, costs = curves([rates], threshold=0.35)
    assert costs.table is not None
    (marked,) = costs.table.marked
    assert costs.table.rows[marked] == ["0.350", "3", "66.7 %", "100.0 %", "50.0 %", "0.800"]
    assert "none said" not in costs.table.rows[-1][2]
    assert costs.table.rows[-1] == ["0.900", "1", "100.0 %", "50.0 %", "0.0 %", "0.667"]
    assert "Rows are said to be yes" in costs.caption


def test_the_most_frequent_classes_are_drawn_and_all_have_their_areas() -> None:
    draw = np.random.default_rng(0)
    rates = [Rates.of(f"c{n}", draw.random(200) < (n + 1) / 20, draw.random(200)) for n in range(10)]
    roc, precision = curves(rates)
    assert [name for _, name in roc.series] == sorted(
        (name for _, name in roc.series), key=lambda name: -rates[int(name[1:])].positives
    )
    assert len(roc.series) == 6
    assert "The 6 most frequent of 10." in roc.caption
    assert precision.table is not None
    assert len(precision.table.rows) == 10
