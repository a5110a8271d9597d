"""The report facet of every target kind."""

from __future__ import annotations

from polyhead.kinds.protocols.report import TargetReport
from polyhead.kinds.targets.binary import report as binary
from polyhead.kinds.targets.multiclass import report as multiclass
from polyhead.kinds.targets.multilabel import report as multilabel
from polyhead.kinds.targets.regression import report as regression

REPORTS: dict[str, TargetReport] = {
    "binary": binary.REPORT,
    "multiclass": multiclass.REPORT,
    "multilabel": multilabel.REPORT,
    "regression": regression.REPORT,
}
"""By kind."""
