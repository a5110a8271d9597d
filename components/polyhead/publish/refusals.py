"""What must hold before a bundle is published."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from polyhead.contracts.artifact import require_same
from polyhead.contracts.bundle import CORE_MODEL, SERVING_MODEL, ModelBundle
from polyhead.contracts.config import Config, require_config
from polyhead.contracts.evaluation import EvaluationReport
from polyhead.contracts.gate import read_gate
from polyhead.errors import ArtifactError, Problem
from polyhead.storage.artifact import check_files, checked_file

_SAVED_MODEL = "saved_model.pb"


def check_bundle(config: Config, bundle: Path, evaluation: Path) -> tuple[ModelBundle, EvaluationReport]:
    """Read a bundle and its evaluation, and refuse what must not be published.

    Every file of both must be what its contract says, the evaluation the bundle's own and by the config's rules, and
    the verdict `passed`. `ungated` is enough where the config says `publish.ungated: true`.

    Args:
        config: As for `evaluate`.
        bundle: The artifact of `train`.
        evaluation: The artifact of `evaluate`.

    Raises:
        ArtifactError: Something does not hold; every rule of the gate that failed is named.
    """
    trained = ModelBundle.read(bundle)
    require_config(config, trained, bundle)
    report = EvaluationReport.read(evaluation)
    for name in (CORE_MODEL, f"{SERVING_MODEL}/{_SAVED_MODEL}"):
        checked_file(bundle, trained, name)
    check_files(bundle, trained)
    if any((evaluation / name).exists() for name in report.files):  # beside a published version the report is alone
        check_files(evaluation, report)
    judged = report.made_from.get("bundle", "unknown")
    require_same("bundle", judged, trained.fingerprint(), maker=str(evaluation), user=str(bundle))
    problems = list(_refusals(config, report, str(evaluation)))
    if problems:
        raise ArtifactError(problems)
    return trained, report


def _refusals(config: Config, report: EvaluationReport, where: str) -> Iterator[Problem]:
    rules = {(".".join(rule.path), rule.text) for rule in read_gate(config.gate)[0].rules()}
    if rules != {(check.path, check.rule) for check in report.gate}:
        yield Problem(
            "gate-mismatch",
            "was evaluated against other rules than the config's gate",
            where=where,
            hint="run polyhead evaluate again",
        )
    elif report.verdict == "ungated" and not config.publish.ungated:
        hint = "add rules to the config's gate and run polyhead evaluate again, or write publish.ungated: true"
        yield Problem("no-gate", "has no verdict: the config has no gate", where=where, hint=hint)
    for check in report.gate:
        if not check.passed and not check.waived:
            value = "is not defined" if check.value is None else f"is {check.value:.6g}"
            what = f"did not pass the gate: {check.head}.{check.metric} {value}, the rule is {check.rule}"
            yield Problem(
                "gate-failed",
                f"{what}: {check.reason}" if check.reason and check.value is not None else what,
                where=where,
            )
