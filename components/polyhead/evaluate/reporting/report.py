"""The evaluation report: one HTML page that opens offline and can be sent to a colleague.

The page holds its style and its charts, which are static SVG; nothing runs in it and it asks nothing of the network,
and its content security policy forbids both. Every text from the table or the configuration goes through Jinja's or
markupsafe's escaping. The page has no times and no random names: the same input gives the same bytes.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl
from markupsafe import Markup

from polyhead.contracts.balance import Balance
from polyhead.contracts.bundle import Epoch
from polyhead.contracts.evaluation import EvaluationReport, GateCheck, HeadReport
from polyhead.contracts.profile import ColumnDrift
from polyhead.contracts.sizes import Size
from polyhead.errors import counted
from polyhead.evaluate.reporting import curves, held, panels, summary
from polyhead.evaluate.reporting.shown import Listed, known_rows, listed_rows
from polyhead.kinds.metrics import GATE_METRICS
from polyhead.kinds.protocols.report import ListedRows
from polyhead.kinds.reports import REPORTS
from polyhead.page.charts import Chart
from polyhead.page.rows import MappedRow, ShownRow
from polyhead.page.tables import Table, short
from polyhead.page.template import page_template
from polyhead.spelling import Format, decimals, fixed, fixed_difference, fixed_difference_span

OPEN_UP_TO = 8
"""Heads up to which every part of the page is open; of more heads some are folded."""

MOST_LINES, MOST_LINES_OF_MANY = 100, 20
"""Rows of a head's longest tables, with so few heads and with more."""

FIRST_WORST = 5
"""Worst rows that are open; the rest is folded."""

PICTURE_BYTES = 1_200_000
"""What the pictures beside the worst rows of all heads may take together; as much again those with maps."""

_PARTS = (("Predicted worst", False), ("Predicted best", True))
_VALUES = 8
_TEXT = 60
_NO_BALANCE = Balance()
_TEMPLATE = Path(__file__).with_name("report.html.j2")
_PICTURE = Markup('<img src="data:image/{};base64,{}" alt="{} of {}">')
_VALUE = Markup('<span class="pair"><span class="muted">{}</span> {}</span> ')
_MORE = Markup('<span class="pair muted">and {} more</span>')
_KEY = Markup('{}<span class="pictures">{}</span>')


@dataclass(frozen=True)
class _Head:
    """One head's section; `worst` is None where there is nothing to look at."""

    id: str
    name: str
    report: HeadReport
    sentence: str
    scores: summary.Scores
    charts: list[Chart]
    classes: panels.Folded | None
    noun: str
    coverage: str
    worst_heading: str
    worst: panels.Folded | None
    mapped: list[tuple[str, list[MappedRow]]]


def render_report(
    report: EvaluationReport,
    predictions: pl.DataFrame,
    *,
    epochs: list[Epoch],
    sheets: Mapping[str, bytes],
    title: str,
    refitted: bool = False,
    balance: Balance = _NO_BALANCE,
    drift: Sequence[ColumnDrift] = (),
    listed: Mapping[str, Listed] | None = None,
    shown: Mapping[str, ShownRow] = {},
    mapped: Mapping[str, Sequence[MappedRow]] = {},
    missing: Mapping[str, int] = {},
    config: str = "",
    sizes: Mapping[str, Size] = {},
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
        drift: How the test rows differ from the train rows. Default: nothing is said of it.
        listed: The rows that each head predicts worst and best. Default: those of the predictions.
        shown: Values and pictures of rows by key, for those that are predicted worst; of others they are ignored.
            Default: keys alone are shown.
        mapped: By head, rows with what matters in their pictures. Default: nothing is said of it.
        missing: Train rows without a value, by feature. Default: nothing is said of it.
        config: The configuration as YAML. Default: it is left out.
        sizes: What was in force in training, by path, as in `ModelBundle`. Default: it is left out.

    Returns:
        A whole HTML document. The same arguments give the same text.

    Raises:
        polars.exceptions.ColumnNotFoundError: The predictions lack a column of a head that has known targets.
    """
    lines = summary.head_lines(report)
    room = PICTURE_BYTES // max(1, len(report.heads))
    most = MOST_LINES if len(lines) <= OPEN_UP_TO else MOST_LINES_OF_MANY
    listed = listed_rows(report.heads, predictions) if listed is None else listed
    heads = [
        _head(
            line,
            report.heads[line.name],
            predictions,
            listed[line.name].worst if line.name in listed else None,
            shown,
            mapped.get(line.name, ()),
            room,
            most,
        )
        for line in lines
    ]
    trained = [name for name in report.heads if any(name in epoch.losses for epoch in epochs)]
    weighed = [name for name in report.heads if any(name in (epoch.log_variances or ()) for epoch in epochs)]
    worth = [panels.worth_of_inputs(line.name, line.place, report.heads[line.name], most) for line in lines]
    slices = [panels.slices_of_head(line.name, line.place, report.heads[line.name], most) for line in lines]
    return page_template(_TEMPLATE).render(
        title=title,
        report=report,
        lines=lines,
        named=len(lines) <= summary.NAMED_UP_TO,
        open_up_to=OPEN_UP_TO,
        deployed=any(summary.DEPLOYED in head.references for head in report.heads.values()),
        look_at=summary.to_look_at(report, drift),
        verdict_words=summary.verdict_words(report),
        references=summary.references_words(report),
        gate=_gate(report),
        splits=held.splits_of(report),
        balances=held.held_by_splits(report, balance),
        unlike=held.unlike(report, balance),
        since=held.rejected_since(report, balance),
        missing=held.missing_cells(missing, report, balance) if missing else None,
        compared=counted(len(drift), "comparison") if drift else "",
        drifted=held.drifted(drift),
        findings=held.findings_of(report),
        rejections=held.rejections_of(report),
        heads=heads,
        worth=[one for one in worth if one],
        slices=[one for one in slices if one],
        covered=any(score.coverage is not None for head in report.heads.values() for score in head.slices),
        score=curves.score_curve(epochs, refitted=refitted) if epochs else None,
        losses=[curves.loss_curve(name, epochs) for name in trained],
        loss_table=curves.loss_table(trained, epochs) if trained else None,
        weights=[curves.weight_curve(name, epochs) for name in weighed],
        weight_table=curves.weight_table(weighed, epochs) if weighed else None,
        sheets=sheets,
        sizes=_sizes(sizes),
        config=config,
    )


def _gate(report: EvaluationReport) -> list[tuple[str, str, str, str, str, bool, bool, str]]:
    return [
        (
            check.head,
            metric.label,
            check.rule,
            fixed(check.value, places, metric.format),
            _apart(check, places, metric.format) if check.passed else "",
            check.passed,
            check.waived,
            check.reason,
        )
        for check in report.gate
        for metric, places in [(GATE_METRICS[check.metric], decimals(check.value))]
    ]


def _apart(check: GateCheck, places: int, form: Format) -> str:
    """How far a score is from that of the model that it is held against."""
    if check.difference is None:
        return ""
    span = fixed_difference_span(check.interval, places)
    size = fixed_difference(check.difference, places, form)
    return f"by {size}, 95 % interval {span}" if span else f"by {size}"


def _head(
    line: summary.HeadLine,
    head: HeadReport,
    predictions: pl.DataFrame,
    worst: ListedRows | None,
    shown: Mapping[str, ShownRow],
    mapped: Sequence[MappedRow],
    room: int,
    most: int,
) -> _Head:
    facet = REPORTS[head.kind]
    known = known_rows(line.name, head.classes, predictions) if head.n else None
    reliability = panels.reliability(head.reliability, head.per_class)
    charts = [] if known is None else list(facet.charts(head, known))
    charts += [reliability] if reliability else []
    return _Head(
        id=line.place,
        name=line.name,
        report=head,
        sentence=line.sentence,
        scores=summary.scores_of(head),
        charts=charts,
        classes=panels.class_table(head.per_class, head.thresholds, facet.NOUN, most),
        noun=facet.NOUN,
        coverage=panels.coverage_sentence(head),
        worst_heading=facet.WORST,
        worst=_worst(worst, shown, room) if worst else None,
        mapped=_mapped(mapped, room),
    )


def _mapped(rows: Sequence[MappedRow], room: int) -> list[tuple[str, list[MappedRow]]]:
    """As many rows as there is room for, by what they have in common."""
    kept = []
    for row in rows:
        room -= sum(len(content) for pair in row.pictures.values() for content in pair) * 4 // 3
        if room >= 0:
            kept.append(row)
    parts = [(words, [row for row in kept if row.is_best is is_best]) for words, is_best in _PARTS]
    return [(words, some) for words, some in parts if some]


def _worst(worst: ListedRows, shown: Mapping[str, ShownRow], room: int) -> panels.Folded:
    """The worst rows with their pictures and values, and which pictures are left out to keep the page small."""
    rows: list[list[str]] = []
    under: list[str] = []
    left_out = 0
    for row in worst.rows:
        known = shown.get(row.key)
        pictures = list(known.pictures.items()) if known else []
        size = sum(len(content) for _, content in pictures) * 4 // 3
        if size > room:
            left_out += 1
            pictures = []
        room -= size if pictures else 0
        seen = Markup().join(_picture(name, row.key, content) for name, content in pictures)
        head = _KEY.format(short(row.key, _TEXT), seen) if seen else short(row.key, _TEXT)
        rows.append([head, *row.cells])
        under.append(_values(known))
    said = f"The pictures of {counted(left_out, 'row')} are left out to keep the page small." if left_out else ""
    numeric = frozenset(place + 1 for place in worst.numeric)
    columns = ["Row", *worst.columns]
    first, more = (
        Table(columns, rows[some], numeric, under=under[some])
        for some in (slice(FIRST_WORST), slice(FIRST_WORST, None))
    )
    return panels.Folded(first, more if more.rows else None, said)


def _picture(feature: str, key: str, content: bytes) -> Markup:
    form = "png" if content.startswith(b"\x89PNG") else "jpeg"
    return _PICTURE.format(form, base64.b64encode(content).decode(), feature, short(key, _TEXT))


def _values(row: ShownRow | None) -> Markup:
    if row is None:
        return Markup()
    some = list(row.values.items())[:_VALUES]
    more = _MORE.format(len(row.values) - _VALUES) if len(row.values) > _VALUES else ""
    return Markup().join(_VALUE.format(short(name, _TEXT), short(value, _TEXT)) for name, value in some) + more


def _sizes(sizes: Mapping[str, Size]) -> Table:
    rows = [[name, f"{size.value:,.6g}", size.reason] for name, size in sizes.items()]
    return Table(["Setting", "In force", "Because"], rows, frozenset({1}))
