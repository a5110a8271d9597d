"""The report of ordinal targets."""

from __future__ import annotations

from polyhead.kinds.targets.class_report import ClassReport

REPORT = ClassReport()
