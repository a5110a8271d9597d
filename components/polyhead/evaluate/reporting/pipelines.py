"""What Kubeflow Pipelines shows of an evaluation beside the page: a summary in Markdown, a head's curve and matrix."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from polyhead.contracts.evaluation import PREDICTIONS_TABLE, EvaluationReport
from polyhead.evaluate.reporting.summary import head_lines, verdict_words
from polyhead.kinds.metrics import GATE_METRICS, METRICS
from polyhead.kinds.targets.rates import Rates
from polyhead.page.markdown import escaped, table_lines
from polyhead.spelling import UNDEFINED, decimals, fixed, fixed_span

MOST_CLASSES = 50
"""Classes up to which a confusion matrix is drawn: an artifact's metadata is no place for more."""

_POINTS = 100
_VERDICTS = {"passed": "The gate is passed", "failed": "The gate is not passed", "ungated": "There is no gate"}


def write_summary(report: EvaluationReport, path: str) -> None:
    """Write the verdict, each head's headline metric and sentence, and the gate's rules, as Markdown.

    Args:
        report: The evaluation.
        path: The file.
    """
    Path(path).write_text("\n".join([*_summary(report), ""]), encoding="utf-8")


def _summary(report: EvaluationReport) -> list[str]:
    heads = []
    for name, head in report.heads.items():
        metric, score = METRICS[next(iter(head.metrics))], next(iter(head.metrics.values()))
        places = decimals(score.value)
        values = [fixed(one, places, metric.format) for one in (score.value, score.baseline)]
        span = fixed_span(score.interval, places, metric.format) or UNDEFINED
        heads.append([name, head.kind, metric.label, values[0], span, values[1], score.verdict or UNDEFINED])
    columns = ["head", "kind", "metric", "score", "95 % interval", "baseline", "against the baseline"]
    lines = [f"# {_VERDICTS[report.verdict]}", "", escaped(verdict_words(report)), ""]
    lines += [*table_lines(columns, heads, range(3, 6)), ""]
    for line in head_lines(report):
        said = " ".join(filter(None, [report.heads[line.name].sentence, line.apart]))
        lines += [f"- {escaped(f'{line.name}: {said}')}"] if said else []
    rules = [
        [
            check.head,
            metric.label,
            check.rule,
            fixed(check.value, decimals(check.value), metric.format),
            "holds" if check.passed else "fails",
            check.reason,
        ]
        for check in report.gate
        for metric in [GATE_METRICS[check.metric]]
    ]
    header = ["head", "metric", "rule", "measured", "result", "why"]
    return [*lines, "", *table_lines(header, rules, [3])] if rules else lines


def classification_metadata(evaluation: str, position: int) -> dict[str, Any]:
    """What a ClassificationMetrics artifact holds of a head, as `log_confusion_matrix` and `log_roc_curve` write it.

    Args:
        evaluation: The artifact of `evaluate`.
        position: Of the head, from 0.

    Returns:
        `confusionMatrix` of 50 classes at most, and of two classes `confidenceMetrics`, in finite Python numbers;
        nothing for a head without classes, or where there is none.
    """
    report = EvaluationReport.read(evaluation)
    name, head = next(iter(list(report.heads.items())[position:]), ("", None))
    found: dict[str, Any] = {}
    if head is None or not head.n:
        return found
    if head.confusion and len(head.classes) <= MOST_CLASSES:
        found["confusionMatrix"] = {
            "annotationSpecs": [{"displayName": label} for label in head.classes],
            "rows": [{"row": [float(count) for count in counts]} for counts in head.confusion],
        }
    if len(head.classes) == 2 and head.confusion:
        label = head.classes[1]
        columns = [f"{name}.true", f"{name}.probability.{label}"]
        known = pl.read_parquet(Path(evaluation) / PREDICTIONS_TABLE, columns=columns).drop_nulls(columns[:1])
        probabilities = known[columns[1]].to_numpy().astype(np.float64)
        rates = Rates.of(label, (known[columns[0]] == label).to_numpy(), probabilities)
        if rates.drawable and np.isfinite(probabilities).all():
            found["confidenceMetrics"] = _confidences(rates)
    return found


def _confidences(rates: Rates) -> list[dict[str, float]]:
    """The ROC curve from the strictest threshold on, which is above all probabilities and 1 at most here."""
    kept = np.unique(np.linspace(0, len(rates.cuts) - 1, _POINTS).astype(int))
    points = zip(rates.cuts[kept], rates.false_alarms[kept], rates.recall[kept], strict=True)
    whole = [(1.0, 0.0, 0.0), *points]
    names = ("confidenceThreshold", "falsePositiveRate", "recall")
    return [dict(zip(names, map(float, point), strict=True)) for point in whole]
