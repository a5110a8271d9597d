"""The gate: every operator, the baseline in the right direction, and nothing undefined ever passes."""

from __future__ import annotations

from typing import Any

import pytest

from polyhead.contracts.evaluation import (
    Conformal,
    GateCheck,
    HeadReport,
    Interval,
    MetricScore,
    ReferenceScore,
    Reliability,
    SliceScore,
    WeighedSlice,
)
from polyhead.evaluate.gating.gate import check_gate
from polyhead.evaluate.scoring.comparing import comparison
from polyhead.kinds.metrics import METRICS


def head(**metrics: MetricScore) -> HeadReport:
    return HeadReport(kind="regression", n=9, missing=0, classes=[], metrics=metrics, confusion=[], slices=[], notes=[])


def verdict_of(rule: str, value: float | None, metric: str = "r2") -> str:
    heads = {"price": head(**{metric: MetricScore(value=value, baseline=0.5)})}
    return check_gate({"price": {metric: rule}}, heads)[0]


@pytest.mark.parametrize(
    ("rule", "below", "equal", "above"),
    [
        (">= 0.6", "failed", "passed", "passed"),
        ("> 0.6", "failed", "failed", "passed"),
        ("<= 0.6", "passed", "passed", "failed"),
        ("< 0.6", "passed", "failed", "failed"),
        ("  >=0.6 ", "failed", "passed", "passed"),
        (">= .6", "failed", "passed", "passed"),
        (">= 6e-1", "failed", "passed", "passed"),
        (">= +0.6", "failed", "passed", "passed"),
    ],
)
def test_every_operator(rule: str, below: str, equal: str, above: str) -> None:
    """A rule holds below, at and above its number as its sign says, however it is spelt."""
    assert [verdict_of(rule, value) for value in (0.59, 0.6, 0.61)] == [below, equal, above]


def test_negative_numbers() -> None:
    """R2 can be negative, and so can its rule."""
    assert verdict_of(">= -0.5", -0.4) == "passed"
    assert verdict_of(">= -0.5", -0.6) == "failed"


@pytest.mark.parametrize("metric", METRICS)
def test_better_has_a_direction_and_needs_the_whole_interval(metric: str) -> None:
    """Errors and losses must fall below the baseline, all others rise above; an interval that holds 0 says nothing."""
    lower = metric in ("log_loss", "mae", "rmse", "mape", "median_ae", "pinball", "brier") or (
        metric.endswith("deviance")
    )
    assert lower == METRICS[metric].lower_is_better
    assert comparison(METRICS[metric], 0.01, 0.2) == ("worse" if lower else "better")
    assert comparison(METRICS[metric], -0.2, -0.01) == ("better" if lower else "worse")
    for low, high in ((-0.01, 0.2), (-0.2, 0.01), (0.0, 0.0), (0.0, 0.2), (-0.2, 0.0)):
        assert comparison(METRICS[metric], low, high) == "not clearly better"


@pytest.mark.parametrize(
    ("verdict", "apart", "passed", "reason"),
    [
        ("better", Interval(low=0.1, high=0.3, method="m"), True, ""),
        ("better", Interval(reason="9 rows, an interval needs 30"), True, ""),
        (
            "not clearly better",
            Interval(low=-0.113, high=0.334, method="m"),
            False,
            "not clearly better: it differs by +0.135, 95 % interval −0.113 to 0.334",
        ),
        (
            "not clearly better",
            Interval(reason="9 rows, an interval needs 30"),
            False,
            "not clearly better: it differs by +0.135, no interval: 9 rows, an interval needs 30",
        ),
        (
            "worse",
            Interval(low=-0.3, high=-0.1, method="m"),
            False,
            "worse than the baseline: it differs by +0.135, 95 % interval −0.300 to −0.100",
        ),
    ],
)
def test_only_what_is_clearly_better_beats_the_baseline(
    verdict: Any, apart: Interval, passed: bool, reason: str
) -> None:
    """A point value above the baseline does not pass; the check says in words what is known."""
    numbers = MetricScore(value=0.635, baseline=0.5, difference=0.135, difference_interval=apart, verdict=verdict)
    heads = {"sold": head(roc_auc=numbers)}
    outcome, checks = check_gate({"sold": {"roc_auc": "beats baseline"}}, heads)
    assert (outcome, checks[0].passed, checks[0].reason) == ("passed" if passed else "failed", passed, reason)


@pytest.mark.parametrize("rule", [">= 0", "> -1", "<= 1", "< 1", "beats baseline"])
def test_an_undefined_metric_never_passes(rule: str) -> None:
    """None holds no rule, whichever way it points."""
    assert verdict_of(rule, None) == "failed"
    assert verdict_of(rule, None, metric="mae") == "failed"


def test_an_undefined_baseline_cannot_be_beaten() -> None:
    """Without a baseline the rule fails and says so."""
    heads = {"price": head(r2=MetricScore(value=0.9, baseline=None))}
    verdict, checks = check_gate({"price": {"r2": "beats baseline"}}, heads)
    assert (verdict, checks[0].reason) == ("failed", "the baseline has none")


def test_no_rules_no_verdict() -> None:
    """Without a gate, or with a head that has no rules, the run is ungated."""
    heads = {"price": head(r2=MetricScore(value=0.9, baseline=0.0))}
    assert check_gate({}, heads) == ("ungated", [])
    assert check_gate({"price": {}}, heads) == ("ungated", [])


def test_one_broken_rule_fails_the_gate_and_every_rule_is_told() -> None:
    """The verdict needs all rules; the checks come in the config's order with rule, value and outcome."""
    heads = {
        "price": head(r2=MetricScore(value=0.9, baseline=0.0), mae=MetricScore(value=3.0, baseline=2.0)),
        "band": head(accuracy=MetricScore(value=None, baseline=0.5)),
    }
    gate = {"band": {"accuracy": ">= 0.1"}, "price": {"mae": "beats baseline", "r2": ">= 0.6"}}
    verdict, checks = check_gate(gate, heads)
    assert verdict == "failed"
    assert [(c.head, c.metric, c.rule, c.value, c.passed) for c in checks] == [
        ("band", "accuracy", ">= 0.1", None, False),
        ("price", "mae", "beats baseline", 3.0, False),
        ("price", "r2", ">= 0.6", 0.9, True),
    ]
    assert check_gate({"price": {"r2": ">= 0.6"}}, heads)[0] == "passed"


def check_of(rule: object, report: HeadReport, metric: str = "r2") -> GateCheck:
    return check_gate({"price": {metric: rule}}, {"price": report})[1][0]


def beside(low: float, high: float, verdict: Any) -> HeadReport:
    """A head whose linear model has these limits of the difference."""
    score = ReferenceScore(
        value=0.6, difference=0.1, interval=Interval(low=low, high=high, method="m"), verdict=verdict
    )
    report = head(r2=MetricScore(value=0.7, baseline=0.0), mae=MetricScore(value=0.7, baseline=0.0))
    return report.model_copy(update={"references": {"linear": {"r2": score, "mae": score}}})


@pytest.mark.parametrize(
    ("rule", "metric", "low", "high", "verdict", "passed"),
    [
        ("beats linear", "r2", 0.05, 0.15, "better", True),
        ("beats linear", "r2", -0.05, 0.15, "not clearly better", False),
        ("beats linear", "r2", -0.25, -0.15, "worse", False),
        ("not worse than linear by 0.1", "r2", -0.05, 0.15, "not clearly better", True),
        ("not worse than linear by 0.1", "r2", -0.1, 0.15, "not clearly better", True),
        ("not worse than linear by 0.1", "r2", -0.11, 0.15, "not clearly better", False),
        ("not worse than linear by 0", "r2", 0.0, 0.15, "not clearly better", True),
        ("not worse than linear by 0.1", "mae", -0.5, 0.1, "not clearly better", True),
        ("not worse than linear by 0.1", "mae", -0.5, 0.11, "not clearly better", False),
    ],
)
def test_another_model_is_beaten_or_kept_up_with_by_the_whole_interval(
    rule: str, metric: str, low: float, high: float, verdict: Any, passed: bool
) -> None:
    """Better by its verdict; not worse where the worse end of the interval is within the margin."""
    check = check_of(rule, beside(low, high, verdict), metric)
    assert (check.passed, check.reference, check.difference) == (passed, "linear", 0.1)
    assert bool(check.reason) is not passed


def test_what_is_not_shown_does_not_pass() -> None:
    """No interval, no such model, an undefined metric; but a place's first model has none to be held against."""
    report = beside(0.1, 0.2, "better")
    unknown = ReferenceScore(
        value=0.6, difference=0.1, interval=Interval(reason="9 rows"), verdict="not clearly better"
    )
    few = report.model_copy(update={"references": {"linear": {"r2": unknown}}})
    assert "9 rows" in check_of("not worse than linear by 5", few).reason
    assert not check_of("not worse than linear by 5", few).passed
    assert not check_of("beats boosted", report).passed
    assert "boosted" in check_of("beats boosted", report).reason
    first = check_of("beats deployed", report)
    assert (first.passed, first.reason) == (True, "nothing is deployed yet")
    assert not check_of("beats deployed", head(r2=MetricScore(value=None, baseline=0.5))).passed


def test_every_slice_has_to_hold_the_rule() -> None:
    """Of those with enough rows; the worst is named."""
    scores = {"red": (100, 0.9), "blue": (40, 0.5), "odd": (5, 0.0), "undefined": (90, None)}
    slices = [
        SliceScore(feature="colour", value=value, n=n, metric="r2", score=score, coverage=score)
        for value, (n, score) in scores.items()
    ]
    report = head(r2=MetricScore(value=0.8, baseline=0.0)).model_copy(update={"slices": slices})
    held = check_of("every slice >= 0.5", report)
    assert (held.passed, held.value, held.reason) == (True, 0.5, "worst: colour blue, 0.500 on 40 rows")
    assert not check_of("every slice > 0.5", report).passed
    assert check_of("every slice > 0.5 with at least 50 rows", report).passed
    assert not check_of("every slice >= 0.5 with at least 5 rows", report).passed
    assert not check_of("every slice >= 0 with at least 500 rows", report).passed
    assert check_of("every slice >= 0.4", report, "conformal_coverage").passed
    assert check_of("every slice <= 0.9", report).value == 0.9


def test_calibration_and_coverage() -> None:
    """The worst label's error, and what the conformal sets hold; without them the rule fails and says so."""
    plain = head(r2=MetricScore(value=0.8, baseline=0.0))
    report = plain.model_copy(
        update={
            "reliability": [Reliability(of=of, bins=[], error=error) for of, error in (("a", 0.02), ("b", 0.07))],
            "conformal": Conformal(level=0.9, coverage=0.88, interval=Interval(), size=2.0, calibrated_on=100),
        }
    )
    worst = check_of("<= 0.05", report, "calibration_error")
    assert (worst.passed, worst.value, worst.reason) == (False, 0.07, "of 'b'")
    assert check_of("<= 0.1", report, "calibration_error").passed
    assert check_of(">= 0.85", report, "conformal_coverage").passed
    for metric in ("calibration_error", "conformal_coverage"):
        missing = check_of(">= 0", plain, metric)
        assert (missing.passed, missing.value) == (False, None)
        assert missing.reason


@pytest.mark.parametrize(
    ("gate", "verdict", "waived"),
    [
        ({"price": {"r2": [">= 0.5", "<= 0.9"]}}, "passed", [False, False]),
        ({"price": {"r2": [">= 0.5", ">= 0.9"]}}, "failed", [False, False]),
        ({"price": {"r2": {"any": [">= 0.9", ">= 0.5"]}}}, "passed", [True, False]),
        ({"price": {"any": [{"r2": ">= 0.9"}, {"mae": "<= 5"}]}}, "passed", [True, False]),
        ({"price": {"any": [{"r2": ">= 0.9"}, {"mae": "<= 1"}]}}, "failed", [False, False]),
        ({"price": {"any": [{"r2": ">= 0.5", "mae": "<= 1"}, {"r2": ">= 0.9"}]}}, "failed", [False, False, False]),
        ({"price": {"all": [{"r2": ">= 0.5"}, {"mae": "<= 5"}]}}, "passed", [False, False]),
        ({"any": [{"price": {"r2": ">= 0.9"}}, {"price": {"mae": "<= 5"}}]}, "passed", [True, False]),
        ({"any": [{"price": {"any": [{"r2": ">= 2"}, {"mae": "<= 5"}]}}, {"price": {"r2": ">= 3"}}]}, "passed",
         [True, False, True]),
    ],
)  # fmt: skip
def test_rules_are_joined_by_any_and_all(gate: dict[str, Any], verdict: str, waived: list[bool]) -> None:
    """A rule that fails inside an `any` that holds is waived; elsewhere it decides."""
    heads = {"price": head(r2=MetricScore(value=0.8, baseline=0.0), mae=MetricScore(value=3.0, baseline=9.0))}
    found, checks = check_gate(gate, heads)
    assert (found, [check.waived for check in checks]) == (verdict, waived)
    assert len({check.path for check in checks}) == len(checks)


def test_a_target_may_be_called_any() -> None:
    """Its rules are no list."""
    heads = {"any": head(r2=MetricScore(value=0.8, baseline=0.0))}
    verdict, checks = check_gate({"any": {"r2": ">= 0.5"}}, heads)
    assert (verdict, checks[0].head, checks[0].path) == ("passed", "any", "any.r2")


@pytest.mark.parametrize(
    ("rule", "passed"),
    [
        (">= 0.6", False),
        (">= 0.6 by row weights", True),
        ("beats baseline", False),
        ("beats baseline  by row weights", True),
        ("beats linear by row weights", True),
        ("not worse than linear by 0.01", False),
        ("not worse than linear by 0.01 by row weights", True),
        ("every slice >= 0.6 with at least 40 rows by row weights", True),
        ("every slice >= 0.6", False),
    ],
)
def test_a_rule_may_count_rows_by_their_weights(rule: str, passed: bool) -> None:
    """Its value, its intervals and its verdicts are then those by row weights."""
    weighted = Interval(low=0.1, high=0.3, method="m")
    score = MetricScore(value=0.7, baseline=0.5, difference=0.2, difference_interval=weighted, verdict="better")
    alike = MetricScore(value=0.5, baseline=0.5, difference=0.0, verdict="not clearly better", weighted=score)
    other = ReferenceScore(value=0.5, difference=0.2, interval=weighted, verdict="better")
    linear = ReferenceScore(value=0.5, difference=0.0, verdict="not clearly better", weighted=other)
    by_weights = WeighedSlice(score=0.65, interval=weighted, coverage=0.93)
    part = SliceScore(feature="size", value="s", n=50, metric="r2", score=0.5, coverage=0.85, weighted=by_weights)
    held = Conformal(level=0.9, coverage=0.88, interval=Interval(), size=2.0, calibrated_on=100)
    held = held.model_copy(update={"weighted": held.model_copy(update={"coverage": 0.95, "interval": weighted})})
    report = head(r2=alike).model_copy(
        update={"references": {"linear": {"r2": linear}}, "slices": [part], "conformal": held}
    )
    check = check_of(rule, report)
    assert (check.passed, check.rule) == (passed, rule)
    if "slice" not in rule:
        assert check.value == (0.7 if "weights" in rule else 0.5)
    elif "weights" in rule:
        assert check.interval == weighted
    for of, plain, counted in ((">= 0.9", 0.88, 0.95), ("every slice >= 0.9", 0.85, 0.93)):
        checks = [check_of(said, report, "conformal_coverage") for said in (of, f"{of} by row weights")]
        assert [(one.value, one.passed) for one in checks] == [(plain, False), (counted, True)]
