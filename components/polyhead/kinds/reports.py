"""The report facet of every target kind."""

from __future__ import annotations

from polyhead.kinds.protocols.report import TargetReport
from polyhead.kinds.targets.binary import report as binary
from polyhead.kinds.targets.count import report as count
from polyhead.kinds.targets.multiclass import report as multiclass
from polyhead.kinds.targets.multilabel import report as multilabel
from polyhead.kinds.targets.ordinal import report as ordinal
from polyhead.kinds.targets.quantile import report as quantile
from polyhead.kinds.targets.regression import report as regression
from polyhead.kinds.targets.regressions import report as regressions

REPORTS: dict[str, TargetReport] = {
    "binary": binary.REPORT,
    "multiclass": multiclass.REPORT,
    "multilabel": multilabel.REPORT,
    "regression": regression.REPORT,
    "ordinal": ordinal.REPORT,
    "count": count.REPORT,
    "quantile": quantile.REPORT,
    "regressions": regressions.REPORT,
}
"""By kind."""
