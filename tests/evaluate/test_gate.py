"""The gate: every operator, the baseline in the right direction, and nothing undefined ever passes."""

from __future__ import annotations

from typing import Any

import pytest

from polyhead.contracts.evaluation import HeadReport, Interval, MetricScore
from polyhead.evaluate.comparing import comparison
from polyhead.evaluate.gate import check_gate
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
    lower = metric in ("log_loss", "mae", "rmse", "mape", "median_ae", "poisson_deviance", "pinball", "brier")
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
