"""The score table on a terminal: three answers, reasons for missing intervals, and where the report is."""

from __future__ import annotations

from typing import Any

import pytest

from polyhead.contracts.evaluation import EvaluationReport, HeadReport, Interval, MetricScore, ReferenceScore
from polyhead.contracts.findings import Finding
from polyhead.evaluate.gating.gate import check_gate
from polyhead.results import print_evaluation, spelled


def test_the_table_says_what_is_known_and_what_is_not(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    rare = Interval(reason="the rarest class has 5 rows here, an interval needs 10")
    close = Interval(low=-0.01, high=0.09, method="MOVER")
    metrics = {
        "accuracy": MetricScore(
            value=0.94,
            baseline=0.9,
            n=50,
            interval=Interval(low=0.84, high=0.98, method="Wilson"),
            difference=0.04,
            difference_interval=close,
            verdict="not clearly better",
        ),
        "roc_auc": MetricScore(
            value=0.95, baseline=0.5, n=50, interval=rare, difference=0.45, difference_interval=rare, verdict="better"
        ),
        "pr_auc": MetricScore(value=0.05, baseline=0.1, n=50, interval=rare, difference=-0.05, verdict="worse"),
        "log_loss": MetricScore(value=None, baseline=None),
    }
    references = {
        "linear": {"accuracy": ReferenceScore(value=0.88, verdict="better"), "roc_auc": ReferenceScore(value=0.9)},
        "boosted": {"accuracy": ReferenceScore(value=0.92, verdict="not clearly better")},
    }
    heads = {
        "returned": HeadReport(
            kind="binary", n=50, missing=3, classes=["no", "yes"], metrics=metrics, references=references
        )
    }
    verdict, gate = check_gate({"returned": {"accuracy": "beats baseline", "roc_auc": "beats baseline"}}, heads)
    report = EvaluationReport(
        split="test",
        heads=heads,
        verdict=verdict,
        gate=gate,
        rows={"test": 53},
        rows_read=60,
        rows_rejected=1,
        rejections=[],
        warnings=[],
        findings=[
            Finding(code=code, column="", count=count, rows=[], affected=count, message="", remedy="")
            for code, count in (("duplicate_rows", 5), ("duplicate_images", 1400))
        ],
    )
    print_evaluation(report, "gs://bucket/E/report.html")
    lines = capsys.readouterr().out.splitlines()
    cells = [[cell.strip() for cell in line.split("│")[1:-1]] for line in lines if line.startswith("│")]
    assert cells == [
        ["returned", "accuracy", "0.940", "0.840 to 0.980", "0.900", "≈"],
        ["binary", "roc_auc", "0.950", "none", "0.500", "✓"],
        ["n = 50", "pr_auc", "0.0500", "none", "0.100", "✗"],
        ["", "log_loss", "–", "none", "–", ""],
    ]
    assert lines[-8:] == [
        "against the baseline: ✓ better, ≈ not clearly better, ✗ worse",
        "against simple models, returned accuracy: ✓ linear 0.880, ≈ boosted 0.920",
        "no interval: returned roc_auc, returned pr_auc: the rarest class has 5 rows here, an interval needs 10",
        "  ✗ returned accuracy beats baseline (0.940): not clearly better: it differs by +0.0400, 95 % interval "
        "−0.0100 to 0.0900",
        "  ✓ returned roc_auc beats baseline (0.950)",
        "verdict: failed",
        "leakage: duplicate_rows 5, duplicate_images 1,400",
        "report:  gs://bucket/E/report.html",
    ]


def test_what_a_notebook_shows_as_text_has_no_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kernels ask for colours in all that is printed; a representation is text."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    metrics = {"accuracy": MetricScore(value=0.94, baseline=0.9, n=50, verdict="better")}
    heads = {"returned": HeadReport(kind="binary", n=50, missing=0, classes=["no", "yes"], metrics=metrics)}
    counts: dict[str, Any] = {"rows": {"test": 50}, "rows_read": 50, "rows_rejected": 0, "rejections": []}
    report = EvaluationReport(split="test", heads=heads, verdict="ungated", gate=[], warnings=[], **counts)
    text = spelled(report)
    assert "0.940" in text
    assert "\x1b" not in text
