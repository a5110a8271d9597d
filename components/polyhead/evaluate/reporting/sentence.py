"""One sentence about a head: how good it is, beside what, and thanks to which inputs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from polyhead.contracts.evaluation import HeadReport, Interval, MetricScore, ReferenceScore, Worth
from polyhead.kinds.metrics import METRICS, Metric
from polyhead.spelling import decimals, fixed, fixed_difference, listed

DEPLOYED = "deployed"
"""The name of the deployed bundle among the references."""

_NAMES = {"linear": "a linear model", "boosted": "boosting", DEPLOYED: "the deployed model", "prior": "the prior"}
_PLURAL = ("all pictures", "all vectors", "pictures tied as ")
_MOST_FEATURES = 3
_MOST_DECIMALS = 6


def sentence_of(head: HeadReport) -> str:
    """How a head does beside the best of its references and the deployed model, and which inputs it owes that to.

    Args:
        head: Its metrics, references and worth; the headline metric is the first.

    Returns:
        Plain English with 95 % intervals in brackets; empty for a head without metrics.
    """
    if not head.metrics:
        return ""
    name, score = next(iter(head.metrics.items()))
    metric = METRICS[name]
    if score.value is None:
        return f"{metric.label} is not defined on the test rows."
    places = decimals(score.value)
    beginning = f"{metric.label} {fixed(score.value, places, metric.format)}{_brackets(score.interval, places)}"
    parts = [*_beside(metric, score, head, places), *_earned(metric, head.worth, places)]
    return f"{beginning}: {'; '.join(parts)}." if parts else f"{beginning}."


def _beside(metric: Metric, score: MetricScore, head: HeadReport, places: int) -> Iterator[str]:
    prior = ReferenceScore(
        value=score.baseline, difference=score.difference, interval=score.difference_interval, verdict=score.verdict
    )
    found = {of: scores[metric.name] for of, scores in head.references.items() if metric.name in scores}
    deployed = found.pop(DEPLOYED, None)
    simple = {of: one for of, one in {"prior": prior, **found}.items() if one.value is not None}
    if simple:
        best = max(simple, key=lambda of: metric.goodness(simple[of].value or 0.0))
        yield _against(metric, simple[best], _NAMES.get(best, f"a linear model of the {best} alone"), places)
    if deployed is not None and deployed.value is not None:
        yield _against(metric, deployed, _NAMES[DEPLOYED], places)


def _against(metric: Metric, score: ReferenceScore, other: str, places: int) -> str:
    difference = score.difference or 0.0
    if score.verdict in ("better", "worse"):
        size = f" by {_size(metric, difference, score.interval, places)}" if difference else ""
        return f"{score.verdict} than {other}{size}"
    places = _enough(difference, places)
    size = fixed_difference(difference, places, metric.format)
    return f"not clearly better than {other} ({size}{_brackets(score.interval, places)})"


def _earned(metric: Metric, worth: Sequence[Worth], places: int) -> Iterator[str]:
    """Of several modalities each; of a single one the features that add most."""
    hidden = [one for one in worth if one.how == "hidden" and one.difference is not None]
    groups = [one for one in hidden if len(one.features) > 1 and not one.name.startswith("pictures tied as ")]
    within = {feature for group in groups for feature in group.features}
    alone = [one for one in hidden if len(one.features) == 1 and one.name not in within]
    if groups:
        yield from _each(metric, [*groups, *alone], places)
        return
    ordered = sorted(alone, key=lambda one: -metric.goodness(one.difference or 0.0))
    if len(ordered) <= _MOST_FEATURES:
        yield from _each(metric, ordered, places)
        return
    helping = [one for one in ordered if one.verdict == "better"]
    yield from (_adds(metric, one, places) for one in helping[:_MOST_FEATURES])
    if not helping:
        yield "no feature alone adds anything measurable"


def _each(metric: Metric, some: Sequence[Worth], places: int) -> Iterator[str]:
    """What each input does, and then all that do nothing."""
    clear = [one for one in some if one.verdict in ("better", "worse")]
    yield from (_adds(metric, one, places) for one in clear)
    others = [one.name for one in some if one not in clear]
    if others:
        plural = len(others) > 1 or others[0].startswith(_PLURAL)
        yield f"{listed(others)} {'add' if plural else 'adds'} nothing measurable"


def _adds(metric: Metric, one: Worth, places: int) -> str:
    """What the features of a row of the worth do to the metric."""
    plural = one.name.startswith(_PLURAL)
    difference = one.difference or 0.0
    rises = difference > 0
    verb = (
        ("add" if rises else "take away") if not metric.lower_is_better else ("raise it by" if rises else "lower it by")
    )
    verb = verb if plural else {"add": "adds", "take away": "takes away"}.get(verb, verb.replace(" it", "s it"))
    return f"{one.name} {verb} {_size(metric, difference, one.interval, places)}"


def _size(metric: Metric, difference: float, interval: Interval, places: int) -> str:
    """How large a difference is, with its interval turned as it is."""
    low, high = interval.low, interval.high
    if difference < 0 and low is not None and high is not None:
        low, high = -high, -low
    places = _enough(difference, places)
    size = fixed_difference(abs(difference), places, metric.format).removeprefix("+")
    return f"{size}{_brackets(Interval(low=low, high=high), places)}"


def _enough(difference: float, places: int) -> int:
    """So many decimals, or more where a difference would round to none."""
    return next((more for more in range(places, _MOST_DECIMALS) if round(difference, more)), places)


def _brackets(interval: Interval, places: int) -> str:
    if interval.low is None:
        return ""
    return f" [{fixed(interval.low, places)}, {fixed(interval.high, places)}]"
