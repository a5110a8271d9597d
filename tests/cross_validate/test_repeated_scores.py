"""Scores over repeats: means, and intervals over rows and seeds."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy import stats

from polyhead.contracts.evaluation import Interval, MetricScore
from polyhead.cross_validate.scores import combined
from polyhead.kinds.metrics import METRICS


def score(value: float | None, *, apart: float = 0.2, half: float = 0.1, **changes: Any) -> MetricScore:
    """A value with an interval of `half` to both sides, `apart` from its baseline."""
    if value is None:
        return MetricScore(value=None, baseline=0.3, n=50, interval=Interval(reason="it is not defined"))
    given = {
        "value": value,
        "baseline": value - apart,
        "n": 50,
        "interval": Interval(low=value - half, high=value + half, method="Wilson"),
        "difference": apart,
        "difference_interval": Interval(low=apart - half, high=apart + half, method="Newcombe"),
        "verdict": "better",
    }
    return MetricScore(**{**given, **changes})


def test_one_repeat_is_itself() -> None:
    """The rows' interval, and its method says what it is over."""
    found = combined(METRICS["accuracy"], [score(0.7)])
    assert (found.value, found.repeats) == (0.7, [0.7])
    assert found.baseline == pytest.approx(0.5)
    assert found.interval.low == pytest.approx(0.6)
    assert found.interval.high == pytest.approx(0.8)
    assert found.interval.method == "Wilson over rows"
    assert found.verdict == "better"


def test_the_seeds_error_is_added_to_that_of_the_rows() -> None:
    """As independent errors are, with Student's t for few repeats."""
    values = [0.70, 0.74, 0.69]
    found = combined(METRICS["accuracy"], [score(value) for value in values])
    seeds = stats.t.interval(0.95, 2, scale=stats.sem(values))[1]
    assert found.value == pytest.approx(np.mean(values))
    assert found.interval.high is not None
    assert found.interval.high - np.mean(values) == pytest.approx(math.hypot(0.1, seeds))
    assert found.repeats == values


def test_seeds_that_disagree_take_a_mark_away() -> None:
    """Each repeat is better by its rows; their spread says that another one need not be."""
    scores = [score(0.7, apart=apart) for apart in (0.11, 0.5)]
    assert [each.verdict for each in scores] == ["better", "better"]
    assert combined(METRICS["accuracy"], scores).verdict == "not clearly better"
    assert combined(METRICS["accuracy"], [score(0.7), score(0.7)]).verdict == "better"


def test_what_one_repeat_cannot_say_all_cannot() -> None:
    """A value, an interval."""
    found = combined(METRICS["accuracy"], [score(0.7), score(None)])
    assert found.value is None
    assert found.interval.reason == "it is not defined"
    found = combined(METRICS["accuracy"], [score(0.7), score(0.8, interval=Interval(reason="too few rows"))])
    assert found.value == pytest.approx(0.75)
    assert (found.interval.low, found.interval.reason) == (None, "too few rows")
