"""The gate's rules once more, on the numbers of an evaluation that is there."""

from __future__ import annotations

from pathlib import Path

from polyhead.contracts.artifact import Record
from polyhead.contracts.config import Config
from polyhead.contracts.evaluation import EvaluationReport, GateCheck, Verdict
from polyhead.contracts.gate import CALIBRATION_ERROR, CONFORMAL_COVERAGE, read_gate
from polyhead.errors import ArtifactError, Problem, did_you_mean
from polyhead.evaluate.gating.gate import check_gate
from polyhead.storage.opened import Input, opens


class Judgement(Record):
    """What the gate says.

    Attributes:
        verdict: passed, failed, or ungated where there are no rules.
        checks: Every rule, in the config's order.
    """

    verdict: Verdict
    checks: list[GateCheck]


@opens(evaluation=Input(EvaluationReport, ()))
def judge(*, evaluation: str | Path, config: Config | None = None) -> Judgement:
    """What the gate said of an evaluation, or what the rules of a configuration say of it.

    Args:
        evaluation: The artifact of `evaluate`, or the folder of it in a published version.
        config: Its `gate` is judged anew. Default: the rules that the model was evaluated by, as they went.

    Raises:
        ArtifactError: There is no evaluation, or the rules are about what it does not have.
    """
    report = EvaluationReport.read(evaluation)
    if config is None:
        return Judgement(verdict=report.verdict, checks=report.gate)
    problems = []
    for rule in read_gate(config.gate)[0].rules():
        head, path = report.heads.get(rule.head), f"gate.{'.'.join(rule.path)}"
        if head is None:
            what, hint = f"{evaluation} has no head '{rule.head}'", did_you_mean(rule.head, list(report.heads))
            problems.append(Problem("unknown-target", what, where=path, hint=hint))
        elif rule.metric not in (*head.metrics, CALIBRATION_ERROR, CONFORMAL_COVERAGE):
            what, hint = f"{evaluation} has no '{rule.metric}'", did_you_mean(rule.metric, list(head.metrics))
            problems.append(Problem("unknown-metric", what, where=path, hint=hint))
    if problems:
        raise ArtifactError(problems)
    verdict, checks = check_gate(config.gate, report.heads)
    return Judgement(verdict=verdict, checks=checks)
