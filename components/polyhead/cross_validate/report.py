"""The page of a cross-validation: one HTML file that opens offline and asks nothing of the network."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from polyhead.contracts.cross_validation import CrossValidation, RepeatedHead
from polyhead.kinds.metrics import METRICS
from polyhead.page.template import page_template

_TEMPLATE = Path(__file__).with_name("report.html.j2")


@dataclass(frozen=True)
class _Row:
    """A metric of a head; `gap` says why there is no interval."""

    label: str
    value: str
    interval: str
    gap: str
    repeats: str
    baseline: str
    difference: str
    verdict: str


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
        heads={name: _rows(head) for name, head in result.heads.items()},
    )


def _rows(head: RepeatedHead) -> list[_Row]:
    return [
        _Row(
            label=f"{metric.label} {'↓' if metric.lower_is_better else '↑'}",
            value=metric.number(score.value),
            interval=metric.span(score.interval),
            gap=score.interval.reason,
            repeats=", ".join(metric.number(value) for value in score.repeats),
            baseline=metric.number(score.baseline),
            difference=metric.span_of_difference(score.difference_interval),
            verdict=score.verdict or "",
        )
        for name, score in head.metrics.items()
        for metric in [METRICS[name]]
    ]
