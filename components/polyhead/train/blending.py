"""How much of each member a head's blend takes."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from polyhead.contracts.bundle import NETWORK
from polyhead.kinds.protocols.graph import Head
from polyhead.model.members import blended

_PARTS = 10
_FOLDS = 5
_FEWEST_ROWS = 20
_TOGETHER = 2**20
_RESAMPLES, _SEED = 200, 0
_LEAST_SHARE = 0.05

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Chosen:
    """The best blend of a head on the val rows.

    Attributes:
        weights: By member, from 0, 1 in all.
        loss: Of the blend, on rows that had no part in choosing its weights.
        losses: Of each member alone, on the same rows; the network's is a little too good, since they chose its epoch.
    """

    weights: dict[str, float]
    loss: float
    losses: dict[str, float]


def choose(
    head: Head[Any, Any], logits: Mapping[str, NDArray[np.float32]], values: NDArray[Any], weights: NDArray[Any]
) -> Chosen | None:
    """The weights with the least loss, and what they are worth.

    The best of all tenths on a few rows is as much chance as merit. So it is found on 200 resamples of the rows, and
    the weights are the mean: a member keeps the share that the rows cannot deny it, and none where the others are
    always better. What that is worth is found by five-fold cross-validation: weights of four fifths of the rows are
    measured on the last one.

    Args:
        head: Whose loss it is.
        logits: By member, `NETWORK` among them, float32 (rows, units).
        values: As the head's transform gives them.
        weights: (rows,) or (rows, labels).

    Returns:
        None where fewer than 20 rows have a known target: there is nothing to choose by.
    """
    share = weights.reshape(len(weights), -1).sum(axis=1).astype(np.float64)
    known = share > 0
    if known.sum() < _FEWEST_ROWS:
        return None
    members = [NETWORK, *(name for name in logits if name != NETWORK)]
    points = _simplex(len(members))
    said, values, weights = [logits[name][known] for name in members], values[known], weights[known]
    losses = _losses(head, points, said, values, weights)
    fold = np.arange(known.sum()) % _FOLDS
    found = np.zeros(len(fold))
    for held in range(_FOLDS):
        rows = fold == held
        mixed = _mean_best(points, losses[:, ~rows])
        found[rows] = _losses(head, mixed[None], [of[rows] for of in said], values[rows], weights[rows])[0]
    total = share[known].sum()
    corners = {name: losses[int((points[:, at] == 1).argmax())] for at, name in enumerate(members)}
    return Chosen(
        dict(zip(members, _mean_best(points, losses).tolist(), strict=True)),
        float(found.sum() / total),
        {name: float(each.sum() / total) for name, each in corners.items()},
    )


def _mean_best(points: Floats, losses: Floats) -> Floats:
    """The mean of the best points on resamples of the rows, without shares below a twentieth; float64 (members,)."""
    rows = losses.shape[1]
    counts = np.random.default_rng(_SEED).multinomial(rows, np.full(rows, 1 / rows), size=_RESAMPLES)
    mean = points[(losses @ counts.T).argmin(axis=0)].mean(axis=0)
    kept = np.where(mean < _LEAST_SHARE, 0.0, mean)
    return np.asarray(kept / kept.sum(), np.float64)


def _simplex(members: int) -> Floats:
    """All weights in tenths that are 1 in all, those of the first member from the largest; (points, members)."""
    counts = itertools.product(range(_PARTS, -1, -1), repeat=members)
    return np.array([point for point in counts if sum(point) == _PARTS]) / _PARTS


def _losses(
    head: Head[Any, Any],
    points: Floats,
    logits: list[NDArray[np.float32]],
    values: NDArray[Any],
    weights: NDArray[Any],
) -> Floats:
    """Weighted losses of every blend on every row, float64 (points, rows)."""
    loss, found = head.log_loss("none"), []
    together = max(1, _TOGETHER // logits[0].size)
    for start in range(0, len(points), together):
        some = points[start : start + together]
        mixed = [keras.ops.convert_to_numpy(blended(point, logits, head.LINK)) for point in some]
        repeated = np.concatenate([values] * len(some))
        each = keras.ops.convert_to_numpy(loss(repeated, np.concatenate(mixed))).astype(np.float64)
        found.append(
            (each.reshape(len(some), *weights.shape) * weights).reshape(len(some), len(values), -1).sum(axis=2)
        )
    return np.concatenate(found)
