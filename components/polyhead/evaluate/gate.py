"""The config's rules, and the verdict."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping

from polyhead.contracts.config import GATE_RULE
from polyhead.contracts.evaluation import GateCheck, HeadReport, MetricScore, Verdict
from polyhead.kinds.metrics import METRICS

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


def _check(head: str, name: str, rule: str, score: MetricScore) -> GateCheck:
    match = GATE_RULE.fullmatch(rule)
    assert match is not None
    if score.value is None:
        passed, reason = False, "it is not defined on these rows"
    elif match[3]:
        passed = score.verdict == "better"
        reason = "" if passed else _not_better(name, score)
    else:
        passed, reason = _COMPARISONS[match[1]](score.value, float(match[2])), ""
    return GateCheck(head=head, metric=name, rule=rule, value=score.value, passed=passed, reason=reason)


def _not_better(name: str, score: MetricScore) -> str:
    if score.verdict is None or score.difference is None:
        return "the baseline has none"
    between = score.difference_interval
    known = (
        f"95 % interval {METRICS[name].span_of_difference(between)}"
        if between.low is not None
        else f"no interval: {between.reason}"
    )
    words = f"{score.verdict} than the baseline" if score.verdict == "worse" else score.verdict
    return f"{words}: it differs by {METRICS[name].signed(score.difference)}, {known}"
