"""The report of multilabel targets: precision and recall by label, and the most confident wrong labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import altair as alt
import numpy as np
import polars as pl

from polyhead.contracts.evaluation import HeadReport
from polyhead.intervals.method import Booleans
from polyhead.kinds.protocols.report import WORST_ROWS, Analysis, TargetReport, class_probabilities
from polyhead.page.charts import FIRST, SECOND, Chart, Row, finished
from polyhead.page.tables import Table, short
from polyhead.spelling import number

MOST_LABELS = 40


@dataclass(frozen=True)
class PrecisionRecall:
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


class LabelReport(TargetReport):
    """Of any number of labels."""

    WORST: ClassVar[str] = "Most confident mistakes"

    def analyse(self, name: str, head: HeadReport, known: pl.DataFrame) -> Analysis:
        """A bar chart."""
        labels = head.classes
        has, said = _membership(known, "truth", labels), _membership(known, "predicted", labels)
        scores = [_label_score(label, has[:, place], said[:, place]) for place, label in enumerate(labels)]
        rows = [[score.label, number(score.precision), number(score.recall), f"{score.support:,}"] for score in scores]
        return Analysis(
            label_bars(name, scores),
            details=Table(["Label", "Precision", "Recall", "Rows"], rows, frozenset({1, 2, 3})),
            worst=_wrong_labels(labels, known, has, said),
        )


def _membership(known: pl.DataFrame, column: str, labels: Sequence[str]) -> Booleans:
    """Rows x labels: whether the row's set holds the label."""
    sets = known.get_column(column)
    return np.column_stack([sets.list.contains(pl.lit(label)).fill_null(False).to_numpy() for label in labels])


def _label_score(label: str, has: Booleans, said: Booleans) -> PrecisionRecall:
    right, support, guesses = int((has & said).sum()), int(has.sum()), int(said.sum())
    return PrecisionRecall(label, right / guesses if guesses else None, right / support if support else None, support)


def _wrong_labels(
    labels: Sequence[str],
    known: pl.DataFrame,
    has: Booleans,
    said: Booleans,
) -> Table:
    """The rows with the most confident wrong label, each with that label and its probability."""
    probabilities = class_probabilities(known, labels)
    error = np.where(has != said, np.abs(has - probabilities), -1.0)
    largest = error.max(axis=1)
    rows = []
    for index in np.argsort(-largest, kind="stable")[:WORST_ROWS].tolist():
        if largest[index] < 0:
            break
        key, truth, guess = known.select("key", "truth", "predicted").row(index)
        place = int(error[index].argmax())
        what = "missed" if has[index, place] else "added"
        rows.append(
            [
                short(key),
                short(", ".join(truth)) or "none",
                short(", ".join(guess)) or "none",
                f"{what} {labels[place]}",
                number(float(probabilities[index, place])),
            ]
        )
    return Table(["Key", "True", "Predicted", "Worst label", "Its probability"], rows, frozenset({4}))


def label_bars(head: str, scores: Sequence[PrecisionRecall]) -> Chart:
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
    return finished(
        alt.layer(bars, support),
        {"values": values, "supports": supports},
        label=f"Precision and recall of {len(shown)} labels of {head}; the numbers are in a table below.",
        caption=caption,
        height=30 * len(shown),
        max_width=640,
    )


REPORT = LabelReport()
