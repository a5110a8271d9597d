"""The report of several numbers: the metrics of each, the one that is predicted worst, and the largest errors."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import polars as pl

from polyhead.contracts.evaluation import HeadReport, MetricScore
from polyhead.kinds.metrics import METRICS
from polyhead.kinds.protocols.report import WORST_ROWS, Analysis, TargetReport
from polyhead.kinds.targets.regression.report import scatter
from polyhead.page.charts import Chart
from polyhead.page.tables import Table, short
from polyhead.spelling import number, signed


class NumbersReport(TargetReport):
    """Of several numbers."""

    WORST: ClassVar[str] = "Largest errors, in deviations of the true values"

    def analyse(self, name: str, head: HeadReport, known: pl.DataFrame) -> Analysis:
        """The metrics of each number, and a scatter plot of the one with the lowest first metric."""
        shown = list(head.metrics)
        rows = [
            [short(column), f"{of[shown[0]].n:,}", *(METRICS[metric].number(of[metric].value) for metric in shown)]
            for column, of in head.columns.items()
        ]
        header = ["Column", "Rows", *(METRICS[metric].label for metric in shown)]
        details = Table(header, rows, frozenset(range(1, len(header))))
        return Analysis(_chart(name, head, known), details=details, worst=_worst(head, known))


def _numbers(known: pl.DataFrame, place: int) -> pl.DataFrame:
    """The rows on which one number is known: `key`, `truth`, `predicted`."""
    of = (pl.col(column).list.get(place, null_on_oob=True) for column in ("truth", "predicted"))
    found = known.select("key", *of)
    return found.filter(pl.col("truth").is_finite() & pl.col("predicted").is_finite())


def _chart(name: str, head: HeadReport, known: pl.DataFrame) -> Chart | None:
    names = list(head.columns)
    worst = min(range(len(names)), key=lambda place: _goodness(head.columns[names[place]]))
    points = _numbers(known, worst)
    return None if points.is_empty() else scatter(f"{name}, {names[worst]}", points)


def _goodness(metrics: Mapping[str, MetricScore]) -> float:
    """Of the first metric; without end where it is not defined."""
    name, found = next(iter(metrics.items()))
    return math.inf if found.value is None else METRICS[name].goodness(found.value)


def _worst(head: HeadReport, known: pl.DataFrame) -> Table:
    """The largest errors among all numbers."""
    found = []
    for place, column in enumerate(head.columns):
        numbers = _numbers(known, place)
        deviation = float(np.std(numbers["truth"].to_numpy())) if numbers.height else 0.0
        error = pl.col("predicted") - pl.col("truth")
        found.append(numbers.with_columns(column=pl.lit(column), error=error, size=error.abs() / (deviation or 1.0)))
    every = pl.concat(found).sort("size", descending=True, maintain_order=True).head(WORST_ROWS)
    rows = [
        [short(key), short(column), number(truth), number(predicted), signed(error)]
        for key, column, truth, predicted, error in every.select(
            "key", "column", "truth", "predicted", "error"
        ).iter_rows()
    ]
    return Table(["Key", "Column", "True", "Predicted", "Error"], rows, frozenset({2, 3, 4}))


REPORT = NumbersReport()
