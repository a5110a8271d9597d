"""The evaluation report: one HTML page that opens offline and can be sent to a colleague.

The page holds its style, its charts' data and one copy of the Vega libraries; it asks nothing of the network,
and its content security policy forbids it to. Every text from the table or the configuration goes through
Jinja's escaping or, for charts, through JSON whose markup characters are escaped. The page has no times and
no random names: the same input gives the same bytes.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import altair as alt
import jinja2
import numpy as np
import polars as pl
import vl_convert
from markupsafe import Markup

from polyhead.contracts.bundle import Epoch
from polyhead.contracts.evaluation import EvaluationReport, HeadReport, Metric, SliceScore
from polyhead.evaluate import charts
from polyhead.evaluate.charts import Chart, LabelScore
from polyhead.evaluate.spelling import number, signed, span
from polyhead.kinds.base import LOWER_IS_BETTER
from polyhead.kinds.union import METRICS

WORST_ROWS = 10
FIRST_SLICES = 10
_LONGEST_TEXT = 160
_SPLIT_ORDER = ("train", "val", "test")
_METRIC_NAMES = {
    "macro_f1": "macro F1",
    "roc_auc": "ROC AUC",
    "pr_auc": "PR AUC",
    "r2": "R²",
    "r2_transformed": "R² transformed",
    "mae": "MAE",
    "rmse": "RMSE",
    "mape": "MAPE",
}
_DRAW = """(() => {
  const page = JSON.parse(document.getElementById("chart-data").textContent);
  const options = {
    actions: false, ast: true, renderer: "svg", defaultStyle: false, config: page.config,
    tooltip: {theme: "page", disableDefaultStyle: true},
  };
  for (const [id, spec] of Object.entries(page.charts)) {
    vegaEmbed("#" + id, spec, options).catch((error) => {
      document.getElementById(id).textContent = "This chart could not be drawn: " + error.message;
    });
  }
})();"""


@dataclass(frozen=True)
class _Figure:
    id: str
    chart: Chart
    title: str = ""


@dataclass(frozen=True)
class _Table:
    """A table of texts; `numeric` names the columns, by position, that are aligned as numbers."""

    columns: list[str]
    rows: list[list[str]]
    numeric: frozenset[int] = frozenset()


@dataclass(frozen=True)
class _Cell:
    """A metric of a head in the summary; `reason` says why there is no interval."""

    value: str
    interval: str
    reason: str
    baseline: str
    comparison: str
    difference: str


@dataclass(frozen=True)
class _Summary:
    """The heads of one kind: `columns` are metric and direction, `rows` are head, its id, cells."""

    kind: str
    columns: list[tuple[str, str]]
    rows: list[tuple[str, str, list[_Cell | None]]]


@dataclass(frozen=True)
class _Head:
    """One head's section."""

    id: str
    name: str
    report: HeadReport
    gaps: list[str]
    figure: _Figure | None
    details: _Table | None
    worst: _Table | None
    slices: _Table | None
    more_slices: _Table | None


@dataclass(frozen=True)
class _Analysis:
    """What the predictions say about one head: a chart, its numbers, and the worst rows."""

    chart: Chart | None = None
    details: _Table | None = None
    worst: _Table | None = None


class _Figures:
    """Hands out the ids of charts and collects their specifications."""

    def __init__(self) -> None:
        self.specs: dict[str, dict[str, Any]] = {}

    def add(self, chart: Chart, *, title: str = "") -> _Figure:
        identity = f"chart-{len(self.specs) + 1}"
        self.specs[identity] = chart.spec
        return _Figure(identity, chart, title)


def render_report(report: EvaluationReport, predictions: pl.DataFrame, *, epochs: list[Epoch], title: str) -> str:
    """Write the report page.

    Args:
        report: The numbers and the verdict.
        predictions: One row per evaluated row: `key` string and, for each head of the report, `<head>.true`
            and `<head>.predicted` (string for binary and multiclass, list of string for multilabel, float64
            for regression) and, for classes, `<head>.probability.<class>` float64. A null `.true` is a
            missing target. Columns of other heads are ignored.
        epochs: The training history in order; empty leaves the curves out.
        title: Heading of the page.

    Returns:
        A whole HTML document. The same arguments give the same text.

    Raises:
        polars.exceptions.ColumnNotFoundError: The predictions lack a column of a head that has known targets.
    """
    figures = _Figures()
    heads = [
        _head(f"head-{position}", name, head, predictions, figures)
        for position, (name, head) in enumerate(report.heads.items(), start=1)
    ]
    score = figures.add(charts.score_curve(epochs)) if epochs else None
    names = [name for name in report.heads if any(name in epoch.losses for epoch in epochs)]
    losses = [figures.add(charts.loss_curve(name, epochs), title=name) for name in names]
    script = _script()
    return _template().render(
        title=title,
        report=report,
        splits=_splits(report),
        gate_passed=sum(check.passed for check in report.gate),
        gate=_gate(report),
        summaries=_summaries(report),
        rejections=_rejections(report),
        heads=heads,
        score=score,
        losses=losses,
        policy=_policy(script),
        script=Markup(script),  # noqa: S704  # a constant: no text of the user is in it
        chart_data=_inline_json({"config": charts.CONFIG, "charts": figures.specs}),
        vega_lite=alt.SCHEMA_VERSION.removeprefix("v"),
        first=charts.FIRST,
        second=charts.SECOND,
        light=charts.LIGHT,
        dark=charts.DARK,
        font=charts.FONT,
    )


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["short"] = _short
    return environment.from_string(Path(__file__).with_name("report.html.j2").read_text(encoding="utf-8"))


@cache
def _script() -> str:
    """The code that draws the charts, with vega-embed, Vega and the Vega-Lite that altair writes for."""
    version = ".".join(alt.SCHEMA_VERSION.split(".")[:2])
    bundle: str = vl_convert.javascript_bundle(_DRAW, vl_version=version)
    return bundle.replace("\r\n", "\n").replace("\r", "\n")


def _policy(script: str) -> str:
    """A content security policy under which this script alone runs and nothing is loaded."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; "
        "base-uri 'none'; form-action 'none'"
    )


def _inline_json(value: object) -> Markup:
    """JSON for the inside of a script element: ASCII without a character that could end or open markup."""
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)  # noqa: S704  # escaped above


def _short(text: str, length: int = _LONGEST_TEXT) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


def _metric_name(metric: str) -> str:
    return _METRIC_NAMES.get(metric, metric.replace("_", " "))


def _splits(report: EvaluationReport) -> list[tuple[str, int]]:
    names = [name for name in _SPLIT_ORDER if name in report.rows]
    return [(name, report.rows[name]) for name in dict.fromkeys([*names, *sorted(report.rows)])]


def _gate(report: EvaluationReport) -> list[tuple[str, str, str, str, bool, str]]:
    return [
        (check.head, _metric_name(check.metric), check.rule, number(check.value), check.passed, check.reason)
        for check in report.gate
    ]


def _rejections(report: EvaluationReport) -> _Table:
    rows = [
        [
            rejection.column,
            rejection.reason.replace("_", " "),
            f"{rejection.rows:,}",
            _short(rejection.example),
        ]
        for rejection in report.rejections
    ]
    return _Table(["Column", "Reason", "Rows", "Example"], rows, frozenset({2}))


def _summaries(report: EvaluationReport) -> list[_Summary]:
    """One summary per kind, in the order in which kinds first appear."""
    places = {name: f"head-{position}" for position, name in enumerate(report.heads, start=1)}
    return [
        _summary(kind, {name: head for name, head in report.heads.items() if head.kind == kind}, places)
        for kind in dict.fromkeys(head.kind for head in report.heads.values())
    ]


def _summary(kind: str, heads: dict[str, HeadReport], places: dict[str, str]) -> _Summary:
    present = dict.fromkeys(metric for head in heads.values() for metric in head.metrics)
    ordered = [metric for metric in METRICS.get(kind, ()) if metric in present]
    metrics = list(dict.fromkeys([*ordered, *present]))
    columns = [(_metric_name(metric), "lower" if metric in LOWER_IS_BETTER else "higher") for metric in metrics]
    rows = [
        (name, places[name], [_cell(head.metrics.get(metric)) for metric in metrics]) for name, head in heads.items()
    ]
    return _Summary(kind, columns, rows)


def _cell(score: Metric | None) -> _Cell | None:
    if score is None or score.value is None:
        return None
    return _Cell(
        value=number(score.value),
        interval=span(score.interval),
        reason=score.interval.reason,
        baseline=number(score.baseline),
        comparison=score.verdict or "",
        difference=span(score.difference_interval),
    )


def _head(identity: str, name: str, head: HeadReport, predictions: pl.DataFrame, figures: _Figures) -> _Head:
    analysis = _analysis(name, head, predictions) if head.n else _Analysis()
    slices = sorted(head.slices, key=_worst_slice_first)
    return _Head(
        id=identity,
        name=name,
        report=head,
        gaps=_gaps(head),
        figure=figures.add(analysis.chart) if analysis.chart else None,
        details=analysis.details,
        worst=analysis.worst,
        slices=_slices(slices[:FIRST_SLICES]),
        more_slices=_slices(slices[FIRST_SLICES:]),
    )


def _gaps(head: HeadReport) -> list[str]:
    """Which metrics have no interval, by reason."""
    missing: dict[str, list[str]] = {}
    for name, metric in head.metrics.items():
        if metric.value is not None and metric.interval.reason:
            missing.setdefault(metric.interval.reason, []).append(_metric_name(name))
    return [f"no interval for {', '.join(names)}: {reason}" for reason, names in missing.items()]


def _worst_slice_first(score: SliceScore) -> tuple[bool, float]:
    if score.score is None:
        return True, 0.0
    return False, -score.score if score.metric in LOWER_IS_BETTER else score.score


def _slices(slices: Sequence[SliceScore]) -> _Table | None:
    rows = [
        [
            score.feature,
            _short(score.value),
            f"{score.n:,}",
            _metric_name(score.metric),
            number(score.score),
            span(score.interval) or score.interval.reason,
        ]
        for score in slices
    ]
    columns = ["Feature", "Value", "Rows", "Metric", "Score", "95 % interval"]
    return _Table(columns, rows, frozenset({2, 4})) if rows else None


def _analysis(name: str, head: HeadReport, predictions: pl.DataFrame) -> _Analysis:
    known = _known_rows(name, head.classes, predictions)
    if head.kind == "regression":
        return _regression(name, known)
    if head.kind == "multilabel":
        return _multilabel(name, head.classes, known)
    return _classes(name, head, known)


def _known_rows(name: str, classes: Sequence[str], predictions: pl.DataFrame) -> pl.DataFrame:
    """Rows whose target is known, under fixed names: key, truth, predicted, then p0, p1, … by class."""
    columns = [
        predictions.get_column("key").cast(pl.String).alias("key"),
        predictions.get_column(f"{name}.true").alias("truth"),
        predictions.get_column(f"{name}.predicted").alias("predicted"),
    ]
    for position, label in enumerate(classes):
        columns.append(predictions.get_column(f"{name}.probability.{label}").alias(f"p{position}"))
    return pl.DataFrame(columns).filter(pl.col("truth").is_not_null())


def _probabilities(rows: pl.DataFrame, classes: Sequence[str]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Rows x classes, float64."""
    return rows.select(f"p{position}" for position in range(len(classes))).to_numpy().astype(np.float64)


def _regression(name: str, known: pl.DataFrame) -> _Analysis:
    finite = known.filter(pl.col("truth").is_finite() & pl.col("predicted").is_finite())
    if finite.is_empty():
        return _Analysis()
    wrong = finite.with_columns(error=pl.col("predicted") - pl.col("truth"))
    worst = wrong.sort(pl.col("error").abs(), descending=True, maintain_order=True).head(WORST_ROWS)
    rows = [
        [_short(key), number(truth), number(predicted), signed(error)]
        for key, truth, predicted, error in worst.select("key", "truth", "predicted", "error").iter_rows()
    ]
    table = _Table(["Key", "True", "Predicted", "Error"], rows, frozenset({1, 2, 3}))
    return _Analysis(charts.scatter(name, finite.select("key", "truth", "predicted")), worst=table)


def _classes(name: str, head: HeadReport, known: pl.DataFrame) -> _Analysis:
    drawable = any(any(row) for row in head.confusion)
    chart = charts.confusion_matrix(name, head.classes, head.confusion) if drawable else None
    return _Analysis(
        chart,
        details=_confusion_table(head) if chart and len(head.classes) <= charts.MOST_CLASSES else None,
        worst=_confident_mistakes(head.classes, known.filter(pl.col("truth") != pl.col("predicted"))),
    )


def _confusion_table(head: HeadReport) -> _Table:
    rows = [[label, *(f"{n:,}" for n in counts)] for label, counts in zip(head.classes, head.confusion, strict=True)]
    return _Table(["True \\ predicted", *head.classes], rows, frozenset(range(1, len(head.classes) + 1)))


def _confident_mistakes(classes: Sequence[str], wrong: pl.DataFrame) -> _Table:
    positions = {label: position for position, label in enumerate(classes)}
    probabilities = _probabilities(wrong, classes)
    predicted = np.array([positions[label] for label in wrong.get_column("predicted")], dtype=np.intp)
    confidence = probabilities[np.arange(wrong.height), predicted]
    rows = []
    for index in np.argsort(-confidence, kind="stable")[:WORST_ROWS].tolist():
        key, truth, guess = wrong.select("key", "truth", "predicted").row(index)
        of_truth = float(probabilities[index, positions[truth]]) if truth in positions else None
        rows.append([_short(key), truth, guess, number(float(confidence[index])), number(of_truth)])
    return _Table(["Key", "True", "Predicted", "Confidence", "Probability of true"], rows, frozenset({3, 4}))


def _multilabel(name: str, labels: Sequence[str], known: pl.DataFrame) -> _Analysis:
    has, said = _membership(known, "truth", labels), _membership(known, "predicted", labels)
    scores = [_label_score(label, has[:, place], said[:, place]) for place, label in enumerate(labels)]
    rows = [[score.label, number(score.precision), number(score.recall), f"{score.support:,}"] for score in scores]
    return _Analysis(
        charts.label_bars(name, scores),
        details=_Table(["Label", "Precision", "Recall", "Rows"], rows, frozenset({1, 2, 3})),
        worst=_wrong_labels(labels, known, has, said),
    )


def _membership(known: pl.DataFrame, column: str, labels: Sequence[str]) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Rows x labels: whether the row's set holds the label."""
    sets = known.get_column(column)
    return np.column_stack([sets.list.contains(pl.lit(label)).fill_null(False).to_numpy() for label in labels])


def _label_score(
    label: str, has: np.ndarray[Any, np.dtype[np.bool_]], said: np.ndarray[Any, np.dtype[np.bool_]]
) -> LabelScore:
    right, support, guesses = int((has & said).sum()), int(has.sum()), int(said.sum())
    return LabelScore(label, right / guesses if guesses else None, right / support if support else None, support)


def _wrong_labels(
    labels: Sequence[str],
    known: pl.DataFrame,
    has: np.ndarray[Any, np.dtype[np.bool_]],
    said: np.ndarray[Any, np.dtype[np.bool_]],
) -> _Table:
    """The rows with the most confident wrong label, each with that label and its probability."""
    probabilities = _probabilities(known, labels)
    error = np.where(has != said, np.abs(has - probabilities), -1.0)
    largest = error.max(axis=1)
    rows = []
    for index in np.argsort(-largest, kind="stable")[:WORST_ROWS].tolist():
        if largest[index] < 0:
            break
        key, truth, guess = known.select("key", "truth", "predicted").row(index)
        place = int(error[index].argmax())
        what = "missed" if has[index, place] else "added"
        rows.append(
            [
                _short(key),
                _short(", ".join(truth)) or "none",
                _short(", ".join(guess)) or "none",
                f"{what} {labels[place]}",
                number(float(probabilities[index, place])),
            ]
        )
    return _Table(["Key", "True", "Predicted", "Worst label", "Its probability"], rows, frozenset({4}))
