"""The report that binary, multiclass and ordinal targets share: a confusion matrix, and the most confident mistakes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import altair as alt
import numpy as np
import polars as pl

from polyhead.contracts.evaluation import HeadReport
from polyhead.kinds.protocols.report import WORST_ROWS, Analysis, TargetReport, class_probabilities
from polyhead.page.charts import SHADE, Chart, Row, finished
from polyhead.page.tables import Table, short
from polyhead.spelling import number

MOST_CLASSES = 30
_COUNTED_CELLS_UP_TO = 15
_WHITE_TEXT_ABOVE = 0.73


class ClassReport(TargetReport):
    """Of one of several classes."""

    WORST: ClassVar[str] = "Most confident mistakes"

    def analyse(self, name: str, head: HeadReport, known: pl.DataFrame) -> Analysis:
        """A confusion matrix, where the report has one."""
        drawable = any(any(row) for row in head.confusion)
        chart = confusion_matrix(name, head.classes, head.confusion) if drawable else None
        return Analysis(
            chart,
            details=_confusion_table(head) if chart and len(head.classes) <= MOST_CLASSES else None,
            worst=_confident_mistakes(head.classes, known.filter(pl.col("truth") != pl.col("predicted"))),
        )


def _confusion_table(head: HeadReport) -> Table:
    rows = [[label, *(f"{n:,}" for n in counts)] for label, counts in zip(head.classes, head.confusion, strict=True)]
    return Table(["True \\ predicted", *head.classes], rows, frozenset(range(1, len(head.classes) + 1)))


def _confident_mistakes(classes: Sequence[str], wrong: pl.DataFrame) -> Table:
    positions = {label: position for position, label in enumerate(classes)}
    probabilities = class_probabilities(wrong, classes)
    predicted = np.array([positions[label] for label in wrong.get_column("predicted")], dtype=np.intp)
    confidence = probabilities[np.arange(wrong.height), predicted]
    rows = []
    for index in np.argsort(-confidence, kind="stable")[:WORST_ROWS].tolist():
        key, truth, guess = wrong.select("key", "truth", "predicted").row(index)
        of_truth = float(probabilities[index, positions[truth]]) if truth in positions else None
        rows.append([short(key), truth, guess, number(float(confidence[index])), number(of_truth)])
    return Table(["Key", "True", "Predicted", "Confidence", "Probability of true"], rows, frozenset({3, 4}))


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
    caption = "Rows of the true class, shaded by their share of it; the diagonal holds correct predictions."
    if len(shown) < len(classes):
        caption += f" The {len(shown)} most frequent of {len(classes):,} classes."
    right, rows = sum(counts[index][index] for index in range(len(classes))), sum(totals)
    return finished(
        alt.layer(*layers),
        {"cells": cells},
        label=f"Confusion matrix of {head}: {right:,} of {rows:,} rows are predicted as their true class.",
        caption=caption,
        height=step * len(shown),
        max_width=max(360, 150 + 2 * step * len(shown) if len(shown) <= 8 else 160 + step * len(shown)),
    )
