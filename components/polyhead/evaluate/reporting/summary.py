"""The first screen of the report: the verdict, and one line per head with its score among its references."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from polyhead.contracts.evaluation import Comparison, EvaluationReport, HeadReport, MetricScore
from polyhead.contracts.profile import ColumnDrift
from polyhead.errors import counted
from polyhead.kinds.metrics import METRICS, Metric
from polyhead.page.spans import Tick, score_bar
from polyhead.page.tables import short
from polyhead.spelling import decimals, fixed, fixed_difference_span, fixed_span, listed

NAMED_UP_TO = 12
"""Heads whose references are named on their bars; of more heads the lines are closer."""

DEPLOYED = "deployed"
PRIOR = "prior"

_NAME = 40
_MOST_APART, _MOST_NAMED = 3, 6
_KNOWN = {PRIOR: "no column", "linear": "a line over all columns", "boosted": "trees over all columns"}


@dataclass(frozen=True)
class HeadLine:
    """A head on the first screen.

    Attributes:
        place: The id of its section.
        name: The target.
        kind: Of the target.
        metric: Its headline metric.
        value: Its score in words; empty where it is not defined.
        interval: Of the score, in words; where there is none, why.
        bar: The score among its references.
        verdict: Against the prior.
        sentence: How it does.
        apart: The slices on which it is worse than on other rows; empty without any.
    """

    place: str
    name: str
    kind: str
    metric: Metric
    value: str
    interval: str
    bar: Markup
    verdict: Comparison | None
    sentence: str
    apart: str


@dataclass(frozen=True)
class ReferenceCell:
    """A reference's metric: its value, what the model is to it, and the interval of the difference."""

    value: str
    verdict: Comparison | None
    difference: str


@dataclass(frozen=True)
class ScoreRow:
    """A metric of a head: its score, and that of each reference; None where one is not defined."""

    metric: Metric
    value: str
    interval: str
    weighted: str
    references: list[ReferenceCell | None]


@dataclass(frozen=True)
class Scores:
    """All scores of a head beside its references; `gaps` say why metrics and intervals are missing."""

    references: list[str]
    rows: list[ScoreRow]
    weighted: bool
    gaps: list[str]


def place_of(position: int) -> str:
    """The id of the section of the head at a position, from 1."""
    return f"head-{position}"


def head_lines(report: EvaluationReport) -> list[HeadLine]:
    """One line per head, in the configuration's order."""
    named = len(report.heads) <= NAMED_UP_TO
    return [
        _line(place_of(at), name, head, named=named) for at, (name, head) in enumerate(report.heads.items(), start=1)
    ]


def _line(place: str, name: str, head: HeadReport, *, named: bool) -> HeadLine:
    metric = METRICS[next(iter(head.metrics))]
    score = head.metrics[metric.name]
    places = decimals(score.value)
    span = fixed_span(score.interval, places, metric.format)
    return HeadLine(
        place,
        name,
        head.kind,
        metric,
        "" if score.value is None else fixed(score.value, places, metric.format),
        span or (f"no interval: {score.interval.reason}" if score.value is not None and score.interval.reason else ""),
        _bar(metric, score, head, places, named=named),
        score.verdict,
        _said(head.sentence, metric) or _sentence(metric, head),
        _apart(metric, head, places),
    )


def _bar(metric: Metric, score: MetricScore, head: HeadReport, places: int, *, named: bool) -> Markup:
    simple = {name: of[metric.name].value for name, of in head.references.items() if metric.name in of}
    beside = [(PRIOR, score.baseline), *simple.items()]
    ticks = [
        Tick(name, value, fixed(value, places), strong=name == DEPLOYED) for name, value in beside if value is not None
    ]
    return score_bar(score.value, score.interval, ticks, falling=metric.lower_is_better, labelled=named)


def _apart(metric: Metric, head: HeadReport, places: int) -> str:
    """The worst slices that stand out, with their scores."""
    found = sorted(
        (one for one in head.slices if one.stands_out and one.score is not None),
        key=lambda one: metric.goodness(one.score or 0.0),
    )
    words = [
        f"{short(one.feature, _NAME)} {short(one.value, _NAME)} ({fixed(one.score, places, metric.format)})"
        for one in found[:_MOST_APART]
    ]
    more = [f"{len(found) - _MOST_APART:,} more"] if len(found) > _MOST_APART else []
    return f"Worse than on the other rows: {listed([*words, *more])}." if words else ""


def verdict_words(report: EvaluationReport) -> str:
    """How many rules hold, and what that means for the model, with the heads that keep it back."""
    if not report.gate:
        return "The configuration has no rule that decides whether the model may go out."
    holding, rules = sum(check.passed for check in report.gate), len(report.gate)
    count = f"{holding} of {counted(rules, 'rule')} {'holds' if 1 in (holding, rules) else 'hold'}"
    if report.verdict == "passed":
        made_up = "" if all(check.passed for check in report.gate) else ", and the others are made up for"
        return f"{count}{made_up}: the model may go out."
    failing = [check.head for check in report.gate if not check.passed and not check.waived]
    names = [short(name, _NAME) for name in dict.fromkeys(failing)]
    more = [f"{len(names) - _MOST_NAMED:,} more"] if len(names) > _MOST_NAMED else []
    return f"{count}: {listed([*names[:_MOST_NAMED], *more])} {'keeps' if len(names) == 1 else 'keep'} the model back."


def _said(sentence: str, metric: Metric) -> str:
    """The sentence as it stands beside the score: without a score of its own in front."""
    score, colon, rest = sentence.partition(": ")
    said = rest if colon and score.startswith(f"{metric.label} ") else sentence
    return said[:1].upper() + said[1:]


def _sentence(metric: Metric, head: HeadReport) -> str:
    """How a head does beside its references, where nothing better is said of it."""
    verdicts: dict[str, list[str]] = {}
    for name, verdict in [
        (f"the {PRIOR}", head.metrics[metric.name].verdict),
        *((name, of[metric.name].verdict) for name, of in head.references.items() if metric.name in of),
    ]:
        if verdict:
            verdicts.setdefault(verdict, []).append(name)
    words = {"better": "better than", "not clearly better": "not clearly better than", "worse": "worse than"}
    said = "; ".join(f"{text} {listed(verdicts[of])}" for of, text in words.items() if of in verdicts)
    return f"{said[:1].upper()}{said[1:]}." if said else ""


def scores_of(head: HeadReport) -> Scores:
    """Every metric of a head beside the prior and the simple models."""
    names = list(head.references)
    rows = []
    for name, score in head.metrics.items():
        if score.value is None:
            continue
        metric, places = METRICS[name], decimals(score.value)
        cells = [
            None
            if score.baseline is None
            else ReferenceCell(
                fixed(score.baseline, places, metric.format),
                score.verdict,
                fixed_difference_span(score.difference_interval, places),
            )
        ]
        for reference in names:
            held = head.references[reference].get(name)
            cells.append(
                None
                if held is None or held.value is None
                else ReferenceCell(
                    fixed(held.value, places, metric.format), held.verdict, fixed_difference_span(held.interval, places)
                )
            )
        rows.append(
            ScoreRow(
                metric,
                fixed(score.value, places, metric.format),
                fixed_span(score.interval, places, metric.format),
                _weighted(score.weighted, places, metric),
                cells,
            )
        )
    return Scores([PRIOR, *names], rows, any(row.weighted for row in rows), _gaps(head))


def _weighted(score: MetricScore | None, places: int, metric: Metric) -> str:
    """A score by row weights with its interval; empty where there is none."""
    if score is None or score.value is None:
        return ""
    span = fixed_span(score.interval, places, metric.format)
    return fixed(score.value, places, metric.format) + (f" ({span})" if span else "")


def _gaps(head: HeadReport) -> list[str]:
    """Which metrics are not defined, and which have no interval, by reason."""
    undefined = [METRICS[name].label for name, metric in head.metrics.items() if metric.value is None]
    missing: dict[str, list[str]] = {}
    for name, metric in head.metrics.items():
        if metric.value is not None and metric.interval.reason:
            missing.setdefault(metric.interval.reason, []).append(METRICS[name].label)
    return [
        *([f"Not defined on these rows: {', '.join(undefined)}."] if undefined else []),
        *(f"No interval for {', '.join(names)}: {reason}." for reason, names in missing.items()),
    ]


def references_words(report: EvaluationReport) -> str:
    """What the simple models beside the heads are."""
    names = dict.fromkeys([PRIOR, *(name for head in report.heads.values() for name in head.references)])
    said = {name: _KNOWN.get(name, f"a line over {name} columns alone") for name in names if name != DEPLOYED}
    return "; ".join(f"{name}: {what}" for name, what in said.items())


def to_look_at(report: EvaluationReport, drift: Sequence[ColumnDrift]) -> list[tuple[str, str]]:
    """What deserves a look before the numbers are believed: words, and the id of the section that has it."""
    columns = len({one.column for one in drift if one.drift != "none"})
    apart = sum(score.stands_out for head in report.heads.values() for score in head.slices)
    suspects = sum(head.suspects for head in report.heads.values())
    found = [
        (counted(apart, "slice") + f" stand{'s' if apart == 1 else ''} out", "slices") if apart else None,
        (counted(len(report.findings), "leakage finding"), "findings") if report.findings else None,
        (f"{counted(columns, 'column')} drifted", "drift") if columns else None,
        (counted(len(report.warnings), "warning"), "warnings") if report.warnings else None,
        (f"{counted(report.rows_rejected, 'row')} rejected", "rejected") if report.rejections else None,
        (counted(suspects, "label suspect"), "heads") if suspects else None,
    ]
    return [one for one in found if one]
