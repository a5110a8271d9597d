"""The main facts of each contract."""

from __future__ import annotations

from functools import singledispatch
from typing import Any

from pydantic import JsonValue

from polyhead.contracts.artifact import Contract
from polyhead.contracts.bundle import ModelBundle
from polyhead.contracts.cross_validation import CrossValidation
from polyhead.contracts.drifted import DriftReport
from polyhead.contracts.encoded import EncodedShards
from polyhead.contracts.evaluation import EvaluationReport, MetricScore
from polyhead.contracts.partitions import Part, Plan
from polyhead.contracts.preprocessing import Preprocessing
from polyhead.contracts.publication import Latest, Publication
from polyhead.contracts.shards import ShardManifest
from polyhead.contracts.validation import ValidationReport

Facts = dict[str, JsonValue]


@singledispatch
def facts_of(contract: Contract) -> Facts:
    """The main facts of a contract, as plain values: numbers and words, by name."""
    del contract
    return {}


@facts_of.register
def _(contract: ValidationReport) -> Facts:
    kinds: dict[str, Any] = {"feature": {}, "target": {}}
    for column in contract.columns:
        kinds[column.role][column.name] = column.kind
    return {
        "table": contract.table,
        "passed": contract.passed,
        "rows_read": contract.rows_read,
        "rows_clean": contract.rows_clean,
        "rows_rejected": contract.rows_rejected,
        "images_checked": contract.images_checked,
        "features": kinds["feature"],
        "targets": kinds["target"],
        "findings": {finding.code: finding.count for finding in contract.findings},
        "warnings": len(contract.warnings),
    }


@facts_of.register
def _(contract: Preprocessing) -> Facts:
    return {
        "rows": dict(contract.rows),
        "features": {name: feature.kind for name, feature in contract.features.items()},
        "targets": {name: target.kind for name, target in contract.targets.items()},
        "findings": {finding.code: finding.count for finding in contract.findings},
        "warnings": len(contract.warnings),
    }


@facts_of.register
def _(contract: ShardManifest) -> Facts:
    return {
        "rows": dict(contract.rows),
        "rows_read": contract.rows_read,
        "rows_rejected": contract.rows_rejected,
        "shards": len(contract.shards),
        "bytes": sum(shard.bytes for shard in contract.shards),
    }


@facts_of.register
def _(contract: EncodedShards) -> Facts:
    return {**facts_of.dispatch(ShardManifest)(contract), "encoded": list(contract.encoded)}


@facts_of.register
def _(contract: ModelBundle) -> Facts:
    return {
        "heads": dict(contract.heads),
        "parameters": contract.parameters,
        "epochs": contract.epochs,
        "best_epoch": contract.best_epoch,
        "best_score": contract.best_score,
        "seed": contract.seed,
        "made_of": {name: dict(head.weights) for name, head in contract.ensemble.items()},
        "warnings": len(contract.warnings),
        "signatures": {
            name: {
                "takes": [f"{tensor} {of.words}" for tensor, of in signature.inputs.items()],
                "gives": [f"{tensor} {of.words}" for tensor, of in signature.outputs.items()],
            }
            for name, signature in contract.signatures.items()
        },
    }


@facts_of.register
def _(contract: EvaluationReport) -> Facts:
    return {
        "verdict": contract.verdict,
        "rows": dict(contract.rows),
        "heads": {
            name: {"kind": head.kind, "n": head.n, **_headline(head.metrics)} for name, head in contract.heads.items()
        },
        "failed_rules": [
            f"{check.head} {check.metric} {check.rule}"
            for check in contract.gate
            if not check.passed and not check.waived
        ],
        "findings": {finding.code: finding.count for finding in contract.findings},
        "warnings": len(contract.warnings),
    }


@facts_of.register
def _(contract: CrossValidation) -> Facts:
    return {
        "rows": contract.rows,
        "folds": contract.folds,
        "repeats": len(contract.seeds),
        "heads": {
            name: {"kind": head.kind, "n": head.n, **_headline(head.metrics)} for name, head in contract.heads.items()
        },
    }


def _headline(metrics: Any) -> dict[str, JsonValue]:
    """The first metric of a head, as reports show it."""
    name: str
    score: MetricScore
    name, score = next(iter(metrics.items()))
    return {
        "metric": name,
        "value": score.value,
        "low": score.interval.low,
        "high": score.interval.high,
        "baseline": score.baseline,
        "against_baseline": score.verdict,
    }


@facts_of.register
def _(contract: DriftReport) -> Facts:
    return {
        "table": contract.table,
        "drift": contract.drift,
        "rows_read": contract.rows_read,
        "rows_rejected": contract.rows_rejected,
        "drifted": [f"{one.column} {one.of}" for one in contract.columns if one.drift != "none"],
        "auc": None if contract.classifier is None else contract.classifier.auc,
    }


@facts_of.register
def _(contract: Publication) -> Facts:
    return {
        "version": contract.version,
        "place": contract.place,
        "outcome": contract.outcome,
        "latest": contract.latest,
        "sequence": contract.sequence,
    }


@facts_of.register
def _(contract: Latest) -> Facts:
    return {
        "version": contract.version,
        "sequence": contract.sequence,
        "verdict": contract.verdict,
        "metrics": dict(contract.metrics),
        "history": [
            f"{release.sequence}: {release.version}{' (rollback)' if release.rollback else ''}"
            for release in contract.history
        ],
    }


@facts_of.register
def _(contract: Plan) -> Facts:
    return {"partitions": len(contract.partitions), "items": contract.partitions[-1].end if contract.partitions else 0}


@facts_of.register
def _(contract: Part) -> Facts:
    return {"partition": contract.partition.name, "items": contract.partition.end - contract.partition.start}
