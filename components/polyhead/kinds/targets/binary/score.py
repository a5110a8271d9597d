"""The scores of binary targets."""

from __future__ import annotations

from polyhead.kinds.targets.binary.config import BinaryTarget
from polyhead.kinds.targets.class_score import CLASS_MEASURES, ClassScore
from polyhead.kinds.targets.probabilities import PR, ROC

SCORE = ClassScore(BinaryTarget.METRICS, [*CLASS_MEASURES, ROC.of_positive(), PR.of_positive()])
