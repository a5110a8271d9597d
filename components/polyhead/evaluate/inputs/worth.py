"""Which input earned it: what the headline metric loses where the model has to do without some of the features.

The model stays as it is. A feature is taken as missing in every row, which the model has learned to answer, or it is
permuted, each row getting another row's value. The first tells what the model would be without the feature, the second
how much it relies on it. Features that can stand in for each other are worth little alone, so they are taken together
too: all that are looked at alike, and pictures that are tied.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from polyhead.contracts.evaluation import Hiding, Worth
from polyhead.evaluate.scoring.comparing import Judge
from polyhead.evaluate.scoring.metrics import measure
from polyhead.kinds.protocols.score import Outcome
from polyhead.kinds.union import Feature

MOST_BATCHES = 40
"""Of 128 test rows, which the worth is measured on at most: 5,120 rows, the first by a hash of their keys."""

MOST_FEATURES = 1_000
"""Features that are hidden one by one."""

MOST_LISTED = 50
"""Features of a head that are reported one by one: those whose absence changes most."""

_FEWEST_BATCHES = 2
_MOST_ROWS = 1_000_000
_MOST_LOGITS = 100_000_000
_WAYS = 2


class Group(NamedTuple):
    """Features that are hidden together.

    Attributes:
        name: What they are called.
        features: By name.
    """

    name: str
    features: list[str]

    @property
    def is_one(self) -> bool:
        """Whether it is a feature alone."""
        return self.features == [self.name]


def groups_of(features: Mapping[str, Feature]) -> list[Group]:
    """Each feature, then those that are looked at alike and those that are tied, where there are several of them.

    All features together are no group: without any of them the model knows nothing.
    """
    alike: dict[str, list[str]] = {}
    for name, feature in features.items():
        alike.setdefault(feature.MODALITY, []).append(name)
    for name, feature in features.items():
        if feature.tie:
            alike.setdefault(f"pictures tied as {feature.tie}", []).append(name)
    groups: list[Group] = []
    for name, members in alike.items():
        if 1 < len(members) < len(features) and members not in [group.features for group in groups]:
            groups.append(Group(name, members))
    return [*(Group(name, [name]) for name in list(features)[:MOST_FEATURES]), *groups]


def batches_for(groups: int, units: int, batch_size: int) -> int:
    """Over how many batches the worth of so many groups is measured.

    Args:
        groups: How many.
        units: Logits of all heads.
        batch_size: Rows of a batch.

    Returns:
        40, or fewer where groups times rows would be more than 500,000, or logits more than a hundred million.
    """
    a_batch = _WAYS * groups * batch_size
    return max(_FEWEST_BATCHES, min(MOST_BATCHES, _MOST_ROWS // a_batch, _MOST_LOGITS // (a_batch * units)))


def worth_of(
    outcome: Outcome,
    without: Sequence[tuple[Group, Mapping[Hiding, Outcome]]],
    *,
    metric: str,
    resamples: int,
    seed: int,
) -> list[Worth]:
    """What groups of features add to a head's headline metric.

    Args:
        outcome: The head's predictions with all features.
        without: For each group, by how it is hidden, the predictions of the same rows in the same order.
        metric: The head's headline.
        resamples: As for `polyhead.evaluate.scoring.comparing.compare`.
        seed: Likewise.

    Returns:
        In the order of the groups; of more than 50 features, those whose absence changes most.
    """
    value = measure(outcome, (metric,))[metric]
    found = [
        (group, how, other, measure(other, (metric,))[metric]) for group, ways in without for how, other in ways.items()
    ]
    gaps: dict[str, float] = {}
    for group, _, _, left in found:
        if group.is_one and value is not None and left is not None:
            gaps[group.name] = max(gaps.get(group.name, 0.0), abs(value - left))
    listed = set(sorted(gaps, key=lambda name: -gaps[name])[:MOST_LISTED])
    worth = []
    for group, how, other, left in found:
        if group.is_one and group.name in gaps and group.name not in listed:
            continue
        one = Worth(name=group.name, features=group.features, how=how, metric=metric, value=left, n=len(outcome))
        if value is not None and left is not None:
            between, verdict = Judge(outcome, other, resamples=resamples, seed=seed).difference(metric)
            one = one.model_copy(update={"difference": value - left, "interval": between, "verdict": verdict})
        worth.append(one)
    return worth
