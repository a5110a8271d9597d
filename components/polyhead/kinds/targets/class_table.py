"""What columns of binary and multiclass targets share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from polyhead.kinds.protocols.table import TargetTable
from polyhead.kinds.summaries import ClassSummary
from polyhead.kinds.targets.binary.config import BinaryTarget
from polyhead.kinds.targets.multiclass.config import MulticlassTarget

T = TypeVar("T", bound=BinaryTarget | MulticlassTarget)


class ClassTable(TargetTable[T]):
    """One word a cell, of few."""

    single = True
    repeats = True

    def summary(self) -> ClassSummary:
        return ClassSummary()

    def gated(self, options: Mapping[str, object]) -> str | None:
        """Where classes are weighted, a metric that does not hang on a threshold."""
        return "roc_auc" if options.get("class_weight") else None
