"""The contract of `evaluate`: every prediction, exact metrics beside a trivial baseline, and the verdict.

<out>/EvaluationReport.json
<out>/predictions.parquet   `key` string, then per head: `<head>.true`, `<head>.predicted` and, for classes,
                            `<head>.probability.<class>`, for quantiles `<head>.quantile.<level>`; for numbers
                            `<head>.low` and `<head>.high`, the interval, for classes `<head>.set`, the list of classes
                            that hold the true value as often as the bundle's `conformity` says, where it has a radius;
                            of heads with row weights `<head>.weight`
<out>/suspects.parquet      a line per label that the model confidently contradicts: `key`, `head`, `label` (of
                            several), `true`, `predicted` string, `score` float64; see `polyhead.kinds.suspects`
<out>/config.json           the configuration that the model was evaluated by
<out>/statistics.json       of each target, as `Preprocessing.json` has it: what its predictions are scored with
<out>/report.html           one file that opens offline
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field

from polyhead.contracts.artifact import Contract, Record, Upgrade, entries_added
from polyhead.contracts.findings import Finding
from polyhead.contracts.validation import Rejection

PREDICTIONS_TABLE = "predictions.parquet"
SUSPECTS_TABLE = "suspects.parquet"
EVALUATED_CONFIG = "config.json"
EVALUATED_STATISTICS = "statistics.json"
REPORT_PAGE = "report.html"

Verdict = Literal["passed", "failed", "ungated"]
Comparison = Literal["better", "not clearly better", "worse"]
SliceKind = Literal["value", "range", "missing", "period"]
Hiding = Literal["hidden", "permuted", "retrained"]


class Interval(Record):
    """A 95 % interval: of 100 such intervals, from 100 test splits of as many rows, 93 to 97 hold the true value.

    Attributes:
        low: Lower end; None where nothing can be promised.
        high: Upper end.
        method: How it was computed; empty without an interval. See `polyhead.intervals`.
        reason: Why there is none; empty with an interval.
    """

    low: float | None = None
    high: float | None = None
    method: str = ""
    reason: str = ""


class MetricScore(Record):
    """One number of one head.

    Attributes:
        value: On the test rows whose target is known; None where it is not defined, such as the ROC AUC of a
            test split with one class.
        baseline: The same metric of the trivial prediction: the train rows' class frequencies, median, mean or
            quantiles; with row weights the weighted frequencies, or the weighted mean on the scale that the head
            learns, turned back (of `transform: quantile` the median).
        n: The rows that it is over.
        interval: Of `value`.
        difference: `value` minus `baseline`; None where either is not defined.
        difference_interval: Of `difference`, the two on the same rows.
        verdict: Whether it is better than the baseline: `better` or `worse` only where the 95 % interval of the
            difference does not contain 0; None where either is not defined. It may be given where
            `difference_interval` is not: less is needed to tell a sign than a size.
        weighted: All of this with the rows counted by their row weights; None where the head has none. Everything else
            here counts rows alike.
    """

    value: float | None
    baseline: float | None
    n: int = 0
    interval: Interval = Interval()
    difference: float | None = None
    difference_interval: Interval = Interval()
    verdict: Comparison | None = None
    weighted: MetricScore | None = None


class WeighedSlice(Record):
    """What a slice says with its rows counted by their row weights.

    Attributes:
        score: As in `SliceScore`.
        interval: Of `score`.
        coverage: As in `SliceScore`.
    """

    score: float | None
    interval: Interval = Interval()
    coverage: float | None = None


class SliceScore(Record):
    """A head's headline metric on some of the rows.

    Attributes:
        feature: What the rows are chosen by.
        value: Of it: a category's value, or a range, a period or `missing` in words.
        kind: What `value` is.
        n: The rows whose target is known.
        metric: The metric's name.
        score: None where it is not defined on these rows.
        interval: Of `score`.
        difference: `score` minus the metric on all other rows; None where either is not defined.
        stands_out: Whether the rows are worse than the others by more than chance explains, with all slices of the
            head tried: the p-value of `difference` after Holm's correction is below 0.05.
        coverage: The share of the rows whose true value lies in its conformal interval or set; None without one.
        weighted: The same with the rows counted by their row weights; None where the head has none. What stands out is
            told without them.
    """

    feature: str
    value: str
    n: int
    metric: str
    score: float | None
    interval: Interval = Interval()
    kind: SliceKind = "value"
    difference: float | None = None
    stands_out: bool = False
    coverage: float | None = None
    weighted: WeighedSlice | None = None


class Worth(Record):
    """What a head's metric loses, on the same rows, without some of the features.

    Attributes:
        name: The feature, or what several are together, such as `all pictures`.
        features: Those that the model does without.
        how: `hidden`: taken as missing in every row; `permuted`: each row gets another row's; `retrained`: a model
            trained without them.
        metric: The head's headline metric.
        n: The rows that it is over: the test rows whose target is known, of a model that was not trained again among
            the first 5,120 by a hash of the key.
        value: Of the model without them.
        difference: The metric with them minus `value`.
        interval: Of `difference`.
        verdict: `better` where the features clearly help, `worse` where they clearly hurt.
    """

    name: str
    features: list[str]
    how: Hiding
    metric: str
    value: float | None
    n: int = 0
    difference: float | None = None
    interval: Interval = Interval()
    verdict: Comparison | None = None


class ReliabilityBin(Record):
    """Rows with nearly the same predicted probability.

    Attributes:
        n: Rows.
        predicted: Their mean probability.
        observed: The share of them in which it came true.
        interval: Of `observed`.
    """

    n: int
    predicted: float
    observed: float
    interval: Interval = Interval()


class Reliability(Record):
    """Whether probabilities mean what they say.

    Attributes:
        of: The class or label whose probability it is; empty for that of the predicted class, whichever it is.
        bins: By rising probability, of about as many rows each.
        error: The expected calibration error: the mean over the rows of |predicted - observed| of their bins.
    """

    of: str
    bins: list[ReliabilityBin]
    error: float


class ClassRow(Record):
    """One class or label on the test rows.

    Attributes:
        label: The class.
        support: Rows that have it.
        predicted: Rows that were given it.
        precision: None where it was never predicted.
        recall: None where no row has it.
        f1: None where no row has it and it was never predicted.
    """

    label: str
    support: int
    predicted: int
    precision: float | None
    recall: float | None
    f1: float | None


class Conformal(Record):
    """How the intervals or sets of a head held on the test rows.

    Attributes:
        level: The share of true values that they should hold.
        coverage: The share that they did.
        interval: Of `coverage`.
        size: The mean width of the intervals, in the target's unit, or the mean number of classes in a set.
        calibrated_on: The val rows that they were fitted on.
        weighted: All of this with the test rows counted by their row weights; None where the head has none.
    """

    level: float
    coverage: float
    interval: Interval
    size: float
    calibrated_on: int
    weighted: Conformal | None = None


class ReferenceScore(Record):
    """A metric of a simple model, and the model beside it on the same rows.

    Attributes:
        value: The simple model's; None where it is not defined.
        difference: The model's minus this; None where either is not defined.
        interval: Of the difference.
        verdict: Whether the model is better than this one, as in `MetricScore`.
        weighted: All of this with the rows counted by their row weights; None where the head has none.
    """

    value: float | None
    difference: float | None = None
    interval: Interval = Interval()
    verdict: Comparison | None = None
    weighted: ReferenceScore | None = None


def flat_metrics(heads: Mapping[str, Mapping[str, MetricScore]]) -> dict[str, float]:
    """The defined ones of the heads' metrics as `<head>.<metric>`."""
    return {
        f"{head}.{name}": metric.value
        for head, metrics in heads.items()
        for name, metric in metrics.items()
        if metric.value is not None
    }


class HeadReport(Record):
    """One head on the test rows.

    Attributes:
        kind: The target's kind.
        n: Test rows whose target is known; the metrics are over these.
        missing: Test rows whose target is missing.
        classes: Classes or labels in the order of the logits; empty for regression.
        metrics: By name, in the order of the reports, the headline first.
        columns: Of a head of several columns, the metrics of each by itself.
        confusion: For binary and multiclass: rows by true class (first index) and predicted class.
        slices: The headline metric by slice.
        thresholds: From which probability on the head says yes: by the positive label for binary, by label for
            multilabel; empty for the others.
        notes: What to know when reading the numbers.
        references: By name of a simple model (`linear`, `boosted`, or a kind of features that it alone looks at), its
            metrics by name; `deployed` is the bundle that was compared with.
        sentence: How the head does beside the references and which inputs it owes that to, in one sentence.
        worth: What each feature, and each group of features, adds to the headline metric.
        reliability: Of the probabilities; empty for a head without any.
        per_class: Empty for a head without classes.
        conformal: None where the bundle has none for the head; of a head of several columns that of the one whose
            intervals held the smallest share.
        column_conformal: Of a head of several columns, that of each.
        suspects: Rows whose label the model confidently contradicts; they are in `suspects.parquet`.
    """

    kind: str
    n: int
    missing: int
    classes: list[str]
    metrics: dict[str, MetricScore]
    columns: dict[str, dict[str, MetricScore]] = Field({})
    confusion: list[list[int]] = Field([])
    slices: list[SliceScore] = Field([])
    thresholds: dict[str, float] = Field({})
    notes: list[str] = Field([])
    references: dict[str, dict[str, ReferenceScore]] = Field({})
    sentence: str = ""
    worth: list[Worth] = Field([])
    reliability: list[Reliability] = Field([])
    per_class: list[ClassRow] = Field([])
    conformal: Conformal | None = None
    column_conformal: dict[str, Conformal] = Field({})
    suspects: int = 0


class GateCheck(Record):
    """One rule of the config's gate and how it went.

    Attributes:
        head: The target.
        metric: The metric.
        rule: As written in the config.
        value: What was measured.
        passed: Whether the rule holds. An undefined metric never passes, and the baseline is beaten only where the
            metric is clearly better.
        reason: Of a rule that fails, why, in words; of one on slices also which of them is the worst.
        path: Where it is in the config's `gate`, such as `price.any.0.r2`.
        waived: Of a rule that fails inside `any`: whether another one makes up for it.
        reference: The model that it is held against; empty where there is none.
        difference: `value` minus that of the reference.
        interval: Of `difference` where there is a reference, else of `value`.
    """

    head: str
    metric: str
    rule: str
    value: float | None
    passed: bool
    reason: str = ""
    path: str = ""
    waived: bool = False
    reference: str = ""
    difference: float | None = None
    interval: Interval = Interval()


def _weighted_scores(entries: dict[str, Any]) -> dict[str, Any]:
    """The value by row weights was a number, without what else a score says."""

    def scored(metrics: dict[str, Any]) -> dict[str, Any]:
        return {
            name: score | {"weighted": {"value": score["weighted"], "baseline": None, "n": score["n"]}}
            if score.get("weighted") is not None
            else score
            for name, score in metrics.items()
        }

    def upgraded(head: dict[str, Any]) -> dict[str, Any]:
        columns = {column: scored(metrics) for column, metrics in head.get("columns", {}).items()}
        return head | {"metrics": scored(head["metrics"]), "columns": columns}

    return entries | {"heads": {name: upgraded(head) for name, head in entries["heads"].items()}}


def _weighed_slices(entries: dict[str, Any]) -> dict[str, Any]:
    """The score of a slice by row weights was a number."""

    def upgraded(one: dict[str, Any]) -> dict[str, Any]:
        return one if one.get("weighted") is None else one | {"weighted": {"score": one["weighted"]}}

    heads = {name: head | {"slices": [*map(upgraded, head["slices"])]} for name, head in entries["heads"].items()}
    return entries | {"heads": heads}


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
        findings: What may let the model look better than it is, from `preprocess`.
    """

    FORMAT_VERSION: ClassVar[int] = 7
    UPGRADES: ClassVar[Mapping[int, Upgrade]] = {4: entries_added, 5: _weighted_scores, 6: _weighed_slices}

    format_version: int = 7
    split: str
    heads: dict[str, HeadReport]
    verdict: Verdict
    gate: list[GateCheck]
    rows: dict[str, int]
    rows_read: int
    rows_rejected: int
    rejections: list[Rejection]
    warnings: list[str]
    findings: list[Finding] = Field([])

    def flat_metrics(self) -> dict[str, float]:
        """Every defined metric as `<head>.<metric>`, finite Python floats only, for systems that take flat names."""
        return flat_metrics({head: report.metrics for head, report in self.heads.items()})

    @classmethod
    def made_by(cls) -> str:
        """The command that writes this artifact."""
        return "polyhead evaluate"
