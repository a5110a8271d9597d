"""What the report says of a head beyond its predictions: calibration, classes, coverage, worth of inputs, slices."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from polyhead.contracts.evaluation import ClassRow, HeadReport, Interval, Reliability, SliceScore, Worth
from polyhead.errors import counted
from polyhead.kinds.metrics import METRICS, Metric
from polyhead.page.charts import Axis, Chart, Plot
from polyhead.page.colours import SERIES
from polyhead.page.spans import span_cells
from polyhead.page.tables import Table, bar, muted, short
from polyhead.spelling import decimals, fixed, fixed_difference, fixed_span, percent

FIRST_SLICES, FIRST_CLASSES = 10, 12
_NAME = 60
_HOW = {
    "hidden": "hidden: taken as missing in every row",
    "permuted": "permuted: each row gets that of another row",
    "retrained": "retrained: a model trained without it",
}
_MARKS = {
    "better": Markup('<span class="mark good" title="helps">✓</span><span class="hidden"> helps</span>'),
    "not clearly better": Markup(
        '<span class="mark unclear" title="not clear">≈</span><span class="hidden"> not clear</span>'
    ),
    "worse": Markup('<span class="mark bad" title="hurts">✕</span><span class="hidden"> hurts</span>'),
}
_STANDS_OUT = Markup('<span class="mark bad">✕ stands out</span>')
_NONE = Markup('<span class="muted" title="{}">none</span>')
_REASONS = 2
_COUNT = re.compile(r"\b([\d,]+) (row|value|error)s?\b")
_FEW_ROWS = 10
_MOST_NAMED = 3
_MARKED = Markup("{} {}")
_SLICE = Markup('<span class="muted">{}</span> {} {}')


@dataclass(frozen=True)
class Folded:
    """A table of which the first rows are shown and the rest is folded; `cut` says what is left out of both."""

    first: Table
    more: Table | None = None
    cut: str = ""


@dataclass(frozen=True)
class WorthOfInputs:
    """What a head's inputs add to its first metric, by the way of taking them away; why intervals are missing.

    `said` names those that add most.
    """

    name: str
    place: str
    metric: Metric
    said: str
    groups: list[tuple[str, Table]]
    gaps: str


@dataclass(frozen=True)
class SlicesOfHead:
    """A head's headline metric by slice, the worst first."""

    name: str
    place: str
    metric: Metric
    overall: str
    apart: int
    slices: Folded


def reliability(found: Sequence[Reliability], per_class: Sequence[ClassRow]) -> Chart | None:
    """How often what has a probability comes true; with intervals where there is one line.

    Args:
        found: Of a head; those beyond the first few are in the table alone.
        per_class: Of the head: the most frequent come first, in the colours that they have in the other curves.
    """
    rows = {row.label: row.support for row in per_class}
    shown = sorted((one for one in found if one.bins), key=lambda one: -rows.get(one.of, 0))[: len(SERIES)]
    if not shown:
        return None
    plot = Plot(Axis("Predicted probability", 0, 1, percent=True), Axis("Share that came true", 0, 1, percent=True))
    plot.line([(0, 0), (1, 1)], "guide")
    for kind, one in zip(SERIES, shown, strict=False):
        points = [(held.predicted, held.observed) for held in one.bins]
        plot.line(points, kind)
        if len(shown) == 1:
            spans = [
                (held.predicted, held.interval.low, held.interval.high)
                for held in one.bins
                if held.interval.low is not None and held.interval.high is not None
            ]
            plot.whiskers(spans, kind)
        plot.dots(points, f"mark {kind}")
    several = len(shown) > 1
    errors = ", ".join(f"{short(one.of, 24)} {percent(one.error)}" if several else percent(one.error) for one in shown)
    of = f" of {short(shown[0].of, _NAME)}" if shown[0].of and not several else ""
    said = f"On the dashed line probabilities{of} hold. Expected calibration error: {errors}."
    names = tuple((kind, short(one.of, 40) or "predicted class") for kind, one in zip(SERIES, shown, strict=False))
    return Chart("Reliability", plot.svg(), said, names if several else (), _reliability_table(shown))


def _reliability_table(found: Sequence[Reliability]) -> Table:
    several = len(found) > 1
    rows = [
        [
            *([short(one.of, 40)] if several else []),
            percent(held.predicted),
            f"{held.n:,}",
            percent(held.observed),
            _shares(held.interval),
        ]
        for one in found
        for held in one.bins
    ]
    columns = [*(["Of"] if several else []), "Predicted", "Rows", "Came true", "95 % interval"]
    return Table(columns, rows, frozenset(range(1, len(columns))))


def _shares(interval: Interval) -> str:
    if interval.low is None or interval.high is None:
        return ""
    return f"{100 * interval.low:.1f} to {percent(interval.high)}"


def class_table(rows: Sequence[ClassRow], thresholds: dict[str, float], noun: str, most: int) -> Folded | None:
    """Precision, recall and F1 by class; of many classes the worst first.

    Args:
        rows: By class; without any there is no table.
        thresholds: From which probability on a class is said, where each has one of its own.
        noun: What a class is called.
        most: How many classes are shown at most.
    """
    if not rows:
        return None
    many = len(rows) > FIRST_CLASSES
    ordered = sorted(rows, key=_worst_class_first) if many else list(rows)
    each = len(thresholds) > 1
    columns = [noun.capitalize(), "Rows", "Predicted", "Precision", "Recall", "F1", *(["From"] if each else [])]

    def table(some: Sequence[ClassRow]) -> Table:
        cells = [
            [
                short(row.label, _NAME),
                f"{row.support:,}",
                f"{row.predicted:,}" if row.predicted else muted("never predicted"),
                "" if row.precision is None else bar(row.precision, percent(row.precision)),
                muted("no rows") if row.recall is None else bar(row.recall, percent(row.recall)),
                "" if row.f1 is None else fixed(row.f1, 3),
                *([fixed(thresholds.get(row.label), 3)] if each else []),
            ]
            for row in some
        ]
        return Table(columns, cells, frozenset(range(1, len(columns))))

    cut = f"The {most} worst of {len(rows):,}; all are in EvaluationReport.json." if len(rows) > most else ""
    rest = ordered[FIRST_CLASSES:most] if many else []
    return Folded(table(ordered[:FIRST_CLASSES]), table(rest) if rest else None, cut)


def _worst_class_first(row: ClassRow) -> tuple[bool, float, int]:
    """Those with rows first, then by F1, then by rows."""
    return not row.support, row.f1 or 0.0, -row.support


def coverage_sentence(head: HeadReport) -> str:
    """What the conformal intervals or sets of a head held; empty without any."""
    held = head.conformal
    if held is None:
        return ""
    span = _shares(held.interval)
    between = f" (95 % interval {span})" if span else ""
    if head.classes:
        what, size = "sets", f"{held.size:.2f} classes in a set on average"
    else:
        what, size = "intervals", f"mean width {fixed(held.size, decimals(held.size))}"
    rows = counted(held.calibrated_on, "val row")
    counted_by = f", by row weights {percent(held.weighted.coverage)}" if held.weighted else ""
    return (
        f"The {_level(held.level)} {what} hold {percent(held.coverage)}{between} of the true values{counted_by}; "
        f"{size}; fitted on {rows}."
    )


def _level(level: float) -> str:
    return f"{100 * level:.10g} %"


def worth_of_inputs(name: str, place: str, head: HeadReport, most: int) -> WorthOfInputs | None:
    """What each input adds, the `most` most valuable first; None where nothing was taken away."""
    if not head.worth:
        return None
    metric = METRICS[head.worth[0].metric]
    gains = [_turned(metric, one) for one in head.worth]
    ordered = sorted(zip(head.worth, gains, strict=True), key=lambda pair: -math.inf if pair[1] is None else -pair[1])[
        :most
    ]
    cells = span_cells(
        [(gain, _turned_span(metric, one.interval), one.verdict == "worse") for one, gain in ordered],
        0.0,
        falling=False,
    )
    places = decimals(head.metrics[metric.name].value) if metric.name in head.metrics else 3
    by_how: dict[str, list[list[str]]] = {}
    for (one, gain), cell in zip(ordered, cells, strict=True):
        span = _turned_span(metric, one.interval)
        interval = f"{fixed_difference(span[0], places)} to {fixed_difference(span[1], places)}" if span else ""
        by_how.setdefault(one.how, []).append(
            [
                short(one.name, _NAME),
                cell,
                _MARKED.format(_MARKS[one.verdict] if one.verdict else "", fixed_difference(gain, places))
                if gain is not None
                else muted("not defined"),
                _interval(interval, one.interval.reason),
            ]
        )
    what = f"{'takes off' if metric.lower_is_better else 'adds to'} {metric.label}"
    columns = ["Input", f"What it {what}", "Difference", "95 % interval"]
    groups = [(_HOW[how], Table(columns, by_how[how], frozenset({2, 3}))) for how in _HOW if how in by_how]
    clear = [
        f"{short(one.name, _NAME)} {fixed_difference(gain, places)}"
        for one, gain in ordered
        if one.how == "hidden" and one.verdict == "better"
    ]
    said = ", ".join(clear[:_MOST_NAMED]) or "no input adds anything measurable"
    return WorthOfInputs(name, place, metric, said, groups, _gaps(one.interval for one, _ in ordered))


def _interval(text: str, reason: str) -> str:
    """A cell of intervals; why there is none is in its tooltip, and below the table."""
    return muted(text) if text else _NONE.format(reason) if reason else ""


def _gaps(intervals: Iterable[Interval]) -> str:
    """Why intervals are missing, the most frequent reasons first; empty where none is.

    Reasons that differ in their first number alone are one: `2 to 9 rows, an interval needs 10`.
    """
    alike: dict[str, Counter[str]] = {}
    for interval in intervals:
        if interval.reason:
            alike.setdefault(_COUNT.sub(r"# \2s", interval.reason, count=1), Counter())[interval.reason] += 1
    most = sorted(alike.items(), key=lambda pair: -pair[1].total())
    said = "; ".join(_ranged(words, of) for words, of in most[:_REASONS])
    return f"No interval: {said}{'; and the like' if len(most) > _REASONS else ''}." if most else ""


def _ranged(words: str, reasons: Collection[str]) -> str:
    """Reasons that are alike as one, with the least and the largest of their first numbers."""
    if len(reasons) == 1:
        return next(iter(reasons))
    counts = sorted(int(match[1].replace(",", "")) for reason in reasons if (match := _COUNT.search(reason)))
    return words.replace("#", f"{counts[0]:,} to {counts[-1]:,}", 1)


def _turned(metric: Metric, one: Worth) -> float | None:
    """What the features gain, larger is better."""
    return None if one.difference is None else metric.goodness(one.difference)


def _turned_span(metric: Metric, interval: Interval) -> tuple[float, float] | None:
    if interval.low is None or interval.high is None:
        return None
    low, high = sorted((metric.goodness(interval.low), metric.goodness(interval.high)))
    return low, high


def slices_of_head(name: str, place: str, head: HeadReport, most: int) -> SlicesOfHead | None:
    """Slices with their score around that of all rows, the `most` worst first; None without any."""
    if not head.slices:
        return None
    ordered = sorted(head.slices, key=_worst_slice_first)
    metric = METRICS[ordered[0].metric]
    whole = head.metrics[metric.name].value if metric.name in head.metrics else None
    places = decimals(whole)
    shown = ordered[:most]
    defined = [score.score for score in shown if score.score is not None]
    middle = whole if whole is not None else sum(defined) / len(defined) if defined else 0.0
    cells = span_cells(
        [(score.score, _span(score.interval), score.stands_out) for score in shown],
        middle,
        falling=metric.lower_is_better,
        within=[score.n >= _FEW_ROWS for score in shown],
    )
    covered = any(score.coverage is not None for score in shown)
    columns = [
        "Slice",
        "Rows",
        f"{metric.label[:1].upper()}{metric.label[1:]}, beside that of all rows",
        "Score",
        "95 % interval",
        *(["Coverage"] if covered else []),
    ]
    rows = [
        [
            _SLICE.format(
                short(score.feature, _NAME), short(score.value, _NAME), _STANDS_OUT if score.stands_out else ""
            ),
            f"{score.n:,}",
            cell,
            fixed(score.score, places, metric.format),
            _interval(fixed_span(score.interval, places, metric.format), score.interval.reason),
            *(["" if score.coverage is None else percent(score.coverage)] if covered else []),
        ]
        for score, cell in zip(shown, cells, strict=True)
    ]
    numeric = frozenset({1, 3, 4, 5} if covered else {1, 3, 4})
    more = rows[FIRST_SLICES:]
    cut = f"The {most} worst of {len(ordered):,}." if len(ordered) > most else ""
    said = " ".join(filter(None, [cut, _gaps(score.interval for score in shown)]))
    return SlicesOfHead(
        name,
        place,
        metric,
        fixed(whole, places, metric.format),
        sum(score.stands_out for score in head.slices),
        Folded(Table(columns, rows[:FIRST_SLICES], numeric), Table(columns, more, numeric) if more else None, said),
    )


def _span(interval: Interval) -> tuple[float, float] | None:
    return None if interval.low is None or interval.high is None else (interval.low, interval.high)


def _worst_slice_first(score: SliceScore) -> tuple[int, float]:
    """Those that stand out, then by score; then those of a few rows, whose scores are chance, and those without one."""
    if score.score is None:
        return 3, 0.0
    place = 0 if score.stands_out else 1 if score.n >= _FEW_ROWS else 2
    return place, METRICS[score.metric].goodness(score.score)
