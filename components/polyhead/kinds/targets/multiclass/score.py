"""The scores of multiclass targets."""

from __future__ import annotations

from polyhead.kinds.targets.class_score import CLASS_MEASURES, ClassScore
from polyhead.kinds.targets.multiclass.config import MulticlassTarget
from polyhead.kinds.targets.probabilities import ROC

SCORE = ClassScore(MulticlassTarget.METRICS, [*CLASS_MEASURES, ROC.over_all()])
