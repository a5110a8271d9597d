"""One sentence about a head: how good it is, beside what, and thanks to which inputs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from polyhead.contracts.evaluation import HeadReport, Interval, ReferenceScore, Worth
from polyhead.kinds.metrics import METRICS, Metric

DEPLOYED = "deployed"
"""The name of the deployed bundle among the references."""

_NAMES = {"linear": "a linear model", "boosted": "boosting", DEPLOYED: "the deployed model", "prior": "the prior"}
_PLURAL = ("all pictures", "all vectors", "pictures tied as ")
_MOST_FEATURES = 3


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
    beginning = f"{metric.label} {metric.number(score.value)}{_brackets(metric, score.interval)}"
    parts = [*_beside(metric, head, name), *_earned(metric, head.worth)]
    return f"{beginning}: {'; '.join(parts)}." if parts else f"{beginning}."


def _beside(metric: Metric, head: HeadReport, name: str) -> Iterator[str]:
    score = head.metrics[name]
    prior = ReferenceScore(
        value=score.baseline, difference=score.difference, interval=score.difference_interval, verdict=score.verdict
    )
    found = {of: scores[name] for of, scores in head.references.items() if name in scores}
    deployed = found.pop(DEPLOYED, None)
    simple = {of: one for of, one in {"prior": prior, **found}.items() if one.value is not None}
    if simple:
        best = max(simple, key=lambda of: metric.goodness(simple[of].value or 0.0))
        yield _against(metric, simple[best], _NAMES.get(best, f"a linear model of the {best} alone"))
    if deployed is not None and deployed.value is not None:
        yield _against(metric, deployed, _NAMES[DEPLOYED])


def _against(metric: Metric, score: ReferenceScore, other: str) -> str:
    difference = score.difference or 0.0
    if score.verdict in ("better", "worse"):
        low, high = score.interval.low, score.interval.high
        if difference < 0 and low is not None and high is not None:
            low, high = -high, -low
        size = f" by {_size(metric, abs(difference))}" if metric.goodness(difference) != 0 else ""
        return f"{score.verdict} than {other}{size}{_brackets(metric, Interval(low=low, high=high))}"
    return f"not clearly better than {other} ({metric.signed(difference)}{_brackets(metric, score.interval)})"


def _earned(metric: Metric, worth: Sequence[Worth]) -> Iterator[str]:
    """Of several modalities each; of a single one the features that add most."""
    hidden = [one for one in worth if one.how == "hidden" and one.difference is not None]
    groups = [one for one in hidden if len(one.features) > 1 and not one.name.startswith("pictures tied as ")]
    within = {feature for group in groups for feature in group.features}
    alone = [one for one in hidden if len(one.features) == 1 and one.name not in within]
    if groups:
        for one in [*groups, *alone]:
            yield _adds(metric, one)
        return
    ordered = sorted(alone, key=lambda one: -metric.goodness(one.difference or 0.0))
    if len(ordered) <= _MOST_FEATURES:
        yield from (_adds(metric, one) for one in ordered)
        return
    helping = [one for one in ordered if one.verdict == "better"]
    yield from (_adds(metric, one) for one in helping[:_MOST_FEATURES])
    if not helping:
        yield "no feature alone adds anything measurable"


def _adds(metric: Metric, one: Worth) -> str:
    """What the features of a row of the worth do to the metric."""
    plural = one.name.startswith(_PLURAL)
    difference, low, high = one.difference or 0.0, one.interval.low, one.interval.high
    if one.verdict not in ("better", "worse"):
        return f"{one.name} {'add' if plural else 'adds'} nothing measurable"
    rises = difference > 0
    if not rises and low is not None and high is not None:
        low, high = -high, -low
    verb = (
        ("add" if rises else "take away") if not metric.lower_is_better else ("raise it by" if rises else "lower it by")
    )
    verb = verb if plural else {"add": "adds", "take away": "takes away"}.get(verb, verb.replace(" it", "s it"))
    return f"{one.name} {verb} {_size(metric, abs(difference))}{_brackets(metric, Interval(low=low, high=high))}"


def _size(metric: Metric, value: float) -> str:
    return metric.signed(value).removeprefix("+")


def _brackets(metric: Metric, interval: Interval) -> str:
    if interval.low is None or interval.high is None:
        return ""
    return f" [{metric.number(interval.low)}, {metric.number(interval.high)}]"
