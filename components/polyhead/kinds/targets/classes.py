"""What binary and multiclass targets share."""

from __future__ import annotations

from typing import Literal

from polyhead.contracts.artifact import Record


class ClassStatistics(Record):
    """Of a binary or multiclass target.

    Attributes:
        classes: In the order of the head's logits; for binary: negative, positive.
        counts: Train rows of each.
        weights: Loss weight of each, 1.0 where the config asks for none.
        missing: Train rows without a label.
    """

    kind: Literal["binary", "multiclass"]
    classes: list[str]
    counts: list[int]
    weights: list[float]
    missing: int
