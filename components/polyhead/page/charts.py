"""Charts as Vega-Lite specifications, and the one palette that they and the page share.

No text from the table or the configuration ever becomes a field name or an expression: charts use a few
fixed field names, and classes, labels, heads and keys are values in the data or in a scale's domain.

Axes and text are drawn in `currentColor` and the two series colours read well on light and on dark paper, so
one specification serves both and the page's style sheet alone decides the theme.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import altair as alt

FIRST, SECOND = "#2f7fc1", "#d1711c"
"""Series colours: at least 3:1 against both papers, and distinguishable with every common colour blindness."""

SHADE = "#185a96"
"""Colour of a full heat map cell; white text reads on it."""

LIGHT = {
    "paper": "#ffffff",
    "panel": "#f5f7f9",
    "ink": "#1c2128",
    "muted": "#57606a",
    "line": "#d6dce2",
    "link": "#0b5cad",
    "good": "#116329",
    "good-paper": "#dcf5e3",
    "bad": "#a40e26",
    "bad-paper": "#fde8e8",
}
DARK = {
    "paper": "#14171c",
    "panel": "#1c2128",
    "ink": "#e6e9ee",
    "muted": "#9da7b3",
    "line": "#333b45",
    "link": "#6cb6ff",
    "good": "#5fd07f",
    "good-paper": "#14301d",
    "bad": "#ff8f87",
    "bad-paper": "#3b191b",
}
FONT = "system-ui, -apple-system, Segoe UI, Roboto, Noto Sans, sans-serif"

CONFIG: dict[str, Any] = {
    "aria": False,
    "background": None,
    "font": FONT,
    "view": {"stroke": None},
    "axis": {
        "labelColor": "currentColor",
        "titleColor": "currentColor",
        "domainColor": "currentColor",
        "tickColor": "currentColor",
        "gridColor": "currentColor",
        "domainOpacity": 0.4,
        "tickOpacity": 0.4,
        "gridOpacity": 0.12,
        "labelFontSize": 11,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "titlePadding": 8,
    },
    "legend": {"labelColor": "currentColor", "labelFontSize": 12, "title": None, "orient": "top"},
}
"""Vega configuration of every chart; given to vega-embed once."""

Row = dict[str, str | float | int | None]


@dataclass(frozen=True)
class Chart:
    """A chart and what surrounds it.

    Attributes:
        spec: Vega-Lite specification with its data inlined.
        label: What the chart shows, for those who cannot see it.
        caption: What to know when reading it; empty where the title says it all.
        height: Room to keep for it in the page, in pixels.
        max_width: The chart is as wide as its place, but never wider than this many pixels.
    """

    spec: dict[str, Any]
    label: str
    caption: str
    height: int
    max_width: int


def finished(
    chart: alt.Chart | alt.LayerChart | alt.FacetChart,
    datasets: dict[str, list[Row]],
    *,
    label: str,
    caption: str,
    height: int,
    max_width: int,
) -> Chart:
    """A chart that is as wide as its place, with its data inlined.

    Args:
        chart: It names its data.
        datasets: The data by name.
        label: Of `Chart`, like the rest.
        caption: See there.
        height: See there.
        max_width: See there.
    """
    fitted = chart.properties(
        width="container", height=height, autosize=alt.AutoSizeParams(type="fit-x", contains="padding")
    )
    return Chart(fitted.to_dict() | {"datasets": datasets}, label, caption, height, max_width)
