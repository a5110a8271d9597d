"""One of two labels."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from polyhead.contracts.section import Data, Fit, Model
from polyhead.contracts.words import Word
from polyhead.kinds.base import (
    CLASS_WEIGHT,
    CONFIDENCE,
    DECIDE,
    FOCAL,
    LABEL_SMOOTHING,
    ClassWeight,
    Confidence,
    Decide,
    TargetBase,
)
from polyhead.kinds.metrics import (
    ACCURACY,
    BALANCED_ACCURACY,
    BRIER,
    F1,
    LOG_LOSS,
    MACRO_F1,
    MCC,
    PR_AUC,
    ROC_AUC,
    Metric,
)


class BinaryTarget(TargetBase):
    """One of two labels."""

    METRICS: ClassVar[tuple[Metric, ...]] = (
        ACCURACY,
        BALANCED_ACCURACY,
        F1,
        MACRO_F1,
        MCC,
        LOG_LOSS,
        BRIER,
        ROC_AUC,
        PR_AUC,
    )
    RESAMPLES: ClassVar[bool] = True

    kind: Data[Literal["binary"]]
    positive: Fit[Word | None] = Field(
        None,
        description="The label that counts as positive. Default: the second of 0/1, false/true, no/yes, "
        "n/y, f/t, off/on; otherwise the rarer one in the train rows.",
    )
    class_weight: Model[ClassWeight] = CLASS_WEIGHT
    label_smoothing: Model[float] = LABEL_SMOOTHING
    focal: Model[float] = FOCAL
    decide: Model[Decide] = DECIDE
    confidence: Confidence = CONFIDENCE
