"""The contract of `evaluate`: every prediction, exact metrics beside a trivial baseline, and the verdict.

<out>/EvaluationReport.json
<out>/predictions.parquet   `key` string, then per head: `<head>.true`, `<head>.predicted` and, for classes,
                            `<head>.probability.<class>`
<out>/report.html           one file that opens offline
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from polyhead.contracts.artifact import Contract, Record
from polyhead.contracts.validation import Rejection

PREDICTIONS_TABLE = "predictions.parquet"
REPORT_PAGE = "report.html"

Verdict = Literal["passed", "failed", "ungated"]


class Metric(Record):
    """One number of one head.

    Attributes:
        value: On the test rows whose target is known; None where it is not defined, such as the ROC AUC of a
            test split with one class.
        baseline: The same metric of the trivial prediction: the train rows' class frequencies, or their median.
        low: Lower end of the 95 % bootstrap interval of `value`; None without resamples.
        high: Upper end.
    """

    value: float | None
    baseline: float | None
    low: float | None = None
    high: float | None = None


class SliceScore(Record):
    """A head's headline metric on the rows with one value of a category feature."""

    feature: str
    value: str
    n: int
    metric: str
    score: float | None


class HeadReport(Record):
    """One head on the test rows.

    Attributes:
        kind: The target's kind.
        n: Test rows whose target is known; the metrics are over these.
        missing: Test rows whose target is missing.
        classes: Classes or labels in the order of the logits; empty for regression.
        metrics: By name, in the order of `polyhead.contracts.targets.METRICS`.
        confusion: For binary and multiclass: rows by true class (first index) and predicted class.
        slices: The headline metric by slice.
        notes: What to know when reading the numbers.
    """

    kind: str
    n: int
    missing: int
    classes: list[str]
    metrics: dict[str, Metric]
    confusion: list[list[int]] = Field([])
    slices: list[SliceScore] = Field([])
    notes: list[str] = Field([])


class GateCheck(Record):
    """One rule of the config's gate and how it went.

    Attributes:
        head: The target.
        metric: The metric.
        rule: As written in the config.
        value: What was measured.
        passed: Whether the rule holds. An undefined metric never passes.
    """

    head: str
    metric: str
    rule: str
    value: float | None
    passed: bool


class EvaluationReport(Contract):
    """How good the model is.

    Attributes:
        split: The split that was evaluated.
        heads: By target name, in the config's order.
        verdict: passed, failed, or ungated where the config has no gate.
        gate: Every rule, in the config's order.
        rows: Rows in each split.
        rows_read: Rows that the table had.
        rows_rejected: Rows that were rejected on the way.
        rejections: Why.
        warnings: From all steps.
    """

    split: str
    heads: dict[str, HeadReport]
    verdict: Verdict
    gate: list[GateCheck]
    rows: dict[str, int]
    rows_read: int
    rows_rejected: int
    rejections: list[Rejection]
    warnings: list[str]

    def flat_metrics(self) -> dict[str, float]:
        """Every defined metric as `<head>.<metric>`, finite Python floats only, for systems that take flat names."""
        return {
            f"{head}.{name}": metric.value
            for head, report in self.heads.items()
            for name, metric in report.metrics.items()
            if metric.value is not None
        }

    @classmethod
    def made_by(cls) -> str:
        """The command that writes this artifact."""
        return "polyhead evaluate"
