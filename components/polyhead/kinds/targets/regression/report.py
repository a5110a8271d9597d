"""The report of regression targets: predicted against true values, residuals, and the largest errors."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
import polars as pl

from polyhead.contracts.evaluation import HeadReport
from polyhead.kinds.protocols.report import MOST_ROWS, ListedRow, ListedRows, TargetReport
from polyhead.page.charts import Axis, Chart, Plot, axis_over
from polyhead.page.tables import Table
from polyhead.spelling import decimals, fixed, fixed_difference

MOST_POINTS = 1_500
_LOG_RANGE = 50.0
_LARGEST = 1e100
"""What is larger is not drawn: differences and ratios of such numbers may not be finite."""

_BINS = 24
_PARTS = 5


class NumberReport(TargetReport):
    """Of a number."""

    WORST: ClassVar[str] = "Largest errors"

    def charts(self, head: HeadReport, known: pl.DataFrame) -> tuple[Chart, ...]:
        """Scatter plots and a histogram; rows that are not finite are left out."""
        finite = drawable(known)
        if finite.is_empty():
            return ()
        truth, predicted = _numbers(finite)
        return (scatter(truth, predicted), _residuals(truth, predicted), _histogram(truth, predicted))

    def worst(self, head: HeadReport, known: pl.DataFrame) -> ListedRows | None:
        """Those with the largest errors; rows that are not finite are left out."""
        finite = drawable(known)
        return None if finite.is_empty() else _by_error(finite, *_numbers(finite), sign=-1)

    def best(self, head: HeadReport, known: pl.DataFrame) -> ListedRows | None:
        """Those with the smallest errors."""
        finite = drawable(known)
        return None if finite.is_empty() else _by_error(finite, *_numbers(finite), sign=1)


def _numbers(rows: pl.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """True and predicted, float64 (rows,) each."""
    truth, predicted = (rows[column].to_numpy().astype(np.float64) for column in ("truth", "predicted"))
    return truth, predicted


def drawable(known: pl.DataFrame) -> pl.DataFrame:
    """The rows whose `truth` and `predicted` are finite and not so large that they cannot be drawn."""
    return known.filter((pl.col("truth").abs() < _LARGEST) & (pl.col("predicted").abs() < _LARGEST))


def is_logarithmic(*values: np.ndarray) -> bool:
    """Whether numbers are all positive and span a range so wide that they are drawn on a logarithmic axis.

    Not where some are so small that an axis around them would reach 0.
    """
    low, high = min(float(one.min()) for one in values), max(float(one.max()) for one in values)
    return low > 1 / _LARGEST and high / low > _LOG_RANGE


def _chosen(rows: int) -> np.ndarray:
    """The rows that are drawn, evenly through the table."""
    return np.unique(np.linspace(0, rows - 1, min(rows, MOST_POINTS)).round().astype(int))


def scatter(truth: np.ndarray, predicted: np.ndarray) -> Chart:
    """Predicted against true values, float64 (rows,), with equal axes and the diagonal."""
    logarithmic = is_logarithmic(truth, predicted)
    ends = [float(f(one)) for one in (truth, predicted) for f in (np.min, np.max)]
    across, up = (axis_over(title, ends, logarithmic=logarithmic) for title in ("True", "Predicted"))
    plot = Plot(across, up)
    plot.line([(across.low, across.low), (across.high, across.high)], "guide")
    chosen = _chosen(len(truth))
    plot.cloud([(float(truth[at]), float(predicted[at])) for at in chosen])
    said = ["Each dot is a row; on the dashed line the prediction is exact."]
    if logarithmic:
        said.append("Both axes are logarithmic.")
    if len(chosen) < len(truth):
        said.append(f"{len(chosen):,} of {len(truth):,} rows, evenly spaced through the table.")
    return Chart("Predicted against true", plot.svg(), " ".join(said))


def _residuals(truth: np.ndarray, predicted: np.ndarray) -> Chart:
    """Errors against predictions: differences, or ratios where the values are drawn logarithmically."""
    ratio = is_logarithmic(truth, predicted)
    error = predicted / truth if ratio else predicted - truth
    across = axis_over("Predicted", predicted.tolist(), logarithmic=ratio)
    if ratio:
        widest = max(float(error.max()), 1 / float(error.min()), 1.05)
        up = axis_over("Predicted ÷ true", [1 / widest, widest], logarithmic=True)
    else:
        widest = float(np.abs(error).max()) or 1.0
        up = axis_over("Predicted − true", [-widest, widest])
    plot = Plot(across, up)
    plot.line([(across.low, float(ratio)), (across.high, float(ratio))], "guide")
    plot.cloud([(float(predicted[at]), float(error[at])) for at in _chosen(len(truth))])
    what = "Above the dashed line the prediction is too high." + (" Both axes are logarithmic." if ratio else "")
    return Chart("Errors by prediction", plot.svg(), what, (), _errors_by_prediction(truth, predicted))


def _errors_by_prediction(truth: np.ndarray, predicted: np.ndarray) -> Table:
    """Bias and mean size of the error in parts with as many rows each, by rising prediction."""
    parts = [part for part in np.array_split(np.argsort(predicted, kind="stable"), _PARTS) if len(part)]
    places = decimals(float(np.abs(predicted).max()))
    of_errors = decimals(float(np.abs(predicted - truth).mean()))
    rows = [
        [
            f"{fixed(float(predicted[part[0]]), places)} to {fixed(float(predicted[part[-1]]), places)}",
            f"{len(part):,}",
            fixed_difference(float((predicted - truth)[part].mean()), of_errors),
            fixed(float(np.abs(predicted - truth)[part].mean()), of_errors),
        ]
        for part in parts
    ]
    return Table(["Predicted", "Rows", "Mean error", "Mean absolute error"], rows, frozenset({1, 2, 3}))


def _histogram(truth: np.ndarray, predicted: np.ndarray) -> Chart:
    """How true and predicted values are spread, as outlines over the same bins."""
    logarithmic = is_logarithmic(truth, predicted)
    ends = [float(f(one)) for one in (truth, predicted) for f in (np.min, np.max)]
    across = axis_over("Value", ends, logarithmic=logarithmic)
    edges = (np.geomspace if logarithmic else np.linspace)(across.low, across.high, _BINS + 1)
    counts = [np.histogram(one, edges)[0] for one in (truth, predicted)]
    plot = Plot(across, Axis("Rows", 0, 1.06 * max(1, *(int(one.max()) for one in counts)), whole=True))
    for kind, held in zip(("second", "first"), counts, strict=True):
        outline = [(float(edges[0]), 0.0)]
        for low, high, count in zip(edges, edges[1:], held, strict=False):
            outline += [(float(low), float(count)), (float(high), float(count))]
        plot.line([*outline, (float(edges[-1]), 0.0)], kind)
    levels = (0.05, 0.25, 0.5, 0.75, 0.95)
    places = decimals(float(np.abs(truth).max()))
    rows = [
        [f"{100 * level:.0f} %", *(fixed(float(np.quantile(one, level)), places) for one in (truth, predicted))]
        for level in levels
    ]
    table = Table(["Rows up to", "True", "Predicted"], rows, frozenset({1, 2}))
    what = "Predictions that are spread less than the truth stay near the middle."
    return Chart("Spread", plot.svg(), what, (("second", "true"), ("first", "predicted")), table)


def _by_error(finite: pl.DataFrame, truth: np.ndarray, predicted: np.ndarray, *, sign: Literal[-1, 1]) -> ListedRows:
    """The rows with the largest errors, -1, or the smallest, 1."""
    error = predicted - truth
    places = decimals(float(np.median(np.abs(truth))))
    keys = finite.get_column("key")
    rows = [
        ListedRow(
            keys[at],
            [
                fixed(float(truth[at]), places),
                fixed(float(predicted[at]), places),
                fixed_difference(float(error[at]), places),
            ],
        )
        for at in np.argsort(sign * np.abs(error), kind="stable")[:MOST_ROWS].tolist()
    ]
    return ListedRows(["True", "Predicted", "Error"], rows, frozenset({0, 1, 2}))


REPORT = NumberReport()
