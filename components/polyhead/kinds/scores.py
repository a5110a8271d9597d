"""The score facet of every target kind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict, cast

from polyhead.kinds.protocols.score import TargetScore
from polyhead.kinds.targets.binary import score as binary
from polyhead.kinds.targets.class_score import ClassScore
from polyhead.kinds.targets.count import score as count
from polyhead.kinds.targets.multiclass import score as multiclass
from polyhead.kinds.targets.multilabel import score as multilabel
from polyhead.kinds.targets.ordinal import score as ordinal
from polyhead.kinds.targets.quantile import score as quantile
from polyhead.kinds.targets.regression import score as regression
from polyhead.kinds.targets.regressions import score as regressions
from polyhead.kinds.union import TargetStatistics


class _Scores(TypedDict):
    binary: ClassScore
    multiclass: ClassScore
    multilabel: multilabel.LabelScore
    regression: regression.RegressionScore
    ordinal: ordinal.OrdinalScore
    count: count.CountScore
    quantile: quantile.QuantileScore
    regressions: regressions.RegressionsScore


_SCORES: _Scores = {
    "binary": binary.SCORE,
    "multiclass": multiclass.SCORE,
    "multilabel": multilabel.SCORE,
    "regression": regression.SCORE,
    "ordinal": ordinal.SCORE,
    "count": count.SCORE,
    "quantile": quantile.SCORE,
    "regressions": regressions.SCORE,
}

SCORES = cast("Mapping[str, TargetScore[Any, Any, Any]]", _SCORES)
"""The score facet of every target kind, by kind."""


def score_of(statistics: TargetStatistics) -> TargetScore[Any, Any, Any]:
    """The score facet of a target's kind. A kind without one is a type error here."""
    return _SCORES[statistics.kind]
