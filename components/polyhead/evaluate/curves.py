"""Charts of a training's history."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import altair as alt

from polyhead.contracts.bundle import Epoch
from polyhead.errors import counted
from polyhead.page.charts import FIRST, SECOND, Chart, Row, finished
from polyhead.spelling import number


def score_curve(epochs: Sequence[Epoch], *, refitted: bool = False) -> Chart:
    """The joint validation score by epoch, with the best epoch marked.

    Args:
        epochs: At least one.
        refitted: As in `polyhead.contracts.bundle.ModelBundle`.
    """
    best = min(epochs, key=lambda epoch: (not math.isfinite(epoch.score), epoch.score))
    values: list[Row] = [{"epoch": epoch.epoch, "score": _finite(epoch.score)} for epoch in epochs]
    marked: list[Row] = [
        {
            "epoch": best.epoch,
            "score": _finite(best.score),
            "text": f"best: {number(best.score)}, epoch {best.epoch}",
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
    kept = (
        "All models were then fitted anew, on train and val rows, for as many epochs as the marked one is in."
        if refitted
        else "The marked epoch's weights were kept."
    )
    found_at = f"the best is {number(best.score)} in epoch {best.epoch}"
    return finished(
        alt.layer(line, dot, text),
        {"values": values, "marked": marked},
        label=f"Joint validation score over {counted(len(epochs), 'epoch')}; {found_at}.",
        caption="Mean validation loss over heads, relative to predicting the train rows' prior: lower "
        f"is better, 1.0 = no better than the prior. {kept}",
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
    return finished(
        chart,
        {"values": values},
        label=f"Training and validation loss of {head} over {counted(len(epochs), 'epoch')}.",
        caption="",
        height=150,
        max_width=480,
    )


def weight_curve(head: str, epochs: Sequence[Epoch]) -> Chart:
    """What one head's loss weighs by epoch, where that is learned.

    Args:
        head: A head that the epochs have log variances of.
        epochs: At least one.
    """
    values: list[Row] = [
        {"epoch": epoch.epoch, "weight": _finite(math.exp(-epoch.log_variances[head]))}
        for epoch in epochs
        if epoch.log_variances
    ]
    chart = (
        alt.Chart(alt.NamedData(name="values"))
        .mark_line(color=FIRST, point=alt.OverlayMarkDef(size=10) if len(epochs) <= 40 else False, strokeWidth=1.5)
        .encode(
            x=_epoch_axis(epochs),
            y=alt.Y("weight:Q").title(None).scale(zero=False).axis(tickCount=4, format=",.4~r"),
            tooltip=[
                alt.Tooltip("epoch:Q", title="Epoch"),
                alt.Tooltip("weight:Q", title="Weight", format=".4~r"),
            ],
        )
    )
    return finished(
        chart,
        {"values": values},
        label=f"Learned weight of the loss of {head} over {counted(len(epochs), 'epoch')}.",
        caption="",
        height=150,
        max_width=480,
    )


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


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
