"""The report of quantiles: that of the one next to the median."""

from __future__ import annotations

from polyhead.kinds.targets.regression.report import NumberReport

REPORT = NumberReport()
