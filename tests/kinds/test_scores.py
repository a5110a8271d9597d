"""Scores and reports by kind: every kind has both, every metric is whole, and nobody else asks for a kind."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import polars as pl
import pytest
from benchmarks.coverage import POPULATIONS

import polyhead
from polyhead.contracts.evaluation import HeadReport, Interval
from polyhead.intervals.method import Method
from polyhead.kinds.metrics import METRICS, Metric
from polyhead.kinds.reports import REPORTS
from polyhead.kinds.scores import SCORES
from polyhead.kinds.targets.classes import ClassStatistics
from polyhead.kinds.union import METRIC_NAMES, TARGETS
from polyhead.spelling import UNDEFINED, Format

PACKAGE = Path(polyhead.__file__).parent


@pytest.mark.parametrize("kind", TARGETS)
def test_a_kind_computes_the_metrics_that_it_lists(kind: str) -> None:
    """In the order of the reports, each as the table of metrics has it, with an interval method."""
    measures = SCORES[kind].measures
    assert tuple(measures) == METRIC_NAMES[kind]
    assert [measure.metric for measure in measures.values()] == list(TARGETS[kind].METRICS)
    for name, measure in measures.items():
        assert measure.metric is METRICS[name]
        assert isinstance(measure.method, Method)
        assert measure.method.fewest_rows >= 1


@pytest.mark.parametrize("kind", ["binary", "multiclass", "ordinal"])
@pytest.mark.parametrize(
    ("counts", "masses", "is_lopsided"),
    [
        ([75, 25], None, False),
        ([76, 24], None, True),
        ([10, 90], None, True),
        ([76, 24], [50.0, 50.0], False),
    ],
)
def test_where_one_class_is_nearly_always_right_ranks_stand_for_a_head(
    kind: Literal["binary", "multiclass", "ordinal"], counts: list[int], masses: list[float] | None, is_lopsided: bool
) -> None:
    """Beyond three quarters of the train rows by their weights: ROC AUC for accuracy, which nothing else gives way to.

    The other metrics keep their order.
    """
    statistics = ClassStatistics(kind=kind, classes=["no", "yes"], counts=counts, masses=masses, missing=0)
    first = "roc_auc" if is_lopsided and kind != "ordinal" else METRIC_NAMES[kind][0]
    ordered = SCORES[kind].ordered(statistics)
    assert ordered == [first, *(name for name in METRIC_NAMES[kind] if name != first)]


def test_the_table_of_metrics_has_those_of_the_kinds_and_no_other() -> None:
    assert set(METRICS) == {name for names in METRIC_NAMES.values() for name in names}
    assert len({metric.label for metric in METRICS.values()}) == len(METRICS)


@pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)
def test_a_metric_says_how_it_is_read(metric: Metric) -> None:
    """It has a label, a direction and a way to write its numbers, one for a value, a difference and an interval."""
    assert re.fullmatch(r"[a-z][a-z0-9_]*", metric.name)
    assert metric.label
    assert "_" not in metric.label
    assert metric.format in get_args(Format)
    assert metric.goodness(2.0) == (-2.0 if metric.lower_is_better else 2.0)
    unit = " %" if metric.format == "percent" else ""
    assert metric.number(12.649) == f"12.6{unit}"
    apart = " percentage points" if metric.format == "percent" else ""
    assert metric.signed(-0.5) == f"−0.500{apart}"
    assert metric.span_of_difference(Interval(low=-1.5, high=2.5, method="m")) == f"−1.50 to 2.50{apart}"
    assert metric.span(Interval(low=1.5, high=2.5, method="m")) == f"1.50 to 2.50{unit}"
    for nothing in (None, math.nan):
        assert metric.number(nothing) == UNDEFINED
    assert metric.span(Interval(reason="9 rows")) == metric.span_of_difference(Interval(reason="9 rows")) == ""


@pytest.mark.parametrize("kind", TARGETS)
def test_some_population_measures_the_kinds_intervals(kind: str) -> None:
    """What the intervals of a kind promise is simulated, so `benchmarks/coverage.py` draws such heads."""
    assert kind in {population.draw(np.random.default_rng(0), 2).kind for population in POPULATIONS.values()}


@pytest.mark.parametrize("kind", TARGETS)
def test_a_report_has_a_heading_for_its_worst_rows(kind: str) -> None:
    assert REPORTS[kind].WORST


def test_a_head_of_numbers_that_are_not_finite_has_nothing_to_draw() -> None:
    known = pl.DataFrame({"key": ["a"], "truth": [1.0], "predicted": [math.nan]})
    head = HeadReport(kind="regression", n=1, missing=0, classes=[], metrics={})
    facet = REPORTS["regression"]
    assert (facet.charts(head, known), facet.worst(head, known)) == ((), None)
