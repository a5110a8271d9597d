"""Any number of labels at once."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from polyhead.contracts.artifact import Record
from polyhead.contracts.section import Data, Model
from polyhead.contracts.words import Word
from polyhead.kinds.base import (
    CLASS_WEIGHT,
    DECIDE,
    FOCAL,
    LABEL_SMOOTHING,
    ClassWeight,
    Decide,
    TargetBase,
    effective_weights,
)
from polyhead.kinds.metrics import ACCURACY, BRIER, LOG_LOSS, MACRO_F1, PR_AUC, ROC_AUC, WEIGHTED_F1, Metric


class MultilabelTarget(TargetBase):
    """Any number of labels at once. `[]` is the empty set; an empty cell is a missing label."""

    METRICS: ClassVar[tuple[Metric, ...]] = (ACCURACY, MACRO_F1, WEIGHTED_F1, LOG_LOSS, BRIER, ROC_AUC, PR_AUC)

    kind: Data[Literal["multilabel"]]
    separator: Data[str] = Field("|", min_length=1, description="What separates labels in a text cell.")
    labels: Data[list[Word] | None] = Field(
        None, min_length=1, description="All labels, in order. Default: those of the train rows, sorted."
    )
    class_weight: Model[ClassWeight] = CLASS_WEIGHT
    label_smoothing: Model[float] = LABEL_SMOOTHING
    focal: Model[float] = FOCAL
    decide: Model[Decide] = DECIDE


class LabelStatistics(Record):
    """Of a multilabel target.

    Attributes:
        labels: In the order of the head's logits.
        counts: Train rows that have each.
        masses: What the train rows that have each weigh by their row weights, whose mean is 1; None without any.
        rows: Train rows with a known set, the empty set included.
        missing: Train rows without a set.
    """

    kind: Literal["multilabel"] = "multilabel"
    labels: list[str]
    counts: list[int]
    masses: list[float] | None = None
    rows: int
    missing: int

    @property
    def names(self) -> list[str]:
        """What the head's logits mean."""
        return self.labels

    @property
    def mass(self) -> list[float]:
        """What the train rows that have each label weigh: their number, or `masses`; those of a known set `rows`."""
        return list(map(float, self.counts)) if self.masses is None else self.masses

    def weights(self, asked: ClassWeight) -> tuple[list[float], list[float]]:
        """The loss weights of each label: of the rows that have it, and of those that lack it.

        `balanced` weighs a label's positives by rows / (2 * positives) and its negatives likewise, `effective_number`
        by their effective numbers (`polyhead.kinds.base.effective_weights`); a weight per label multiplies that label's
        positives.
        """
        if asked == "balanced":
            positive = [self.rows / (2 * count) if count else 0.0 for count in self.counts]
            return positive, [self.rows / (2 * (self.rows - n)) if self.rows > n else 0.0 for n in self.counts]
        if asked == "effective_number":
            both = [effective_weights([count, self.rows - count]) for count in self.counts]
            return [positive for positive, _ in both], [negative for _, negative in both]
        given = asked or {}
        return [given.get(label, 1.0) for label in self.labels], [1.0] * len(self.labels)
