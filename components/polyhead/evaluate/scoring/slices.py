"""The headline metric on some of the rows, and which of these stand out.

Every slice is compared with all other rows. With so many comparisons some look bad by chance, so a slice stands out
only where its p-value does after Holm's correction over all slices of the head (Holm 1979, Scand. J. Stat. 6): on a
head that is equally good everywhere, at least one stands out in 5 of 100 test splits at most.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from polyhead.contracts.evaluation import SliceScore, WeighedSlice
from polyhead.evaluate.scoring.comparing import interval
from polyhead.evaluate.scoring.conformal import coverage
from polyhead.evaluate.scoring.metrics import measure
from polyhead.intervals.method import Booleans, Floats, too_few
from polyhead.kinds.protocols.score import Measure, Outcome
from polyhead.kinds.scores import SCORES
from polyhead.kinds.slices import Slice, Values, missing
from polyhead.kinds.tables import feature_table
from polyhead.kinds.union import Feature, FeatureStatistics

MOST_FEATURES = 100
"""Features that are looked at where the configuration names none."""

MOST_LISTED = 60
"""Slices of a head that are reported: those that are least like the others by chance."""

FEWEST_ROWS = 10
"""Of a slice by a feature that the configuration does not name."""

_LEVEL = 0.05


class FeatureSlice(NamedTuple):
    """Some of the rows, by a feature."""

    feature: str
    slice: Slice


class SliceScores(NamedTuple):
    """What is reported of a head's slices.

    Attributes:
        listed: In the order of the features.
        notes: What to know when reading them.
    """

    listed: list[SliceScore]
    notes: list[str]


def slices_of(
    features: Mapping[str, Feature], statistics: Mapping[str, FeatureStatistics], values: Mapping[str, Values]
) -> list[FeatureSlice]:
    """All slices by some features: by their values, where the kind has any, and the rows without one.

    Args:
        features: By name.
        statistics: Likewise, of the train rows.
        values: Of all rows, of the features that are wanted.
    """
    found = []
    for name, of in values.items():
        facet, lacks = feature_table(features[name]), missing(of)
        found += [FeatureSlice(name, one) for one in facet.slices(statistics[name], of)]
        if lacks.any():
            found.append(FeatureSlice(name, Slice("missing", "missing", lacks)))
    return found


def slice_scores(
    outcome: Outcome,
    slices: Sequence[FeatureSlice],
    known: Booleans,
    *,
    metric: str,
    named: Collection[str],
    resamples: int,
    seed: int,
    weights: Floats | None = None,
) -> SliceScores:
    """The headline metric of a head on slices.

    Args:
        outcome: The head's predictions of the rows whose target is known.
        slices: Of all rows.
        known: Which of all rows these are.
        metric: The head's headline.
        named: The features that the configuration names, whose slices may be small.
        resamples: As for `polyhead.evaluate.scoring.comparing.compare`.
        seed: Likewise.
        weights: Row weights, of the same rows as the outcome. Default: there are none.
    """
    weighed = None if weights is None else replace(outcome, weights=weights)
    measured = SCORES[outcome.kind].measures[metric]
    scores: list[SliceScore] = []
    chances: list[float] = []
    chosen: list[Booleans] = []
    for feature, one in slices:
        inside = one.rows[known]
        rows = int(inside.sum())
        if rows == 0 or (feature not in named and not FEWEST_ROWS <= rows < len(inside)):
            continue
        part, others = (outcome.rows(np.flatnonzero(rows)) for rows in (inside, ~inside))
        score, other = (measure(of, (measured.metric.name,))[measured.metric.name] for of in (part, others))
        gap = None if score is None or other is None else score - other
        chance = None if gap is None else _chance(measured, outcome, inside, seed)
        chances.append(1.0 if chance is None else chance)
        chosen.append(inside)
        scores.append(
            SliceScore(
                feature=feature,
                value=one.value,
                kind=one.kind,
                n=rows,
                metric=measured.metric.name,
                score=score,
                difference=gap,
                coverage=coverage(part),
            )
        )
    found = holm(np.array(chances))
    listed = sorted(np.argsort(chances, kind="stable")[:MOST_LISTED].tolist())

    def by_weights(rows: NDArray[np.int64]) -> WeighedSlice | None:
        if weighed is None:
            return None
        part, name = weighed.rows(rows), measured.metric.name
        spread = interval(name, part, resamples=resamples, seed=seed)
        return WeighedSlice(score=measure(part, (name,))[name], interval=spread, coverage=coverage(part))

    return SliceScores(
        [
            scores[at].model_copy(
                update={
                    "interval": interval(
                        measured.metric.name,
                        outcome.rows(np.flatnonzero(chosen[at])),
                        resamples=resamples,
                        seed=seed,
                    ),
                    "weighted": by_weights(np.flatnonzero(chosen[at])),
                    "stands_out": bool(found[at]) and measured.metric.goodness(scores[at].difference or 0.0) < 0,
                }
            )
            for at in listed
        ],
        _notes(scores),
    )


def _notes(scores: Sequence[SliceScore]) -> list[str]:
    if len(scores) <= MOST_LISTED:
        return []
    return [
        f"slices: {len(scores)} were tried; listed are the {MOST_LISTED} that differ most surely from the other rows"
    ]


def _chance(measured: Measure[Outcome], outcome: Outcome, inside: Booleans, seed: int) -> float | None:
    """How likely such a difference is by chance; None where that is not known."""
    method = measured.method
    for rows in (inside, ~inside):
        part = outcome.rows(np.flatnonzero(rows))
        if too_few(measured.rows(part), method.fewest_rows) or method.doubt(part) or method.doubt_of_sign(part):
            return None
    chance = method.apart(outcome, inside, seed)
    return None if isinstance(chance, str) else chance


def holm(chances: Floats) -> Booleans:
    """Which p-values are below 5 % after Holm's correction, bool (n,)."""
    order = np.argsort(chances, kind="stable")
    held = chances[order] <= _LEVEL / np.arange(len(chances), 0, -1)
    found = np.zeros(len(chances), np.bool_)
    found[order[: int(np.argmin(np.append(held, False)))]] = True
    return found
