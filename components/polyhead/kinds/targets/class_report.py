"""The report that binary, multiclass and ordinal targets share: curves, a confusion matrix, confident mistakes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import polars as pl
from markupsafe import Markup

from polyhead.contracts.evaluation import HeadReport
from polyhead.kinds.protocols.report import (
    MOST_ROWS,
    ListedRow,
    ListedRows,
    TargetReport,
    class_probabilities,
)
from polyhead.kinds.targets.rates import MOST_CURVES, Rates, curves
from polyhead.page.charts import Chart
from polyhead.page.tables import Table, short
from polyhead.spelling import percent

MOST_CLASSES = 16
_PAIRS = 10
_NAME = 40
_CELL = Markup('<span class="cell{}" style="--v:{}%">{}</span>')
FULL = 50
"""Percent of the colour in a full cell: text reads on it, on light and on dark paper."""


class ClassReport(TargetReport):
    """Of one of several classes."""

    WORST: ClassVar[str] = "Most confident mistakes"

    def charts(self, head: HeadReport, known: pl.DataFrame) -> tuple[Chart, ...]:
        """Curves, and a confusion matrix, where the report has one."""
        return (*_curves(head, known), *_confusion(head))

    def worst(self, head: HeadReport, known: pl.DataFrame) -> ListedRows:
        """Those with another class, the surest first."""
        return _surest(head.classes, known.filter(pl.col("truth") != pl.col("predicted")))

    def best(self, head: HeadReport, known: pl.DataFrame) -> ListedRows:
        """Those with their own class, the surest first."""
        return _surest(head.classes, known.filter(pl.col("truth") == pl.col("predicted")))


def _curves(head: HeadReport, known: pl.DataFrame) -> list[Chart]:
    """Of two classes that of the second, of more those of the most frequent."""
    single = len(head.classes) == 2
    counts = dict(known.get_column("truth").value_counts().iter_rows())
    frequent = sorted(head.classes, key=lambda label: -counts.get(label, 0))
    wanted = head.classes[1:] if single else frequent[: 4 * MOST_CURVES]
    rates = []
    for label in wanted:
        probabilities = known.get_column(f"p{head.classes.index(label)}").to_numpy().astype(np.float64)
        if not np.isfinite(probabilities).all():
            return []
        rates.append(Rates.of(label, (known.get_column("truth") == label).to_numpy(), probabilities))
    return curves(rates, threshold=head.thresholds.get(wanted[0]) if single else None)


def _confusion(head: HeadReport) -> list[Chart]:
    """The matrix of a few classes, and of more than two what is confused most often."""
    if not any(any(row) for row in head.confusion):
        return []
    charts = []
    if len(head.classes) <= MOST_CLASSES:
        caption = "Rows by true class, shaded by their share of it. Right predictions lie on the diagonal."
        charts.append(Chart("Confusion matrix", caption=caption, table=_matrix(head), heading="", look="matrix"))
    if len(head.classes) > 2 and (pairs := _pairs(head)).rows:
        charts.append(Chart("Confused most often", table=pairs, heading=""))
    return charts


def _matrix(head: HeadReport) -> Table:
    rows = []
    for true, (label, counts) in enumerate(zip(head.classes, head.confusion, strict=True)):
        total = sum(counts)
        cells = [
            _CELL.format(" right" if said == true else "", round(FULL * count / total) if total else 0, f"{count:,}")
            for said, count in enumerate(counts)
        ]
        rows.append([short(label, _NAME), *cells])
    columns = ["True ↓ predicted →", *(short(label, _NAME) for label in head.classes)]
    return Table(columns, rows, frozenset(range(1, len(columns))))


def _pairs(head: HeadReport) -> Table:
    counts = np.array(head.confusion)
    totals = counts.sum(axis=1)
    np.fill_diagonal(counts, 0)
    order = np.argsort(-counts, axis=None, kind="stable")[:_PAIRS]
    rows = []
    for true, said in zip(*np.unravel_index(order, counts.shape), strict=True):
        if count := int(counts[true, said]):
            names = (short(head.classes[true], _NAME), short(head.classes[said], _NAME))
            rows.append([*names, f"{count:,}", percent(count / int(totals[true]))])
    return Table(["True", "Predicted", "Rows", "Of the true class"], rows, frozenset({2, 3}))


def _surest(classes: Sequence[str], some: pl.DataFrame) -> ListedRows:
    """Of some rows those whose prediction is the most confident."""
    positions = {label: position for position, label in enumerate(classes)}
    probabilities = class_probabilities(some, classes)
    predicted = np.array([positions[label] for label in some.get_column("predicted")], dtype=np.intp)
    confidence = probabilities[np.arange(some.height), predicted]
    rows = []
    for index in np.argsort(-confidence, kind="stable")[:MOST_ROWS].tolist():
        key, truth, guess = some.select("key", "truth", "predicted").row(index)
        of_truth = float(probabilities[index, positions[truth]]) if truth in positions else None
        cells = [short(truth, _NAME), short(guess, _NAME), percent(float(confidence[index])), percent(of_truth)]
        rows.append(ListedRow(key, cells))
    return ListedRows(["True", "Predicted", "Confidence", "For the true class"], rows, frozenset({2, 3}))
