"""One of two labels."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from polyhead.contracts.section import Data, Fit, Model
from polyhead.contracts.words import Word
from polyhead.kinds.base import CLASS_WEIGHT, ClassWeight, TargetBase


class BinaryTarget(TargetBase):
    """One of two labels."""

    METRICS: ClassVar[tuple[str, ...]] = ("accuracy", "balanced_accuracy", "macro_f1", "log_loss", "roc_auc", "pr_auc")

    kind: Data[Literal["binary"]]
    positive: Fit[Word | None] = Field(
        None,
        description="The label that counts as positive. Default: the second of 0/1, false/true, no/yes, "
        "n/y, f/t; otherwise the rarer one in the train rows.",
    )
    class_weight: Model[ClassWeight] = CLASS_WEIGHT
