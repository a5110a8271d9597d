"""The report of counts."""

from __future__ import annotations

from polyhead.kinds.targets.regression.report import NumberReport

REPORT = NumberReport()
