"""The report of multilabel targets: curves by label, and the most confident wrong labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import polars as pl

from polyhead.contracts.evaluation import HeadReport
from polyhead.intervals.method import Booleans
from polyhead.kinds.protocols.report import (
    MOST_ROWS,
    ListedRow,
    ListedRows,
    TargetReport,
    class_probabilities,
)
from polyhead.kinds.targets.rates import Rates, curves
from polyhead.page.charts import Chart
from polyhead.page.tables import short
from polyhead.spelling import percent

_LABEL = 40


class LabelReport(TargetReport):
    """Of any number of labels."""

    WORST: ClassVar[str] = "Most confident mistakes"
    NOUN: ClassVar[str] = "label"

    def charts(self, head: HeadReport, known: pl.DataFrame) -> tuple[Chart, ...]:
        """Curves of the most frequent labels."""
        labels, probabilities = head.classes, class_probabilities(known, head.classes)
        has, finite = _membership(known, "truth", labels), bool(np.isfinite(probabilities).all())
        rates = [Rates.of(label, has[:, at], probabilities[:, at]) for at, label in enumerate(labels)] if finite else []
        return tuple(curves(rates, of="label"))

    def worst(self, head: HeadReport, known: pl.DataFrame) -> ListedRows:
        """Those with a wrong label, the surest first."""
        has, said, probabilities = _labelled(head, known)
        wrong = np.where(has != said, np.abs(has - probabilities), -1.0)
        order = np.argsort(-wrong.max(axis=1), kind="stable")[: int((wrong >= 0).any(1).sum())]
        return _labels(head.classes, known, has, said, probabilities, wrong, order)

    def best(self, head: HeadReport, known: pl.DataFrame) -> ListedRows:
        """Those whose least sure label is the surest, each with that label."""
        has, said, probabilities = _labelled(head, known)
        error = np.abs(has - probabilities)
        order = np.argsort(error.max(axis=1), kind="stable")
        return _labels(head.classes, known, has, said, probabilities, error, order)


def _labelled(head: HeadReport, known: pl.DataFrame) -> tuple[Booleans, Booleans, np.ndarray]:
    """Rows x labels: whether the row has the label, whether it was given it, and with which probability."""
    has, said = (_membership(known, column, head.classes) for column in ("truth", "predicted"))
    return has, said, class_probabilities(known, head.classes)


def _membership(known: pl.DataFrame, column: str, labels: Sequence[str]) -> Booleans:
    """Rows x labels: whether the row's set holds the label."""
    sets = known.get_column(column)
    return np.column_stack([sets.list.contains(pl.lit(label)).fill_null(False).to_numpy() for label in labels])


def _labels(
    labels: Sequence[str],
    known: pl.DataFrame,
    has: Booleans,
    said: Booleans,
    probabilities: np.ndarray,
    error: np.ndarray,
    order: np.ndarray,
) -> ListedRows:
    """Rows in an order, each with the label whose error is the largest."""
    rows = []
    for index in order[:MOST_ROWS].tolist():
        key, truth, guess = known.select("key", "truth", "predicted").row(index)
        place = int(error[index].argmax())
        is_wrong = has[index, place] != said[index, place]
        what = ("missed " if has[index, place] else "added ") if is_wrong else ""
        cells = [
            short(", ".join(truth)) or "none",
            short(", ".join(guess)) or "none",
            f"{what}{short(labels[place], _LABEL)}",
            percent(float(probabilities[index, place])),
        ]
        rows.append(ListedRow(key, cells))
    return ListedRows(["True", "Predicted", "Worst label", "Its probability"], rows, frozenset({3}))


REPORT = LabelReport()
