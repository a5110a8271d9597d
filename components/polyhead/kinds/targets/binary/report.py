"""The report of binary targets."""

from __future__ import annotations

from polyhead.kinds.targets.class_report import ClassReport

REPORT = ClassReport()
