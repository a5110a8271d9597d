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
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import altair as alt
import polars as pl
import vl_convert
from markupsafe import Markup

from polyhead.contracts.balance import Balance, HeadBalance
from polyhead.contracts.bundle import Epoch
from polyhead.contracts.evaluation import EvaluationReport, HeadReport, MetricScore, ReferenceScore, SliceScore
from polyhead.evaluate import curves
from polyhead.evaluate.shown import known_rows
from polyhead.kinds.metrics import GATE_METRICS, METRICS, Metric
from polyhead.kinds.protocols.report import Analysis
from polyhead.kinds.reports import REPORTS
from polyhead.page import charts
from polyhead.page.charts import Chart
from polyhead.page.rows import ShownRow
from polyhead.page.tables import Table, short
from polyhead.page.template import page_template
from polyhead.spelling import signed

FIRST_SLICES = 10
FIRST_LABELS = 12
_SHORT = 60
_NO_BALANCE = Balance()
_NO_ROWS: Mapping[str, ShownRow] = {}
_TEMPLATE = Path(__file__).with_name("report.html.j2")
_SPLIT_ORDER = ("train", "val", "test")
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
class _Cell:
    """A metric of a head in the summary; `reason` says why there is no interval, `weighted` may be empty."""

    value: str
    interval: str
    reason: str
    baseline: str
    comparison: str
    difference: str
    weighted: str = ""


@dataclass(frozen=True)
class _Summary:
    """The heads of one kind: `rows` are head, its id, and a cell per metric."""

    kind: str
    metrics: list[Metric]
    rows: list[tuple[str, str, list[_Cell | None]]]


@dataclass(frozen=True)
class _References:
    """Simple models of a head: `rows` are a name and a cell per metric, whose comparison is that of the model."""

    metrics: list[Metric]
    rows: list[tuple[str, list[_Cell | None]]]


@dataclass(frozen=True)
class _Head:
    """One head's section."""

    id: str
    name: str
    report: HeadReport
    references: _References | None
    gaps: list[str]
    figure: _Figure | None
    details: Table | None
    worst_heading: str
    worst: Table | None
    slices: Table | None
    more_slices: Table | None


class _Figures:
    """Hands out the ids of charts and collects their specifications."""

    def __init__(self) -> None:
        self.specs: dict[str, dict[str, Any]] = {}

    def add(self, chart: Chart, *, title: str = "") -> _Figure:
        identity = f"chart-{len(self.specs) + 1}"
        self.specs[identity] = chart.spec
        return _Figure(identity, chart, title)


def render_report(
    report: EvaluationReport,
    predictions: pl.DataFrame,
    *,
    epochs: list[Epoch],
    sheets: Mapping[str, bytes],
    title: str,
    refitted: bool = False,
    balance: Balance = _NO_BALANCE,
    shown: Mapping[str, ShownRow] = _NO_ROWS,  # noqa: ARG001  # the worst rows' tables do not show them yet
) -> str:
    """Write the report page.

    Args:
        report: The numbers and the verdict.
        predictions: One row per evaluated row: `key` string and, for each head of the report, `<head>.true`
            and `<head>.predicted` (string for binary, multiclass and ordinal, list of string for multilabel, float64
            for numbers) and, for classes, `<head>.probability.<class>` float64. A null `.true` is a missing target.
            Columns of other heads are ignored.
        epochs: The training history in order; empty leaves the curves out.
        sheets: Contact sheets of the training's pictures by feature, as JPEG files.
        title: Heading of the page.
        refitted: As in `polyhead.contracts.bundle.ModelBundle`.
        balance: What each split holds of every head; shown for the heads of the report.
        shown: What the worst rows look like, by key as `polyhead.page.tables.short` has it.

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
    score = figures.add(curves.score_curve(epochs, refitted=refitted)) if epochs else None
    names = [name for name in report.heads if any(name in epoch.losses for epoch in epochs)]
    losses = [figures.add(curves.loss_curve(name, epochs), title=name) for name in names]
    weighed = [name for name in report.heads if any(name in (epoch.log_variances or ()) for epoch in epochs)]
    weights = [figures.add(curves.weight_curve(name, epochs), title=name) for name in weighed]
    script = _script()
    return page_template(_TEMPLATE).render(
        title=title,
        report=report,
        splits=_splits(report),
        gate_passed=sum(check.passed for check in report.gate),
        gate=_gate(report),
        summaries=_summaries(report),
        rejections=_rejections(report),
        findings=_findings(report),
        balance=_unlike(report, balance),
        balances=[
            (name, _largest(balance.heads[name]), _balance(balance.heads[name]))
            for name in report.heads
            if name in balance.heads
        ],
        heads=heads,
        score=score,
        losses=losses,
        weights=weights,
        sheets={name: base64.b64encode(content).decode() for name, content in sheets.items()},
        policy=_policy(script),
        script=Markup(script),  # noqa: S704  # a constant: no text of the user is in it
        chart_data=_inline_json({"config": charts.CONFIG, "charts": figures.specs}),
        vega_lite=alt.SCHEMA_VERSION.removeprefix("v"),
        first=charts.FIRST,
        second=charts.SECOND,
    )


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
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _inline_json(value: object) -> Markup:
    """JSON for the inside of a script element: ASCII without a character that could end or open markup."""
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)  # noqa: S704  # escaped above


def _splits(report: EvaluationReport) -> list[tuple[str, int]]:
    names = [name for name in _SPLIT_ORDER if name in report.rows]
    return [(name, report.rows[name]) for name in dict.fromkeys([*names, *sorted(report.rows)])]


def _gate(report: EvaluationReport) -> list[tuple[str, str, str, str, bool, str]]:
    return [
        (check.head, metric.label, check.rule, metric.number(check.value), check.passed, check.reason)
        for check in report.gate
        for metric in [GATE_METRICS[check.metric]]
    ]


def _rejections(report: EvaluationReport) -> Table:
    rows = [
        [
            rejection.column,
            rejection.reason.replace("_", " "),
            f"{rejection.rows:,}",
            short(rejection.example),
        ]
        for rejection in report.rejections
    ]
    return Table(["Column", "Reason", "Rows", "Example"], rows, frozenset({2}))


def _findings(report: EvaluationReport) -> Table:
    rows = [
        [
            finding.code.replace("_", " "),
            finding.column,
            f"{finding.count:,}",
            f"{finding.affected:,}",
            finding.message,
            ", ".join(map(short, finding.rows)),
            finding.remedy,
        ]
        for finding in report.findings
    ]
    columns = ["Finding", "Columns", "Count", "Rows", "What was found", "First rows", "What to do"]
    return Table(columns, rows, frozenset({2, 3}))


def _unlike(report: EvaluationReport, balance: Balance) -> str:
    """In which head a split differs most from all rows; empty where that cannot be said."""
    if balance.most_unlike not in report.heads:
        return ""
    return f"{balance.most_unlike}: {_largest(balance.heads[balance.most_unlike])}"


def _largest(head: HeadBalance) -> str:
    """How far a split is from all rows at most, in words."""
    largest = head.largest
    if largest is None:
        return "there is nothing to compare"
    if largest.of == "mean" and not any(held.labels for held in head.splits.values()):
        by = f"{signed(largest.value)} standard deviations"
        return f"the mean of {largest.split} differs by {by} from that of all rows"
    share = signed(100 * largest.value, "percent")
    return f"the share of {short(largest.of, _SHORT)} in {largest.split} differs by {share} from that of all rows"


def _balance(head: HeadBalance) -> Table:
    """What each split holds of a head: shares of the rows by label, or mean and standard deviation."""
    labels = list(dict.fromkeys(label for held in head.splits.values() for label in held.labels))
    rows = [["rows with a value", *(f"{held.rows:,}" for held in head.splits.values())]]
    rows.append(["rows without one", *(f"{held.missing:,}" for held in head.splits.values())])
    for label in labels[:FIRST_LABELS]:
        shares = (f"{held.labels[label] / held.rows:.1%}" if held.rows else "" for held in head.splits.values())
        rows.append([short(label, _SHORT), *shares])
    if len(labels) > FIRST_LABELS:
        rows.append([f"and {len(labels) - FIRST_LABELS:,} more", *("" for _ in head.splits)])
    if not labels:
        for title, of in (("mean", "mean"), ("standard deviation", "deviation")):
            numbers = (getattr(held, of) for held in head.splits.values())
            rows.append([title, *("" if number is None else f"{number:,.5g}" for number in numbers)])
    return Table(["", *head.splits], rows, frozenset(range(1, 1 + len(head.splits))))


def _summaries(report: EvaluationReport) -> list[_Summary]:
    """One summary per kind, in the order in which kinds first appear."""
    places = {name: f"head-{position}" for position, name in enumerate(report.heads, start=1)}
    by_kind: dict[str, dict[str, HeadReport]] = {}
    for name, head in report.heads.items():
        by_kind.setdefault(head.kind, {})[name] = head
    return [_summary(kind, heads, places) for kind, heads in by_kind.items()]


def _summary(kind: str, heads: dict[str, HeadReport], places: dict[str, str]) -> _Summary:
    metrics = [METRICS[name] for name in dict.fromkeys(name for head in heads.values() for name in head.metrics)]
    rows = [
        (name, places[name], [_cell(metric, head.metrics.get(metric.name)) for metric in metrics])
        for name, head in heads.items()
    ]
    return _Summary(kind, metrics, rows)


def _cell(metric: Metric, score: MetricScore | None) -> _Cell | None:
    if score is None or score.value is None:
        return None
    return _Cell(
        value=metric.number(score.value),
        interval=metric.span(score.interval),
        reason=score.interval.reason,
        baseline=metric.number(score.baseline),
        comparison=score.verdict or "",
        difference=metric.span_of_difference(score.difference_interval),
        weighted="" if score.weighted is None else metric.number(score.weighted),
    )


def _head(identity: str, name: str, head: HeadReport, predictions: pl.DataFrame, figures: _Figures) -> _Head:
    facet = REPORTS[head.kind]
    analysis = facet.analyse(name, head, known_rows(name, head.classes, predictions)) if head.n else Analysis()
    slices = sorted(head.slices, key=_worst_slice_first)
    return _Head(
        id=identity,
        name=name,
        report=head,
        references=_references(head),
        gaps=_gaps(head),
        figure=figures.add(analysis.chart) if analysis.chart else None,
        details=analysis.details,
        worst_heading=facet.WORST,
        worst=analysis.worst,
        slices=_slices(slices[:FIRST_SLICES]),
        more_slices=_slices(slices[FIRST_SLICES:]),
    )


def _references(head: HeadReport) -> _References | None:
    if not head.references:
        return None
    metrics = [METRICS[name] for name in head.metrics]
    prior = [_beside(metric, _prior(head.metrics[metric.name])) for metric in metrics]
    rows = [
        (name, [_beside(metric, of.get(metric.name)) for metric in metrics]) for name, of in head.references.items()
    ]
    return _References(metrics, [("prior", prior), *rows])


def _prior(score: MetricScore) -> ReferenceScore:
    return ReferenceScore(
        value=score.baseline, difference=score.difference, interval=score.difference_interval, verdict=score.verdict
    )


def _beside(metric: Metric, score: ReferenceScore | None) -> _Cell | None:
    if score is None or score.value is None:
        return None
    return _Cell(
        value=metric.number(score.value),
        interval="",
        reason=score.interval.reason,
        baseline="",
        comparison=score.verdict or "",
        difference=metric.span_of_difference(score.interval),
    )


def _gaps(head: HeadReport) -> list[str]:
    """Which metrics have no interval, by reason."""
    missing: dict[str, list[str]] = {}
    for name, metric in head.metrics.items():
        if metric.value is not None and metric.interval.reason:
            missing.setdefault(metric.interval.reason, []).append(METRICS[name].label)
    return [f"no interval for {', '.join(names)}: {reason}" for reason, names in missing.items()]


def _worst_slice_first(score: SliceScore) -> tuple[bool, float]:
    if score.score is None:
        return True, 0.0
    return False, METRICS[score.metric].goodness(score.score)


def _slices(slices: Sequence[SliceScore]) -> Table | None:
    rows = [
        [
            score.feature,
            short(score.value),
            f"{score.n:,}",
            metric.label,
            metric.number(score.score),
            metric.span(score.interval) or score.interval.reason,
        ]
        for score in slices
        for metric in [METRICS[score.metric]]
    ]
    columns = ["Feature", "Value", "Rows", "Metric", "Score", "95 % interval"]
    return Table(columns, rows, frozenset({2, 4})) if rows else None
