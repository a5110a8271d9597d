"""What binary, multiclass and ordinal targets share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from polyhead.contracts.artifact import Record
from polyhead.errors import InvalidValueError
from polyhead.kinds.base import ClassWeight, effective_weights

RARE = 0.25
"""Share of the rows below which all classes but the commonest are rare together."""


def require_classes(classes: Sequence[str] | None, weights: ClassWeight) -> None:
    """Refuse classes that are listed twice, and weights of others.

    Raises:
        InvalidValueError: A class is repeated, or one has a weight that is not listed.
    """
    if classes is None:
        return
    if repeated := sorted({label for label in classes if classes.count(label) > 1}):
        raise InvalidValueError("repeated-class", f"{repeated} is listed twice: name each class once")
    if isinstance(weights, dict) and (unknown := sorted(set(weights) - set(classes))):
        raise InvalidValueError("unknown-class", f"class_weight names {unknown}, which are not in classes")


class ClassStatistics(Record):
    """Of a binary, multiclass or ordinal target.

    Attributes:
        classes: In the order of the head's logits; for binary: negative, positive.
        counts: Train rows of each.
        masses: What the train rows of each weigh by their row weights, whose mean is 1; None without any.
        missing: Train rows without a label.
    """

    kind: Literal["binary", "multiclass", "ordinal"]
    classes: list[str]
    counts: list[int]
    masses: list[float] | None = None
    missing: int

    @property
    def names(self) -> list[str]:
        """What the head's logits mean."""
        return self.classes

    @property
    def mass(self) -> list[float]:
        """What the train rows of each class weigh: their number, or `masses`."""
        return list(map(float, self.counts)) if self.masses is None else self.masses

    @property
    def lopsided(self) -> bool:
        """Whether all classes but the commonest are rare, so that to say it of every row is nearly always right."""
        return max(self.mass) > (1 - RARE) * sum(self.mass)

    def weights(self, asked: ClassWeight) -> list[float]:
        """The loss weight of each class; balanced is rows / (classes * rows of the class), as in scikit-learn.

        For `effective_number` see `polyhead.kinds.base.effective_weights`.
        """
        if asked is None:
            return [1.0] * len(self.classes)
        if isinstance(asked, dict):
            return [asked.get(label, 1.0) for label in self.classes]
        if asked == "effective_number":
            return effective_weights(self.counts)
        rows, present = sum(self.counts), sum(1 for count in self.counts if count)
        return [rows / (present * count) if count else 0.0 for count in self.counts]
