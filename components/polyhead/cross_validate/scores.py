"""Scores of several repeats as one, with intervals over rows and seeds."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy import stats

from polyhead.contracts.cross_validation import RepeatedScore
from polyhead.contracts.evaluation import Comparison, Interval, MetricScore
from polyhead.evaluate.scoring.comparing import comparison
from polyhead.kinds.metrics import Metric


def combined(metric: Metric, scores: Sequence[MetricScore]) -> RepeatedScore:
    """One metric over all repeats.

    Args:
        metric: The metric.
        scores: Of each repeat, all over the same rows.
    """
    values, baselines = _defined([score.value for score in scores]), _defined([score.baseline for score in scores])
    between = [score.difference_interval for score in scores]
    difference = _defined([score.difference for score in scores])
    apart = _interval(difference, between)
    verdict: Comparison | None = scores[0].verdict
    if apart.low is not None and apart.high is not None:
        verdict = comparison(metric, apart.low, apart.high)
    elif any(score.verdict != verdict for score in scores):
        verdict = "not clearly better"
    return RepeatedScore(
        value=_mean(values),
        baseline=_mean(baselines),
        n=scores[0].n,
        interval=_interval(values, [score.interval for score in scores]),
        difference=_mean(difference),
        difference_interval=apart,
        verdict=verdict,
        repeats=[score.value for score in scores],
    )


def _defined(values: Sequence[float | None]) -> list[float] | None:
    """The values if all repeats have one."""
    found = [value for value in values if value is not None]
    return found if len(found) == len(values) else None


def _mean(values: list[float] | None) -> float | None:
    return float(np.mean(values)) if values is not None else None


def _interval(values: list[float] | None, spans: Sequence[Interval]) -> Interval:
    """The mean's: the rows' error, on average over the repeats, and the seeds', added as independent errors are."""
    unknown = [span for span in spans if span.low is None or span.high is None]
    if values is None or unknown:
        return unknown[0] if unknown else Interval(reason="it is not defined in every repeat")
    centre, repeats = float(np.mean(values)), len(values)
    below = float(np.mean([value - (span.low or 0.0) for value, span in zip(values, spans, strict=True)]))
    above = float(np.mean([(span.high or 0.0) - value for value, span in zip(values, spans, strict=True)]))
    seeds = 0.0
    if repeats > 1:
        seeds = float(stats.t.ppf(0.975, repeats - 1) * np.std(values, ddof=1) / math.sqrt(repeats))
    method = f"{spans[0].method} over rows{', t over seeds' if repeats > 1 else ''}"
    return Interval(low=centre - math.hypot(below, seeds), high=centre + math.hypot(above, seeds), method=method)
