"""One of several classes that are ordered."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, model_validator

from polyhead.contracts.section import Data, Model
from polyhead.contracts.words import Word
from polyhead.kinds.base import CLASS_WEIGHT, CONFIDENCE, ClassWeight, Confidence, TargetBase
from polyhead.kinds.metrics import ACCURACY, BRIER, LOG_LOSS, MAE, QWK, Metric
from polyhead.kinds.targets.classes import require_classes


class OrdinalTarget(TargetBase):
    """One of several classes that are ordered."""

    METRICS: ClassVar[tuple[Metric, ...]] = (QWK, MAE, ACCURACY, LOG_LOSS, BRIER)

    RESAMPLES: ClassVar[bool] = True

    kind: Data[Literal["ordinal"]]
    classes: Data[list[Word] | None] = Field(
        None,
        min_length=2,
        description="All classes, from the lowest to the highest. Default: the whole numbers of the train rows; "
        "classes that are no whole numbers have to be listed.",
    )
    class_weight: Model[ClassWeight] = CLASS_WEIGHT
    confidence: Confidence = CONFIDENCE

    @model_validator(mode="after")
    def _classes_go_together(self) -> OrdinalTarget:
        require_classes(self.classes, self.class_weight)
        return self
