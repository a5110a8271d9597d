"""The charts of the report as Vega-Lite specifications, and the one palette that they and the page share.

No text from the table or the configuration ever becomes a field name or an expression: charts use a few
fixed field names, and classes, labels, heads and keys are values in the data or in a scale's domain.

Axes and text are drawn in `currentColor` and the two series colours read well on light and on dark paper, so
one specification serves both and the page's style sheet alone decides the theme.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import altair as alt
import numpy as np
import polars as pl

from polyhead.contracts.bundle import Epoch
from polyhead.errors import counted

FIRST, SECOND = "#2f7fc1", "#d1711c"
"""Series colours: at least 3:1 against both papers, and told apart with every common colour blindness."""

SHADE = "#185a96"
"""Colour of a full heat map cell; white text reads on it."""

LIGHT = {
    "paper": "#ffffff",
    "panel": "#f5f7f9",
    "ink": "#1c2128",
    "muted": "#57606a",
    "line": "#d6dce2",
    "link": "#0b5cad",
    "good": "#116329",
    "good-paper": "#dcf5e3",
    "bad": "#a40e26",
    "bad-paper": "#fde8e8",
}
DARK = {
    "paper": "#14171c",
    "panel": "#1c2128",
    "ink": "#e6e9ee",
    "muted": "#9da7b3",
    "line": "#333b45",
    "link": "#6cb6ff",
    "good": "#5fd07f",
    "good-paper": "#14301d",
    "bad": "#ff8f87",
    "bad-paper": "#3b191b",
}
FONT = "system-ui, -apple-system, Segoe UI, Roboto, Noto Sans, sans-serif"

CONFIG: dict[str, Any] = {
    "aria": False,
    "background": None,
    "font": FONT,
    "view": {"stroke": None},
    "axis": {
        "labelColor": "currentColor",
        "titleColor": "currentColor",
        "domainColor": "currentColor",
        "tickColor": "currentColor",
        "gridColor": "currentColor",
        "domainOpacity": 0.4,
        "tickOpacity": 0.4,
        "gridOpacity": 0.12,
        "labelFontSize": 11,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "titlePadding": 8,
    },
    "legend": {"labelColor": "currentColor", "labelFontSize": 12, "title": None, "orient": "top"},
}
"""Vega configuration of every chart; given to vega-embed once."""

MOST_CLASSES = 30
MOST_LABELS = 40
MOST_POINTS = 2_000
_COUNTED_CELLS_UP_TO = 15
_LOG_RANGE = 50.0
_WHITE_TEXT_ABOVE = 0.73

Row = dict[str, str | float | int | None]


@dataclass(frozen=True)
class Chart:
    """A chart and what stands around it.

    Attributes:
        spec: Vega-Lite specification with its data inlined.
        label: What the chart shows, for those who cannot see it.
        caption: What to know when reading it; empty where the title says it all.
        height: Room to keep for it in the page, in pixels.
        max_width: The chart is as wide as its place, but never wider than this many pixels.
    """

    spec: dict[str, Any]
    label: str
    caption: str
    height: int
    max_width: int


@dataclass(frozen=True)
class LabelScore:
    """One label of a multilabel head.

    Attributes:
        label: The label.
        precision: Share of its predictions that are right; None where it was never predicted.
        recall: Share of its rows that were found; None where no row has it.
        support: Rows that have it.
    """

    label: str
    precision: float | None
    recall: float | None
    support: int


def confusion_matrix(head: str, classes: Sequence[str], counts: Sequence[Sequence[int]]) -> Chart:
    """A heat map of counts; the shade is the share of the true class's rows.

    Args:
        head: Name of the target.
        classes: Names of the n classes.
        counts: n x n, rows by true class (first index) and predicted class.
    """
    totals = [sum(row) for row in counts]
    shown = sorted(sorted(range(len(classes)), key=lambda index: -totals[index])[:MOST_CLASSES])
    cells: list[Row] = [
        {
            "truth": classes[true],
            "predicted": classes[predicted],
            "count": counts[true][predicted],
            "share": counts[true][predicted] / totals[true] if totals[true] else 0.0,
        }
        for true in shown
        for predicted in shown
    ]
    names = [classes[index] for index in shown]
    step = 44 if len(shown) <= 8 else 32 if len(shown) <= _COUNTED_CELLS_UP_TO else 18
    axis: dict[str, Any] = {"grid": False, "ticks": False, "domain": False, "labelLimit": 110}
    base = alt.Chart(alt.NamedData(name="cells")).encode(
        x=alt.X("predicted:N")
        .title("Predicted")
        .scale(domain=names, padding=0.04)
        .axis(orient="top", labelAngle=0 if len(shown) <= 4 else -40, **axis),
        y=alt.Y("truth:N").title("True").scale(domain=names, padding=0.04).axis(**axis),
        tooltip=[
            alt.Tooltip("truth:N", title="True"),
            alt.Tooltip("predicted:N", title="Predicted"),
            alt.Tooltip("count:Q", title="Rows", format=","),
            alt.Tooltip("share:Q", title="Share of the true class", format=".1%"),
        ],
    )
    shade = alt.Opacity("share:Q").scale(domain=[0, 1], range=[0.06, 1]).legend(None)
    layers: list[alt.Chart] = [base.mark_rect(color=SHADE, cornerRadius=2).encode(opacity=shade)]
    if len(shown) <= _COUNTED_CELLS_UP_TO:
        ink = alt.when(alt.FieldGTPredicate(field="share", gt=_WHITE_TEXT_ABOVE)).then(alt.value("#ffffff"))
        layers.append(
            base.mark_text(fontSize=12).encode(
                text=alt.Text("count:Q").format(","), color=ink.otherwise(alt.value("currentColor"))
            )
        )
    caption = "Rows of the true class, shaded by their share of it; the diagonal is right."
    if len(shown) < len(classes):
        caption += f" The {len(shown)} most frequent of {len(classes):,} classes."
    right, rows = sum(counts[index][index] for index in range(len(classes))), sum(totals)
    return _chart(
        alt.layer(*layers),
        {"cells": cells},
        label=f"Confusion matrix of {head}: {right:,} of {rows:,} rows are predicted as their true class.",
        caption=caption,
        height=step * len(shown),
        max_width=max(360, 150 + 2 * step * len(shown) if len(shown) <= 8 else 160 + step * len(shown)),
    )


def label_bars(head: str, scores: Sequence[LabelScore]) -> Chart:
    """Precision and recall of each label as bars, the most frequent label first, with its number of rows.

    Args:
        head: Name of the target.
        scores: One per label.
    """
    shown = sorted(scores, key=lambda score: -score.support)[:MOST_LABELS]
    names = [score.label for score in shown]
    values: list[Row] = [
        {"label": score.label, "measure": measure, "value": value, "support": score.support}
        for score in shown
        for measure, value in (("precision", score.precision), ("recall", score.recall))
    ]
    supports: list[Row] = [{"label": score.label, "support": score.support} for score in shown]
    labels = alt.Y("label:N").title(None).scale(domain=names, paddingInner=0.25).axis(ticks=False, domain=False)
    bars = (
        alt.Chart(alt.NamedData(name="values"))
        .mark_bar(cornerRadiusEnd=2)
        .encode(
            x=alt.X("value:Q").title(None).scale(domain=[0, 1]).axis(format=".0%", tickCount=5),
            y=labels,
            yOffset=alt.YOffset("measure:N").scale(domain=["precision", "recall"]),
            color=alt.Color("measure:N").scale(domain=["precision", "recall"], range=[FIRST, SECOND]),
            tooltip=[
                alt.Tooltip("label:N", title="Label"),
                alt.Tooltip("measure:N", title="Measure"),
                alt.Tooltip("value:Q", title="Value", format=".3f"),
                alt.Tooltip("support:Q", title="Rows", format=","),
            ],
        )
    )
    support = (
        alt.Chart(alt.NamedData(name="supports"))
        .mark_text(align="left", dx=8, fontSize=11, color="currentColor")
        .encode(x=alt.value("width"), y=labels, text=alt.Text("support:Q").format(","))
    )
    caption = "At the right: test rows that have the label."
    if len(shown) < len(scores):
        caption += f" The {len(shown)} most frequent of {len(scores):,} labels."
    return _chart(
        alt.layer(bars, support),
        {"values": values, "supports": supports},
        label=f"Precision and recall of {len(shown)} labels of {head}; the numbers stand in a table below.",
        caption=caption,
        height=30 * len(shown),
        max_width=640,
    )


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
    return _chart(
        alt.layer(diagonal, dots),
        {"ends": ends, "points": sample.to_dicts()},
        label=f"Scatter plot of predicted against true {head} for {sample.height:,} rows.",
        caption=" ".join(parts),
        height=380,
        max_width=520,
    )


def score_curve(epochs: Sequence[Epoch]) -> Chart:
    """The joint validation score by epoch, with the best epoch marked.

    Args:
        epochs: At least one.
    """
    best = min(epochs, key=lambda epoch: (not math.isfinite(epoch.score), epoch.score))
    values: list[Row] = [{"epoch": epoch.epoch, "score": _finite(epoch.score)} for epoch in epochs]
    marked: list[Row] = [
        {
            "epoch": best.epoch,
            "score": _finite(best.score),
            "text": f"best: {best.score:#.3g}, epoch {best.epoch}",
        }
    ]
    x = _epoch_axis(epochs)
    scale = alt.Scale(zero=False, nice=False, padding=28)
    y = alt.Y("score:Q", title="Joint score", scale=scale, axis=alt.Axis(tickCount=5))
    tooltip = [alt.Tooltip("epoch:Q", title="Epoch"), alt.Tooltip("score:Q", title="Score", format=".4f")]
    line = (
        alt.Chart(alt.NamedData(name="values"))
        .mark_line(color=FIRST, point=alt.OverlayMarkDef(color=FIRST, size=18))
        .encode(x=x, y=y, tooltip=tooltip)
    )
    found = alt.Chart(alt.NamedData(name="marked"))
    dot = found.mark_point(color=SECOND, filled=True, size=90, opacity=1).encode(x=x, y=y, tooltip=tooltip)
    text = found.mark_text(align=_text_side(best, epochs), dy=18, fontSize=12, color="currentColor").encode(
        x=x, y=y, text="text:N"
    )
    found_at = f"the best is {best.score:#.3g} in epoch {best.epoch}"
    return _chart(
        alt.layer(line, dot, text),
        {"values": values, "marked": marked},
        label=f"Joint validation score over {counted(len(epochs), 'epoch')}; {found_at}.",
        caption="Mean validation loss over heads, relative to predicting the train rows' prior: 1 is a model "
        "that knows nothing, lower is better. The marked epoch's weights were kept.",
        height=240,
        max_width=760,
    )


def loss_curve(head: str, epochs: Sequence[Epoch]) -> Chart:
    """Training and validation loss of one head by epoch.

    Args:
        head: A head that the epochs have losses of.
        epochs: At least one.
    """
    values: list[Row] = [
        {"epoch": epoch.epoch, "loss": _finite(losses[head]), "rows": rows}
        for epoch in epochs
        for rows, losses in (("train", epoch.losses), ("val", epoch.val_losses))
        if head in losses
    ]
    chart = (
        alt.Chart(alt.NamedData(name="values"))
        .mark_line(point=alt.OverlayMarkDef(size=10) if len(epochs) <= 40 else False, strokeWidth=1.5)
        .encode(
            x=_epoch_axis(epochs),
            y=alt.Y("loss:Q").title(None).scale(zero=False).axis(tickCount=4, format=",.4~r"),
            color=alt.Color("rows:N").scale(domain=["train", "val"], range=[FIRST, SECOND]).legend(None),
            tooltip=[
                alt.Tooltip("rows:N", title="Rows"),
                alt.Tooltip("epoch:Q", title="Epoch"),
                alt.Tooltip("loss:Q", title="Loss", format=".4~r"),
            ],
        )
    )
    return _chart(
        chart,
        {"values": values},
        label=f"Training and validation loss of {head} over {counted(len(epochs), 'epoch')}.",
        caption="",
        height=150,
        max_width=480,
    )


def _chart(
    chart: alt.Chart | alt.LayerChart | alt.FacetChart,
    datasets: dict[str, list[Row]],
    *,
    label: str,
    caption: str,
    height: int,
    max_width: int,
) -> Chart:
    fitted = chart.properties(
        width="container", height=height, autosize=alt.AutoSizeParams(type="fit-x", contains="padding")
    )
    return Chart(fitted.to_dict() | {"datasets": datasets}, label, caption, height, max_width)


def _text_side(epoch: Epoch, epochs: Sequence[Epoch]) -> Literal["left", "center", "right"]:
    """How to align a text at an epoch so that it stays within the chart."""
    first, last = epochs[0].epoch, epochs[-1].epoch
    share = (epoch.epoch - first) / (last - first) if last > first else 0.5
    return "left" if share < 0.2 else "right" if share > 0.8 else "center"


def _epoch_axis(epochs: Sequence[Epoch]) -> alt.X:
    first, last = epochs[0].epoch, epochs[-1].epoch
    margin = 0.5 if first == last else 0
    return (
        alt.X("epoch:Q")
        .title("Epoch")
        .scale(domain=[first - margin, last + margin], nice=False)
        .axis(format="d", tickMinStep=1, tickCount=6, grid=False)
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


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
