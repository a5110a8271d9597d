"""What the card of a model says, from the contracts of the model and of its evaluation."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import JsonValue

from polyhead.contracts.bundle import ModelBundle
from polyhead.contracts.card import Card, CardSection, CardTable
from polyhead.contracts.config import Config
from polyhead.contracts.evaluation import EvaluationReport, HeadReport
from polyhead.contracts.gate import called
from polyhead.contracts.preprocessing import Preprocessing
from polyhead.contracts.publication import version_of
from polyhead.contracts.splits import SPLITS
from polyhead.errors import counted
from polyhead.kinds.metrics import GATE_METRICS, METRICS
from polyhead.spelling import UNDEFINED, number, span
from polyhead.storage.places import name_of

_SLICES = 10
_FEW_ROWS = 100
_MARKS = {"better": "better", "not clearly better": "not clearly better", "worse": "worse", None: UNDEFINED}


def card_of(bundle: ModelBundle, config: Config, fitted: Preprocessing, report: EvaluationReport) -> Card:
    """The card of a model.

    Args:
        bundle: The model.
        config: What it was trained by.
        fitted: What was fitted on its train rows.
        report: Its evaluation.
    """
    limits = list(_limits(bundle, fitted, report))
    title = name_of(config.table)
    version = version_of(bundle.fingerprint())
    sections = [
        CardSection(title="Model", points=list(_model(bundle, version, report))),
        _data(config, fitted, report),
        _features(config, fitted),
        CardSection(
            title="Scores",
            texts=[
                f"On the {report.rows.get(report.split, 0):,} rows of the {report.split} split, which had no part in "
                "the training. Intervals are 95 % intervals. Better and worse are said only where the interval of the "
                "difference excludes zero.",
            ],
        ),
        *(section for name, head in report.heads.items() for section in _scores(name, head)),
        *_slices(report),
        *_gate(report),
        CardSection(
            title="Limits",
            texts=[] if limits else ["Nothing was found that needs attention."],
            points=limits,
        ),
        CardSection(title="Provenance", table=_provenance(bundle, report)),
    ]
    return Card(title=title, sections=sections, facts=_facts(title, version, bundle, config, fitted, report, limits))


def _model(bundle: ModelBundle, version: str, report: EvaluationReport) -> Iterator[str]:
    heads = ", ".join(f"{name} ({kind})" for name, kind in bundle.heads.items())
    yield f"Predicts: {heads}"
    yield f"Version: {version}"
    yield (
        f"Trained for {counted(bundle.epochs, 'epoch')}, of which epoch {bundle.best_epoch} was kept; "
        f"{counted(bundle.parameters, 'parameter')}; seed {bundle.seed}"
    )
    for name, ensemble in bundle.ensemble.items():
        yield f"{name} is made of: {', '.join(f'{member} {share:.2f}' for member, share in ensemble.weights.items())}"
    yield f"Verdict of the gate: {report.verdict}"


def _data(config: Config, fitted: Preprocessing, report: EvaluationReport) -> CardSection:
    split = config.split
    if split.column is not None:
        how = f"by the column {split.column}"
    elif split.time is not None:
        how = f"in the order of {split.time.column}"
    else:
        how = f"by a hash of the key{f', rows of one {split.group} together' if split.group else ''}"
    total = sum(fitted.rows.values())
    rows = [
        [name, f"{fitted.rows.get(name, 0):,}", f"{fitted.rows.get(name, 0) / max(total, 1):.1%}"] for name in SPLITS
    ]
    return CardSection(
        title="Data",
        texts=[
            f"{counted(report.rows_read, 'row')} read from {name_of(config.table)}, {report.rows_rejected:,} rejected. "
            f"Split {how}."
        ],
        points=[
            f"rejected: {one.reason} in {one.column}, {counted(one.rows, 'row')}" for one in report.rejections[:10]
        ],
        table=CardTable(columns=["split", "rows", "share"], rows=rows, numeric=[1, 2]),
    )


def _features(config: Config, fitted: Preprocessing) -> CardSection:
    train = max(fitted.rows.get("train", 0), 1)
    rows = [
        [name, feature.kind, config.column_of(name), f"{fitted.feature_statistics[name].missing / train:.1%}"]
        for name, feature in config.features.items()
    ]
    return CardSection(
        title="Features",
        level=3,
        table=CardTable(columns=["feature", "kind", "column", "missing in train"], rows=rows, numeric=[3]),
    )


def _scores(name: str, head: HeadReport) -> Iterator[CardSection]:
    rows = []
    for metric_name, score in head.metrics.items():
        metric = METRICS[metric_name]
        rows.append(
            [
                f"{metric.label} {'↓' if metric.lower_is_better else '↑'}",
                metric.number(score.value),
                metric.span(score.interval) or UNDEFINED,
                metric.number(score.baseline),
                _MARKS[score.verdict],
            ]
        )
    texts = [f"{head.kind}, {counted(head.n, 'row')} with a known target, {head.missing:,} without."]
    if head.classes:
        shown = ", ".join(head.classes[:20])
        texts.append(f"Classes: {shown}{f', and {len(head.classes) - 20} more' if len(head.classes) > 20 else ''}.")
    if head.sentence:
        texts.append(head.sentence)
    columns = ["metric", "value", "95 % interval", "baseline", "against the baseline"]
    yield CardSection(title=name, level=3, texts=texts, table=CardTable(columns=columns, rows=rows, numeric=[1, 2, 3]))
    points = [*_beside(head), *_held(head), *head.notes]
    if points:
        yield CardSection(title=f"{name}: what else is known", level=3, points=points)


def _beside(head: HeadReport) -> Iterator[str]:
    """The headline metric of the other models."""
    metric = METRICS[next(iter(head.metrics))]
    for reference, scores in head.references.items():
        if metric.name in scores:
            score = scores[metric.name]
            apart = metric.span_of_difference(score.interval)
            known = f": {score.verdict}" if score.verdict else ""
            yield (
                f"against {called(reference)}, {metric.label} {metric.number(score.value)}{known}"
                f"{f' (difference {apart})' if apart else ''}"
            )


def _held(head: HeadReport) -> Iterator[str]:
    for one in head.reliability:
        of = f" of {one.of}" if one.of else ""
        yield f"expected calibration error{of}: {number(one.error)}"
    if (held := head.conformal) is not None:
        within, what = span(held.interval), "sets" if head.classes else "intervals"
        yield (
            f"conformal {what} at {held.level:.0%} hold {held.coverage:.1%} of the true values"
            f"{f' ({within})' if within else ''}, mean size {number(held.size)}, fitted on "
            f"{counted(held.calibrated_on, 'val row')}"
        )


def _slices(report: EvaluationReport) -> Iterator[CardSection]:
    rows = []
    for name, head in report.heads.items():
        known = [one for one in head.slices if one.score is not None]
        worst = sorted(
            known, key=lambda one: (not one.stands_out, METRICS[one.metric].goodness(one.score or 0.0), one.value)
        )
        for one in worst[:_SLICES]:
            metric = METRICS[one.metric]
            rows.append(
                [
                    name,
                    one.feature,
                    one.value,
                    f"{one.n:,}",
                    f"{metric.label} {metric.number(one.score)}",
                    metric.span(one.interval) or UNDEFINED,
                    "worse than the rest" if one.stands_out else "",
                ]
            )
    if rows:
        yield CardSection(
            title="Slices",
            texts=[f"The {_SLICES} worst of each head at most."],
            table=CardTable(
                columns=["head", "feature", "value", "rows", "score", "95 % interval", ""], rows=rows, numeric=[3, 5]
            ),
        )


def _gate(report: EvaluationReport) -> Iterator[CardSection]:
    rows = [
        [
            check.head,
            GATE_METRICS[check.metric].label,
            check.rule,
            GATE_METRICS[check.metric].number(check.value),
            "passed" if check.passed else "waived" if check.waived else "failed",
            check.reason,
        ]
        for check in report.gate
    ]
    if rows:
        yield CardSection(
            title="Gate",
            table=CardTable(columns=["head", "measure", "rule", "measured", "", "why"], rows=rows, numeric=[3]),
        )


def _limits(bundle: ModelBundle, fitted: Preprocessing, report: EvaluationReport) -> Iterator[str]:
    """What speaks against trusting the model, or against trusting the scores."""
    for name, head in report.heads.items():
        metric, score = next(iter(head.metrics.items()))
        if score.verdict in ("not clearly better", "worse"):
            yield f"{name} is {score.verdict} than the baseline in {METRICS[metric].label}"
        for reference, scores in head.references.items():
            if metric in scores and scores[metric].verdict == "worse":
                yield f"{name} is worse than {called(reference)} in {METRICS[metric].label}"
        if head.n < _FEW_ROWS:
            yield f"{name} was measured on {counted(head.n, 'row')} only"
        bad = [one for one in head.slices if one.stands_out]
        for one in bad[:_SLICES]:
            yield f"{name} is worse where {one.feature} is {one.value} than elsewhere"
        if head.suspects:
            yield f"{name}: {counted(head.suspects, 'label')} of the {report.split} rows may be wrong"
    for found in fitted.drift:
        if found.drift != "none":
            yield f"the test rows differ from the train rows in {found.column}, {found.of}: {found.detail}"
    for finding in report.findings:
        yield f"leakage: {finding.message}"
    yield from dict.fromkeys([*report.warnings, *bundle.warnings])


def _provenance(bundle: ModelBundle, report: EvaluationReport) -> CardTable:
    made_from = {**bundle.made_from, "bundle": bundle.fingerprint(), "evaluation": report.fingerprint()}
    rows = [["polyhead", bundle.polyhead_version], *([name, value] for name, value in made_from.items())]
    return CardTable(columns=["of", "version or fingerprint"], rows=rows)


def _facts(
    title: str,
    version: str,
    bundle: ModelBundle,
    config: Config,
    fitted: Preprocessing,
    report: EvaluationReport,
    limits: list[str],
) -> dict[str, JsonValue]:
    heads: dict[str, JsonValue] = {}
    for name, head in report.heads.items():
        metric, score = next(iter(head.metrics.items()))
        heads[name] = {
            "kind": head.kind,
            "rows": head.n,
            "classes": list(head.classes),
            "headline": metric,
            "metrics": {one: found.value for one, found in head.metrics.items()},
            "interval": [score.interval.low, score.interval.high],
            "baseline": score.baseline,
            "against_baseline": score.verdict,
            "references": {
                reference: {"value": scores[metric].value, "verdict": scores[metric].verdict}
                for reference, scores in head.references.items()
                if metric in scores
            },
            "sentence": head.sentence,
        }
    return {
        "title": title,
        "version": version,
        "polyhead": bundle.polyhead_version,
        "verdict": report.verdict,
        "rows": dict(fitted.rows),
        "rows_rejected": report.rows_rejected,
        "features": {name: feature.kind for name, feature in config.features.items()},
        "heads": heads,
        "failed_rules": [
            f"{check.head} {check.metric} {check.rule}"
            for check in report.gate
            if not check.passed and not check.waived
        ],
        "limits": list(limits),
        "made_from": {**bundle.made_from, "bundle": bundle.fingerprint()},
    }
