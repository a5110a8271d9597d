"""The config's rules, and the verdict."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping

from polyhead.contracts.config import GATE_RULE
from polyhead.contracts.evaluation import GateCheck, HeadReport, Metric, Verdict
from polyhead.evaluate.spelling import signed, span

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
        _check(head, metric, rule, heads[head].metrics[metric])
        for head, rules in gate.items()
        for metric, rule in rules.items()
    ]
    if not checks:
        return "ungated", checks
    return ("passed" if all(check.passed for check in checks) else "failed"), checks


def _check(head: str, name: str, rule: str, metric: Metric) -> GateCheck:
    match = GATE_RULE.fullmatch(rule)
    assert match is not None
    if metric.value is None:
        passed, reason = False, "it is not defined on these rows"
    elif match[3]:
        passed = metric.verdict == "better"
        reason = "" if passed else _not_better(metric)
    else:
        passed, reason = _COMPARISONS[match[1]](metric.value, float(match[2])), ""
    return GateCheck(head=head, metric=name, rule=rule, value=metric.value, passed=passed, reason=reason)


def _not_better(metric: Metric) -> str:
    if metric.verdict is None or metric.difference is None:
        return "the baseline has none"
    apart = metric.difference_interval
    known = f"95 % interval {span(apart)}" if apart.low is not None else f"no interval: {apart.reason}"
    words = f"{metric.verdict} than the baseline" if metric.verdict == "worse" else metric.verdict
    return f"{words}: it differs by {signed(metric.difference)}, {known}"
