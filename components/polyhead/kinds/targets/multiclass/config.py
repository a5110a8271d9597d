"""One of several classes."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, model_validator

from polyhead.contracts.section import Data, Model
from polyhead.contracts.words import Word
from polyhead.kinds.base import CLASS_WEIGHT, CONFIDENCE, FOCAL, LABEL_SMOOTHING, ClassWeight, Confidence, TargetBase
from polyhead.kinds.metrics import (
    ACCURACY,
    BALANCED_ACCURACY,
    BRIER,
    LOG_LOSS,
    MACRO_F1,
    MCC,
    ROC_AUC,
    TOP_3_ACCURACY,
    WEIGHTED_F1,
    Metric,
)
from polyhead.kinds.targets.classes import require_classes


class MulticlassTarget(TargetBase):
    """One of several classes."""

    METRICS: ClassVar[tuple[Metric, ...]] = (
        ACCURACY,
        BALANCED_ACCURACY,
        TOP_3_ACCURACY,
        MACRO_F1,
        WEIGHTED_F1,
        MCC,
        LOG_LOSS,
        BRIER,
        ROC_AUC,
    )
    RESAMPLES: ClassVar[bool] = True

    kind: Data[Literal["multiclass"]]
    classes: Data[list[Word] | None] = Field(
        None, min_length=2, description="All classes, in order. Default: those of the train rows, sorted."
    )
    class_weight: Model[ClassWeight] = CLASS_WEIGHT
    label_smoothing: Model[float] = LABEL_SMOOTHING
    focal: Model[float] = FOCAL
    confidence: Confidence = CONFIDENCE

    @model_validator(mode="after")
    def _classes_go_together(self) -> MulticlassTarget:
        require_classes(self.classes, self.class_weight)
        return self
