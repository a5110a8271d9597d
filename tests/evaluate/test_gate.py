"""The gate: every operator, the baseline in the right direction, and nothing undefined ever passes."""

from __future__ import annotations

import pytest

from polyhead.contracts.evaluation import HeadReport, Metric
from polyhead.contracts.targets import LOWER_IS_BETTER, METRICS
from polyhead.evaluate.gate import beats_baseline, check_gate


def head(**metrics: Metric) -> HeadReport:
    return HeadReport(kind="regression", n=9, missing=0, classes=[], metrics=metrics, confusion=[], slices=[], notes=[])


def verdict_of(rule: str, value: float | None, baseline: float | None = 0.5, metric: str = "r2") -> str:
    heads = {"price": head(**{metric: Metric(value=value, baseline=baseline)})}
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


@pytest.mark.parametrize("metric", sorted({name for names in METRICS.values() for name in names}))
def test_beating_the_baseline_has_a_direction(metric: str) -> None:
    """Errors and losses must be below the baseline, every other metric above; a tie does not beat it."""
    lower = metric in ("log_loss", "mae", "rmse", "mape")
    assert lower == (metric in LOWER_IS_BETTER)
    assert verdict_of("beats baseline", 0.4, metric=metric) == ("passed" if lower else "failed")
    assert verdict_of("beats baseline", 0.6, metric=metric) == ("failed" if lower else "passed")
    assert verdict_of("beats baseline", 0.5, metric=metric) == "failed"


@pytest.mark.parametrize("rule", [">= 0", "> -1", "<= 1", "< 1", "beats baseline"])
def test_an_undefined_metric_never_passes(rule: str) -> None:
    """None holds no rule, whichever way it points."""
    assert verdict_of(rule, None) == "failed"
    assert verdict_of(rule, None, metric="mae") == "failed"


def test_an_undefined_baseline_cannot_be_beaten() -> None:
    """Without a baseline the rule fails, and beats_baseline says that it does not know."""
    assert verdict_of("beats baseline", 0.9, None) == "failed"
    assert beats_baseline("r2", Metric(value=0.9, baseline=None)) is None
    assert beats_baseline("r2", Metric(value=None, baseline=0.9)) is None
    assert beats_baseline("r2", Metric(value=0.9, baseline=0.5)) is True
    assert beats_baseline("mae", Metric(value=0.9, baseline=0.5)) is False


def test_no_rules_no_verdict() -> None:
    """Without a gate, or with a head that has no rules, the run is ungated."""
    heads = {"price": head(r2=Metric(value=0.9, baseline=0.0))}
    assert check_gate({}, heads) == ("ungated", [])
    assert check_gate({"price": {}}, heads) == ("ungated", [])


def test_one_broken_rule_fails_the_gate_and_every_rule_is_told() -> None:
    """The verdict needs all rules; the checks come in the config's order with rule, value and outcome."""
    heads = {
        "price": head(r2=Metric(value=0.9, baseline=0.0), mae=Metric(value=3.0, baseline=2.0)),
        "band": head(accuracy=Metric(value=None, baseline=0.5)),
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
