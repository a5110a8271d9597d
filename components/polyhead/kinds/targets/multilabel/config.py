"""Any number of labels at once."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from polyhead.contracts.artifact import Record
from polyhead.contracts.section import Data, Model
from polyhead.contracts.words import Word
from polyhead.kinds.base import CLASS_WEIGHT, ClassWeight, TargetBase


class MultilabelTarget(TargetBase):
    """Any number of labels at once. `[]` is the empty set; an empty cell is a missing label."""

    METRICS: ClassVar[tuple[str, ...]] = ("accuracy", "macro_f1", "log_loss", "roc_auc", "pr_auc")

    kind: Data[Literal["multilabel"]]
    separator: Data[str] = Field("|", min_length=1, description="What stands between labels in a text cell.")
    labels: Data[list[Word] | None] = Field(
        None, min_length=1, description="All labels, in order. Default: those of the train rows, sorted."
    )
    class_weight: Model[ClassWeight] = CLASS_WEIGHT


class LabelStatistics(Record):
    """Of a multilabel target.

    Attributes:
        labels: In the order of the head's logits.
        counts: Train rows that have each.
        rows: Train rows with a known set, the empty set included.
        positive_weights: Loss weight of a row that has the label.
        negative_weights: Loss weight of a row that lacks it.
        missing: Train rows without a set.
    """

    kind: Literal["multilabel"] = "multilabel"
    labels: list[str]
    counts: list[int]
    rows: int
    positive_weights: list[float]
    negative_weights: list[float]
    missing: int
