"""Metrics with their 95 % intervals, beside those of the baseline, and what may be called better.

How each interval is computed: `polyhead.intervals`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from polyhead.contracts.evaluation import Comparison, Interval, MetricScore, ReferenceScore
from polyhead.evaluate.scoring.metrics import measure
from polyhead.intervals.method import Floats, Resamples, Span, effective, too_few
from polyhead.kinds.metrics import Metric
from polyhead.kinds.protocols.score import Measure, Outcome
from polyhead.kinds.scores import SCORES

_UNDEFINED = "it is not defined on these rows"


def compare(
    outcome: Outcome,
    baseline: Outcome,
    *,
    resamples: int,
    seed: int,
    weights: Floats | None = None,
    names: Sequence[str] | None = None,
) -> dict[str, MetricScore]:
    """All metrics of a head with their intervals, beside those of the baseline on the same rows.

    Args:
        outcome: The head's predictions.
        baseline: Those of the trivial model, for the same rows in the same order.
        resamples: How many times the bootstrap draws the rows; below 1,000 losses and errors have no interval.
        seed: Of the drawing. The same seed gives the same intervals.
        weights: Row weights, for the `weighted` of each metric. Default: there are none.
        names: The metrics wanted. Default: all of the kind.

    Returns:
        By name, in the order asked for or that of the kind.
    """
    values, trivial = measure(outcome, names), measure(baseline, names)
    judge = Judge(outcome, baseline, resamples=resamples, seed=seed)
    weighted: dict[str, MetricScore] = {}
    if weights is not None:
        weighted = compare(*_by(weights, outcome, baseline), resamples=resamples, seed=seed, names=names)
    return {
        name: _score(name, judge, value, trivial[name]).model_copy(update={"weighted": weighted.get(name)})
        for name, value in values.items()
    }


def _by(weights: Floats, *outcomes: Outcome) -> list[Outcome]:
    return [replace(outcome, weights=weights) for outcome in outcomes]


def beside(
    outcome: Outcome, reference: Outcome, *, resamples: int, seed: int, weights: Floats | None = None
) -> dict[str, ReferenceScore]:
    """All metrics of a simple model, and how a head differs from it; arguments as in `compare`."""
    if weights is not None:
        weighted = beside(*_by(weights, outcome, reference), resamples=resamples, seed=seed)
        alike = beside(outcome, reference, resamples=resamples, seed=seed)
        return {name: score.model_copy(update={"weighted": weighted[name]}) for name, score in alike.items()}
    values, others = measure(outcome), measure(reference)
    judge = Judge(outcome, reference, resamples=resamples, seed=seed)
    found = {}
    for name, value in values.items():
        other = others[name]
        if value is None or other is None:
            found[name] = ReferenceScore(value=other)
        else:
            between, verdict = judge.difference(name)
            found[name] = ReferenceScore(value=other, difference=value - other, interval=between, verdict=verdict)
    return found


def interval(name: str, outcome: Outcome, *, resamples: int, seed: int) -> Interval:
    """One metric's interval; as `compare`, without a baseline."""
    if measure(outcome, (name,))[name] is None:
        return Interval(reason=_UNDEFINED)
    return Judge(outcome, None, resamples=resamples, seed=seed).interval(name)


def comparison(metric: Metric, low: float, high: float) -> Comparison:
    """What the 95 % interval of value minus baseline says: `better` or `worse` only where it does not contain 0."""
    least, most = sorted((metric.goodness(low), metric.goodness(high)))
    return "better" if least > 0 else "worse" if most < 0 else "not clearly better"


def _score(name: str, judge: Judge, value: float | None, trivial: float | None) -> MetricScore:
    rows = judge.rows(name)
    own = Interval(reason=_UNDEFINED) if value is None else judge.interval(name)
    if value is None or trivial is None:
        return MetricScore(value=value, baseline=trivial, n=rows, interval=own)
    between, verdict = judge.difference(name)
    return MetricScore(
        value=value,
        baseline=trivial,
        n=rows,
        interval=own,
        difference=value - trivial,
        difference_interval=between,
        verdict=verdict,
    )


class Judge:
    """One head beside its baseline, on rows where its metrics are defined.

    Args:
        outcome: The head's predictions.
        baseline: The baseline's, on the same rows; None where only the head's own intervals are wanted.
        resamples: How often the bootstrap draws.
        seed: Where its draws start.
    """

    def __init__(self, outcome: Outcome, baseline: Outcome | None, *, resamples: int, seed: int) -> None:
        self._outcome, self._baseline = outcome, baseline
        self._measures = SCORES[outcome.kind].measures
        self._resamples = Resamples(len(outcome), resamples, seed)

    def rows(self, name: str) -> int:
        """How many rows a metric is over."""
        return self._measures[name].rows(self._outcome)

    def interval(self, name: str) -> Interval:
        """Of a metric."""
        return limits_of(self._measures[name], self._outcome, self._resamples)

    def difference(self, name: str) -> tuple[Interval, Comparison]:
        """Of a metric minus the baseline's, and what it says."""
        assert self._baseline is not None
        measure = self._measures[name]
        found = (
            _too_few(measure, self._outcome)
            or measure.method.doubt_of_sign(self._outcome)
            or measure.difference(self._outcome, self._baseline, self._resamples)
        )
        verdict: Comparison = "not clearly better"
        if not isinstance(found, str):
            verdict = comparison(measure.metric, found.low, found.high)
        return _promised(_doubt(measure, self._outcome) or found), verdict


def limits_of(measure: Measure[Outcome], outcome: Outcome, resamples: Resamples) -> Interval:
    """The interval of a metric on rows where it is defined."""
    return _promised(_doubt(measure, outcome) or measure.limits(outcome, resamples))


def _doubt(measure: Measure[Outcome], outcome: Outcome) -> str:
    """Why nothing can be promised of a metric on these rows; empty where it can."""
    return _too_few(measure, outcome) or measure.method.doubt(outcome)


def _too_few(measure: Measure[Outcome], outcome: Outcome) -> str:
    rows = measure.rows(outcome)
    if outcome.weights is not None:
        rows = min(rows, int(effective(outcome.weights)))
    return too_few(rows, measure.method.fewest_rows)


def _promised(span: Span | str) -> Interval:
    if isinstance(span, str):
        return Interval(reason=span)
    return Interval(low=span.low, high=span.high, method=span.method)
