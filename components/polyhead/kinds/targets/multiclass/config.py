"""One of several classes."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, model_validator

from polyhead.contracts.section import Data, Model
from polyhead.contracts.words import Word
from polyhead.errors import InvalidValueError
from polyhead.kinds.base import CLASS_WEIGHT, FOCAL, LABEL_SMOOTHING, ClassWeight, TargetBase
from polyhead.kinds.metrics import ACCURACY, BALANCED_ACCURACY, LOG_LOSS, MACRO_F1, ROC_AUC, Metric


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
    def _weights_name_classes(self) -> MulticlassTarget:
        if self.classes and isinstance(self.class_weight, dict):
            unknown = sorted(set(self.class_weight) - set(self.classes))
            if unknown:
                raise InvalidValueError("unknown-class", f"class_weight names {unknown}, which are not in classes")
        return self
