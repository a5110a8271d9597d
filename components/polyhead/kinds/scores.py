"""The score facet of every target kind."""

from __future__ import annotations

from typing import Any

from polyhead.kinds.protocols.score import TargetScore
from polyhead.kinds.targets.binary import score as binary
from polyhead.kinds.targets.multiclass import score as multiclass
from polyhead.kinds.targets.multilabel import score as multilabel
from polyhead.kinds.targets.regression import score as regression

SCORES: dict[str, TargetScore[Any, Any, Any]] = {
    "binary": binary.SCORE,
    "multiclass": multiclass.SCORE,
    "multilabel": multilabel.SCORE,
    "regression": regression.SCORE,
}
"""By kind."""
