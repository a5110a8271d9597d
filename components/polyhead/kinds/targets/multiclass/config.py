"""One of several classes."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, model_validator

from polyhead.contracts.section import Data, Model
from polyhead.contracts.words import Word
from polyhead.kinds.base import CLASS_WEIGHT, FOCAL, LABEL_SMOOTHING, ClassWeight, TargetBase
from polyhead.kinds.metrics import ACCURACY, BALANCED_ACCURACY, LOG_LOSS, MACRO_F1, ROC_AUC, Metric
from polyhead.kinds.targets.classes import require_classes


class MulticlassTarget(TargetBase):
    """One of several classes."""

    METRICS: ClassVar[tuple[Metric, ...]] = (ACCURACY, BALANCED_ACCURACY, MACRO_F1, LOG_LOSS, ROC_AUC)
    RESAMPLES: ClassVar[bool] = True

    kind: Data[Literal["multiclass"]]
    classes: Data[list[Word] | None] = Field(
        None, min_length=2, description="All classes, in order. Default: those of the train rows, sorted."
    )
    class_weight: Model[ClassWeight] = CLASS_WEIGHT
    label_smoothing: Model[float] = LABEL_SMOOTHING
    focal: Model[float] = FOCAL

    @model_validator(mode="after")
    def _classes_go_together(self) -> MulticlassTarget:
        require_classes(self.classes, self.class_weight)
        return self
