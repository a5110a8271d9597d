"""The config's rules, and the verdict."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, assert_never

from polyhead.contracts.evaluation import (
    Comparison,
    Conformal,
    GateCheck,
    HeadReport,
    Interval,
    MetricScore,
    ReferenceScore,
    SliceScore,
    Verdict,
    WeighedSlice,
)
from polyhead.contracts.gate import (
    BASELINE,
    CALIBRATION_ERROR,
    CONFORMAL_COVERAGE,
    DEPLOYED,
    Against,
    EverySlice,
    Joined,
    Limit,
    Rule,
    called,
    read_gate,
)
from polyhead.errors import counted
from polyhead.kinds.metrics import GATE_METRICS

_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}
_UNDEFINED = "it is not defined on these rows"

Score = TypeVar("Score", MetricScore, ReferenceScore, Conformal)


def check_gate(gate: Mapping[str, Any], heads: Mapping[str, HeadReport]) -> tuple[Verdict, list[GateCheck]]:
    """Hold the metrics against the rules.

    Args:
        gate: The rules, as `polyhead.contracts.config` accepts them.
        heads: The reports.

    Returns:
        `ungated` without rules; otherwise `passed` when every rule holds but those that `any` waives, else `failed`;
        and every rule.
    """
    joined, _ = read_gate(gate)
    checks = _checks(joined, heads)
    if not checks:
        return "ungated", checks
    return ("passed" if all(check.passed or check.waived for check in checks) else "failed"), checks


def _checks(part: Rule | Joined, heads: Mapping[str, HeadReport]) -> list[GateCheck]:
    if isinstance(part, Rule):
        return [_check(part, heads[part.head])]
    groups = [_checks(one, heads) for one in part.parts]
    checks = [check for group in groups for check in group]
    if part.how == "any" and any(all(check.passed or check.waived for check in group) for group in groups):
        return [check if check.passed else check.model_copy(update={"waived": True}) for check in checks]
    return checks


def _check(rule: Rule, head: HeadReport) -> GateCheck:
    match rule.condition:
        case Limit():
            found = _limited(rule, rule.condition, head)
        case Against():
            found = _against(rule, rule.condition, head)
        case EverySlice():
            found = _on_slices(rule, rule.condition, head)
        case _:
            assert_never(rule.condition)
    return GateCheck(head=rule.head, metric=rule.metric, rule=rule.text, path=".".join(rule.path), **found)


def _limited(rule: Rule, limit: Limit, head: HeadReport) -> dict[str, Any]:
    value, interval, reason = _measured(rule, head)
    passed = value is not None and _holds(limit, value)
    return {"value": value, "interval": interval, "passed": passed, "reason": "" if passed else reason}


def _holds(limit: Limit, value: float) -> bool:
    return _COMPARISONS[limit.sign](value, limit.number)


def _weighed(rule: Rule, score: Score) -> Score:
    """The score that a rule is about: by row weights, if it says so and the head has any."""
    return (score.weighted or score) if rule.weighted else score


def _measured(rule: Rule, head: HeadReport) -> tuple[float | None, Interval, str]:
    """What a rule is about, its interval, and what to know where the rule fails."""
    name = rule.metric
    if name == CALIBRATION_ERROR:
        worst = max(head.reliability, key=lambda one: one.error, default=None)
        if worst is None:
            return None, Interval(), "it is not measured on these rows"
        return worst.error, Interval(), f"of '{worst.of}'" if worst.of and len(head.reliability) > 1 else ""
    if name == CONFORMAL_COVERAGE:
        if head.conformal is None:
            return None, Interval(), "the head has no conformal intervals or sets"
        held = _weighed(rule, head.conformal)
        return held.coverage, held.interval, ""
    score = _weighed(rule, head.metrics[rule.metric])
    return score.value, score.interval, _UNDEFINED if score.value is None else ""


def _against(rule: Rule, condition: Against, head: HeadReport) -> dict[str, Any]:
    score = _weighed(rule, head.metrics[rule.metric])
    found: dict[str, Any] = {"value": score.value, "reference": condition.reference, "passed": False}
    verdict: Comparison | None
    if condition.reference == BASELINE:
        difference, interval, verdict = score.difference, score.difference_interval, score.verdict
    else:
        beside = head.references.get(condition.reference, {}).get(rule.metric)
        if beside is None:
            first = condition.reference == DEPLOYED
            # the first model of a place has nothing to be held against
            reason = "nothing is deployed yet" if first else f"the head has no {condition.reference} model beside it"
            return {**found, "passed": first and score.value is not None, "reason": reason}
        beside = _weighed(rule, beside)
        difference, interval, verdict = beside.difference, beside.interval, beside.verdict
    found |= {"difference": difference, "interval": interval}
    if score.value is None:
        return {**found, "reason": _UNDEFINED}
    if verdict is None or difference is None:
        return {**found, "reason": f"{called(condition.reference)} has none"}
    if condition.margin is None:
        passed = verdict == "better"
        reason = "" if passed else _not_better(rule.metric, condition.reference, difference, interval, verdict)
        return {**found, "passed": passed, "reason": reason}
    return {**found, **_not_worse(rule.metric, condition.margin, difference, interval)}


def _not_better(name: str, reference: str, difference: float, interval: Interval, verdict: Comparison) -> str:
    words = f"{verdict} than {called(reference)}" if verdict == "worse" else verdict
    return f"{words}: {_apart(name, difference, interval)}"


def _apart(name: str, difference: float, interval: Interval) -> str:
    metric = GATE_METRICS[name]
    known = (
        f"95 % interval {metric.span_of_difference(interval)}"
        if interval.low is not None
        else f"no interval: {interval.reason}"
    )
    return f"it differs by {metric.signed(difference)}, {known}"


def _not_worse(name: str, margin: float, difference: float, interval: Interval) -> dict[str, Any]:
    """Non-inferiority: the whole interval of the difference lies within the margin."""
    if interval.low is None or interval.high is None:
        return {"reason": f"that it is not worse by more than that is not shown: {_apart(name, difference, interval)}"}
    goodness = GATE_METRICS[name].goodness
    passed = min(goodness(interval.low), goodness(interval.high)) >= -margin
    return {"passed": passed, "reason": "" if passed else f"it may be worse: {_apart(name, difference, interval)}"}


def _on_slices(rule: Rule, condition: EverySlice, head: HeadReport) -> dict[str, Any]:
    def said(one: SliceScore) -> SliceScore | WeighedSlice:
        return (one.weighted or one) if rule.weighted else one

    def value_of(one: SliceScore) -> float | None:
        if rule.metric == CONFORMAL_COVERAGE:
            return said(one).coverage
        return said(one).score if one.metric == rule.metric else None

    judged = [(value, one) for one in head.slices if one.n >= condition.rows and (value := value_of(one)) is not None]
    if not judged:
        reason = f"there is no slice of {counted(condition.rows, 'row')} on which it is defined"
        return {"value": None, "passed": False, "reason": reason}
    lowest_first = condition.limit.sign in (">=", ">")
    value, worst = min(judged, key=lambda pair: pair[0] if lowest_first else -pair[0])
    failing = [pair for pair in judged if not _holds(condition.limit, pair[0])]
    name = f"{worst.feature} {worst.value}".strip()
    reason = f"worst: {name}, {GATE_METRICS[rule.metric].number(value)} on {counted(worst.n, 'row')}"
    if len(failing) > 1:
        reason = f"{len(failing)} of {counted(len(judged), 'slice')}; {reason}"
    interval = Interval() if rule.metric == CONFORMAL_COVERAGE else said(worst).interval
    return {"value": value, "interval": interval, "passed": not failing, "reason": reason}
