"""What binary and multiclass targets share."""

from __future__ import annotations

from typing import Literal

from polyhead.contracts.artifact import Record
from polyhead.kinds.base import ClassWeight


class ClassStatistics(Record):
    """Of a binary or multiclass target.

    Attributes:
        classes: In the order of the head's logits; for binary: negative, positive.
        counts: Train rows of each.
        missing: Train rows without a label.
    """

    kind: Literal["binary", "multiclass"]
    classes: list[str]
    counts: list[int]
    missing: int

    @property
    def names(self) -> list[str]:
        """What the head's logits mean."""
        return self.classes

    def weights(self, asked: ClassWeight) -> list[float]:
        """The loss weight of each class; balanced is rows / (classes * rows of the class), as in scikit-learn."""
        if asked is None:
            return [1.0] * len(self.classes)
        if isinstance(asked, dict):
            return [asked.get(label, 1.0) for label in self.classes]
        rows, present = sum(self.counts), sum(1 for count in self.counts if count)
        return [rows / (present * count) if count else 0.0 for count in self.counts]
