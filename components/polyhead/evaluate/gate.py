"""The config's rules, and the verdict."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping

from polyhead.contracts.config import GATE_RULE
from polyhead.contracts.evaluation import GateCheck, HeadReport, Metric, Verdict
from polyhead.contracts.targets import LOWER_IS_BETTER

_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}


def check_gate(
    gate: Mapping[str, Mapping[str, str]], heads: Mapping[str, HeadReport]
) -> tuple[Verdict, list[GateCheck]]:
    """Hold the metrics against the rules.

    Args:
        gate: Rules by head and metric, as `polyhead.contracts.config` accepts them.
        heads: The reports.

    Returns:
        `ungated` without rules; otherwise `passed` when every rule holds, else `failed`; and every rule.
    """
    checks = [
        GateCheck(
            head=head,
            metric=metric,
            rule=rule,
            value=heads[head].metrics[metric].value,
            passed=_holds(rule, metric, heads[head].metrics[metric]),
        )
        for head, rules in gate.items()
        for metric, rule in rules.items()
    ]
    if not checks:
        return "ungated", checks
    return ("passed" if all(check.passed for check in checks) else "failed"), checks


def beats_baseline(name: str, metric: Metric) -> bool | None:
    """Whether a metric is better than its baseline; None where either is not defined."""
    if metric.value is None or metric.baseline is None:
        return None
    if name in LOWER_IS_BETTER:
        return metric.value < metric.baseline
    return metric.value > metric.baseline


def _holds(rule: str, name: str, metric: Metric) -> bool:
    match = GATE_RULE.fullmatch(rule)
    assert match is not None
    if match[3]:
        return bool(beats_baseline(name, metric))
    return metric.value is not None and _COMPARISONS[match[1]](metric.value, float(match[2]))
