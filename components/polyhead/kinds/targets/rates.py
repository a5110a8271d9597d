"""ROC and precision-recall curves of classes and labels, and what a threshold costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from polyhead.page.charts import Axis, Chart, Plot, thinned
from polyhead.page.colours import SERIES
from polyhead.page.tables import Table, muted, short
from polyhead.spelling import fixed, percent

MOST_CURVES = len(SERIES)
_POINTS = 120
_THRESHOLDS = tuple(n / 10 for n in range(1, 10))
_LABEL = 40


@dataclass(frozen=True)
class Rates:
    """How many rows a rising threshold finds, of one class or label.

    Attributes:
        label: The class.
        cuts: The different probabilities, float64 (k,), falling: the rows from there on are said to have the class.
        found: Rows with the class among these, float64 (k,).
        said: All rows among these, float64 (k,).
        positives: Rows with the class.
        rows: All rows.
    """

    label: str
    cuts: NDArray[np.float64]
    found: NDArray[np.float64]
    said: NDArray[np.float64]
    positives: int
    rows: int

    @classmethod
    def of(cls, label: str, has: NDArray[np.bool_], probabilities: NDArray[np.float64]) -> Rates:
        """Count.

        Args:
            label: The class.
            has: Which rows have it, bool (n,).
            probabilities: Of it, finite, float64 (n,).
        """
        order = np.argsort(-probabilities, kind="stable")
        cuts, hits = probabilities[order], np.cumsum(has[order])
        ends = np.flatnonzero(np.append(np.diff(cuts) != 0, True))
        return cls(label, cuts[ends], hits[ends].astype(float), (ends + 1).astype(float), int(has.sum()), len(has))

    @property
    def drawable(self) -> bool:
        """Whether there are rows with the class and rows without it."""
        return 0 < self.positives < self.rows

    @property
    def recall(self) -> NDArray[np.float64]:
        """The share of the rows with the class that is found, float64 (k,)."""
        return self.found / self.positives

    @property
    def false_alarms(self) -> NDArray[np.float64]:
        """The share of the rows without the class that is said to have it, float64 (k,)."""
        return (self.said - self.found) / (self.rows - self.positives)

    @property
    def precision(self) -> NDArray[np.float64]:
        """The share of those said to have the class that do, float64 (k,)."""
        return self.found / self.said

    @property
    def roc_auc(self) -> float:
        """The area under the ROC curve: how often a row with the class is above one without it."""
        return float(np.trapezoid(np.append(0.0, self.recall), np.append(0.0, self.false_alarms)))

    @property
    def pr_auc(self) -> float:
        """The average precision: precision by steps of recall."""
        return float(np.sum(np.diff(np.append(0.0, self.recall)) * self.precision))

    def at(self, threshold: float) -> tuple[int, int]:
        """Rows with the class and all rows that have at least this probability."""
        place = int(np.searchsorted(-self.cuts, -threshold, side="right")) - 1
        return (int(self.found[place]), int(self.said[place])) if place >= 0 else (0, 0)


def curves(rates: Sequence[Rates], *, threshold: float | None = None, of: str = "class") -> list[Chart]:
    """A ROC chart and a precision-recall chart, and their numbers: of one class what each threshold costs.

    Args:
        rates: Of the classes or labels; those that all or no rows have are left out, and of the others the most
            frequent are drawn.
        threshold: Of a single one, where it is decided; both curves mark it.
        of: What one is called.

    Returns:
        Nothing where no curve can be drawn.
    """
    possible = [one for one in rates if one.drawable]
    drawn = sorted(possible, key=lambda one: -one.positives)[:MOST_CURVES]
    if not drawn:
        return []
    single = len(rates) == 1
    names = () if single else tuple((kind, short(one.label, _LABEL)) for kind, one in zip(SERIES, drawn, strict=False))
    cut = f"The {len(drawn)} most frequent of {len(rates):,}." if len(drawn) < len(rates) else ""
    each = f"Each {of} against the rest. {cut}".strip() if not single else ""
    marked = "The dot is the threshold that decides." if threshold is not None else ""
    roc = Plot(Axis("False positive rate", 0, 1, percent=True), Axis("True positive rate", 0, 1, percent=True))
    roc.line([(0, 0), (1, 1)], "guide")
    pr = Plot(Axis("Recall", 0, 1, percent=True), Axis("Precision", 0, 1, percent=True))
    if single:
        share = drawn[0].positives / drawn[0].rows
        pr.line([(0, share), (1, share)], "guide")
    for kind, one in zip(SERIES, drawn, strict=False):
        roc.line(thinned(np.append(0.0, one.false_alarms), np.append(0.0, one.recall), _POINTS), kind)
        whole = int(np.argmax(one.found == one.positives)) + 1  # beyond, there is nothing left to find
        recall, precision = one.recall[:whole], one.precision[:whole]
        pr.line(thinned(np.append(0.0, recall), np.append(precision[0], precision), _POINTS), kind)
        if threshold is not None:
            found, said = one.at(threshold)
            roc.dots([((said - found) / (one.rows - one.positives), found / one.positives)], f"mark {kind}")
            if said:
                pr.dots([(found / one.positives, found / said)], f"mark {kind}")
    guess = "Dashed: what guessing gives."
    return [
        Chart("ROC curve", roc.svg(), " ".join(filter(None, [each, guess, marked])), names),
        Chart(
            "Precision and recall",
            pr.svg(),
            " ".join(filter(None, [each, guess if single else "", marked])),
            names,
            None if single else _areas(rates, of),
            "The areas as a table",
        ),
        *([_thresholds(drawn[0], threshold)] if single else []),
    ]


def _areas(rates: Sequence[Rates], of: str) -> Table:
    rows = [
        [
            short(one.label, _LABEL),
            *(
                [fixed(one.roc_auc, 3), fixed(one.pr_auc, 3)]
                if one.drawable
                else [muted("in every row" if one.positives else "in no row"), ""]
            ),
        ]
        for one in sorted(rates, key=lambda one: -one.positives)[: 4 * MOST_CURVES]
    ]
    return Table([of.capitalize(), "ROC AUC", "PR AUC"], rows, frozenset({1, 2}))


def _thresholds(one: Rates, chosen: float | None) -> Chart:
    """Of a few thresholds and the one that decides: what is found, at which price."""
    cuts = sorted({*_THRESHOLDS, *([] if chosen is None else [chosen])})
    rows = []
    for cut in cuts:
        found, said = one.at(cut)
        recall = found / one.positives
        precision = found / said if said else None
        f1 = 2 * found / (said + one.positives)
        rows.append(
            [
                fixed(cut, 3),
                f"{said:,}",
                percent(precision) if said else muted("none said"),
                percent(recall),
                percent((said - found) / (one.rows - one.positives)),
                fixed(f1, 3),
            ]
        )
    columns = ["From", "Rows said so", "Precision", "Recall", "False positive rate", "F1"]
    marked = frozenset({cuts.index(chosen)} if chosen is not None else ())
    caption = f"Rows are said to be {short(one.label, _LABEL)} from this probability on."
    decides = " The shaded line decides." if chosen is not None else ""
    table = Table(columns, rows, frozenset(range(1, 6)), marked)
    return Chart("What a threshold costs", caption=caption + decides, table=table, heading="")
