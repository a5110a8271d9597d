"""Findings on a terminal."""

from __future__ import annotations

from collections.abc import Iterable

from polyhead.contracts.findings import Finding
from polyhead.progress import say


def tell_findings(findings: Iterable[Finding]) -> None:
    """Say what was found, a line each, with its code and what to do."""
    for finding in findings:
        say(f"leakage: {finding.message} [{finding.code}]; {finding.remedy}")
