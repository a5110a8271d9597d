"""The report of several numbers: the metrics of each, the one that is predicted worst, and the largest errors."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar

import numpy as np
import polars as pl

from polyhead.contracts.evaluation import HeadReport, MetricScore
from polyhead.kinds.metrics import METRICS
from polyhead.kinds.protocols.report import MOST_ROWS, ListedRow, ListedRows, TargetReport
from polyhead.kinds.targets.regression.report import drawable, scatter
from polyhead.page.charts import Chart
from polyhead.page.tables import Table, short
from polyhead.spelling import decimals, fixed, fixed_difference, percent


class NumbersReport(TargetReport):
    """Of several numbers."""

    WORST: ClassVar[str] = "Largest errors, in deviations of the true values"

    def charts(self, head: HeadReport, known: pl.DataFrame) -> tuple[Chart, ...]:
        """A scatter plot of the number with the lowest first metric, beside the metrics of each."""
        chart = _chart(head, known)
        return (chart,) if chart else ()

    def worst(self, head: HeadReport, known: pl.DataFrame) -> ListedRows:
        """Those with the largest errors among all numbers."""
        return _by_error(head, known, largest=True)

    def best(self, head: HeadReport, known: pl.DataFrame) -> ListedRows:
        """Those whose largest error among all numbers is the smallest."""
        return _by_error(head, known, largest=False)


def _numbers(known: pl.DataFrame, place: int) -> pl.DataFrame:
    """The rows on which one number is known: `key`, `truth`, `predicted`."""
    of = (pl.col(column).list.get(place, null_on_oob=True) for column in ("truth", "predicted"))
    return drawable(known.select("key", *of))


def _chart(head: HeadReport, known: pl.DataFrame) -> Chart | None:
    names = list(head.columns)
    worst = min(range(len(names)), key=lambda place: _goodness(head.columns[names[place]]))
    points = _numbers(known, worst)
    if points.is_empty():
        return None
    chart = scatter(*(points[column].to_numpy().astype(np.float64) for column in ("truth", "predicted")))
    caption = f"{short(names[worst])}, the column that is predicted worst. {chart.caption}"
    return replace(chart, caption=caption, table=_metrics(head), heading="")


def _metrics(head: HeadReport) -> Table:
    """Each column's metrics, and what its intervals held."""
    shown, held = list(head.metrics), head.column_conformal
    rows = [
        [
            short(column),
            f"{of[shown[0]].n:,}",
            *(METRICS[metric].number(of[metric].value) for metric in shown),
            *([percent(held[column].coverage if column in held else None)] if held else []),
        ]
        for column, of in head.columns.items()
    ]
    level = next((one.level for one in held.values()), None)
    header = ["Column", "Rows", *(METRICS[metric].label for metric in shown)]
    header += [] if level is None else [f"In {percent(level)} intervals"]
    return Table(header, rows, frozenset(range(1, len(header))))


def _goodness(metrics: Mapping[str, MetricScore]) -> float:
    """Of the first metric; without end where it is not defined."""
    name, found = next(iter(metrics.items()))
    return math.inf if found.value is None else METRICS[name].goodness(found.value)


def _by_error(head: HeadReport, known: pl.DataFrame, *, largest: bool) -> ListedRows:
    """The largest errors among all numbers; or of each row the largest one, and of these the smallest."""
    found, places = [], {}
    for place, column in enumerate(head.columns):
        numbers = _numbers(known, place)
        truth = numbers["truth"].to_numpy()
        deviation = float(np.std(truth)) if numbers.height else 0.0
        places[column] = decimals(float(np.median(np.abs(truth)))) if numbers.height else 0
        error = pl.col("predicted") - pl.col("truth")
        found.append(numbers.with_columns(column=pl.lit(column), error=error, size=error.abs() / (deviation or 1.0)))
    every = pl.concat(found).sort("size", descending=True, maintain_order=True)
    if not largest:
        every = every.unique("key", keep="first", maintain_order=True).reverse()
    every = every.head(MOST_ROWS)
    rows = [
        ListedRow(
            key,
            [
                short(column),
                fixed(truth, places[column]),
                fixed(predicted, places[column]),
                fixed_difference(error, places[column]),
            ],
        )
        for key, column, truth, predicted, error in every.select(
            "key", "column", "truth", "predicted", "error"
        ).iter_rows()
    ]
    return ListedRows(["Column", "True", "Predicted", "Error"], rows, frozenset({1, 2, 3}))


REPORT = NumbersReport()
