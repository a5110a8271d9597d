"""The page of a cross-validation: one HTML file that opens offline and asks nothing of the network."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from polyhead.contracts.cross_validation import CrossValidation, RepeatedHead
from polyhead.contracts.evaluation import Comparison
from polyhead.kinds.metrics import METRICS, Metric
from polyhead.page.spans import Tick, score_bar
from polyhead.page.template import page_template
from polyhead.spelling import decimals, fixed, fixed_difference_span, fixed_span

_TEMPLATE = Path(__file__).with_name("report.html.j2")


@dataclass(frozen=True)
class _Line:
    """A head in the summary, with its first metric."""

    place: str
    name: str
    kind: str
    label: str
    value: str
    bar: Markup


@dataclass(frozen=True)
class _Row:
    """A metric of a head; `gap` says why there is no interval."""

    metric: Metric
    value: str
    interval: str
    gap: str
    repeats: str
    baseline: str
    difference: str
    verdict: Comparison | None


def render_page(result: CrossValidation, *, title: str) -> str:
    """Write the page.

    Args:
        result: The numbers.
        title: Heading of the page.

    Returns:
        A whole HTML document. The same arguments give the same text.
    """
    return page_template(_TEMPLATE).render(
        title=title,
        result=result,
        lines=[_line(f"head-{at}", name, head) for at, (name, head) in enumerate(result.heads.items(), start=1)],
        heads={name: _rows(head) for name, head in result.heads.items()},
    )


def _line(place: str, name: str, head: RepeatedHead) -> _Line:
    metric = METRICS[next(iter(head.metrics))]
    score = head.metrics[metric.name]
    places = decimals(score.value)
    baseline = [] if score.baseline is None else [Tick("baseline", score.baseline, fixed(score.baseline, places))]
    return _Line(
        place,
        name,
        head.kind,
        metric.label,
        "" if score.value is None else fixed(score.value, places, metric.format),
        score_bar(score.value, score.interval, baseline, falling=metric.lower_is_better),
    )


def _rows(head: RepeatedHead) -> list[_Row]:
    return [
        _Row(
            metric=metric,
            value=fixed(score.value, places, metric.format),
            interval=fixed_span(score.interval, places, metric.format),
            gap=score.interval.reason,
            repeats=", ".join(fixed(value, places, metric.format) for value in score.repeats),
            baseline=fixed(score.baseline, places, metric.format),
            difference=fixed_difference_span(score.difference_interval, places),
            verdict=score.verdict,
        )
        for name, score in head.metrics.items()
        for metric, places in [(METRICS[name], decimals(score.value))]
    ]
