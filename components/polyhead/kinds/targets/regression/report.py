"""The report of regression targets: predicted against true values, and the largest errors."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import altair as alt
import numpy as np
import polars as pl

from polyhead.contracts.evaluation import HeadReport
from polyhead.kinds.protocols.report import WORST_ROWS, Analysis, TargetReport
from polyhead.page.charts import FIRST, Chart, Row, finished
from polyhead.page.tables import Table, short
from polyhead.spelling import number, signed

MOST_POINTS = 2_000
_LOG_RANGE = 50.0


class NumberReport(TargetReport):
    """Of a number."""

    WORST: ClassVar[str] = "Largest errors"

    def analyse(self, name: str, head: HeadReport, known: pl.DataFrame) -> Analysis:
        """A scatter plot; rows that are not finite are left out."""
        finite = known.filter(pl.col("truth").is_finite() & pl.col("predicted").is_finite())
        if finite.is_empty():
            return Analysis()
        wrong = finite.with_columns(error=pl.col("predicted") - pl.col("truth"))
        worst = wrong.sort(pl.col("error").abs(), descending=True, maintain_order=True).head(WORST_ROWS)
        rows = [
            [short(key), number(truth), number(predicted), signed(error)]
            for key, truth, predicted, error in worst.select("key", "truth", "predicted", "error").iter_rows()
        ]
        table = Table(["Key", "True", "Predicted", "Error"], rows, frozenset({1, 2, 3}))
        return Analysis(scatter(name, finite.select("key", "truth", "predicted")), worst=table)


def scatter(head: str, points: pl.DataFrame) -> Chart:
    """Predicted against true values with the diagonal, on log axes where the values span a wide range.

    Args:
        head: Name of the target.
        points: At least one row of `key` string, `truth` and `predicted` float64, all finite.
    """
    chosen = np.unique(np.linspace(0, points.height - 1, min(points.height, MOST_POINTS)).round().astype(int))
    sample = points[chosen.tolist()]
    smallest, largest = _range(points)
    logarithmic = smallest > 0 and largest / smallest > _LOG_RANGE
    low, high = _padded(smallest, largest, logarithmic=logarithmic)
    scale = alt.Scale(type="log" if logarithmic else "linear", domain=[low, high], nice=False)
    axis: dict[str, Any] = {"format": "~s" if largest >= 10_000 else ",.4~r", "labelOverlap": True}
    axis |= {"values": _log_ticks(low, high)} if logarithmic else {"tickCount": 5}
    dots = (
        alt.Chart(alt.NamedData(name="points"))
        .mark_circle(color=FIRST, size=24, opacity=0.5, clip=True)
        .encode(
            x=alt.X("truth:Q", title="True", scale=scale, axis=alt.Axis(**axis)),
            y=alt.Y("predicted:Q", title="Predicted", scale=scale, axis=alt.Axis(**axis)),
            tooltip=[
                alt.Tooltip("key:N", title="Key"),
                alt.Tooltip("truth:Q", title="True", format=",.4~r"),
                alt.Tooltip("predicted:Q", title="Predicted", format=",.4~r"),
            ],
        )
    )
    ends: list[Row] = [{"truth": low, "predicted": low}, {"truth": high, "predicted": high}]
    diagonal = (
        alt.Chart(alt.NamedData(name="ends"))
        .mark_line(color="currentColor", opacity=0.55, strokeDash=[4, 4], strokeWidth=1)
        .encode(x="truth:Q", y="predicted:Q")
    )
    parts = ["Each dot is a row; on the dashed line the prediction is exact."]
    if logarithmic:
        parts.append("Both axes are logarithmic.")
    if sample.height < points.height:
        parts.append(f"{sample.height:,} of {points.height:,} rows, evenly spaced through the table.")
    return finished(
        alt.layer(diagonal, dots),
        {"ends": ends, "points": sample.to_dicts()},
        label=f"Scatter plot of predicted against true {head} for {sample.height:,} rows.",
        caption=" ".join(parts),
        height=380,
        max_width=520,
    )


def _range(points: pl.DataFrame) -> tuple[float, float]:
    values = points.select("truth", "predicted").to_numpy()
    return float(values.min()), float(values.max())


def _padded(low: float, high: float, *, logarithmic: bool) -> tuple[float, float]:
    """The range with 3 % of room at both ends."""
    if logarithmic:
        factor = (high / low) ** 0.03
        return low / factor, high * factor
    room = 0.03 * (high - low) or max(abs(high), 1.0) * 0.03
    return low - room, high + room


def _log_ticks(low: float, high: float) -> list[float]:
    """Powers of ten within the range, with steps between them where there are few."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    powers = [10.0**decade for decade in decades if low <= 10.0**decade <= high]
    steps = (1, 2, 5) if len(powers) < 3 else (1, 3) if len(powers) < 5 else (1,)
    return [step * 10.0**decade for decade in decades for step in steps if low <= step * 10.0**decade <= high]


REPORT = NumberReport()
