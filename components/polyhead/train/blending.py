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
_NOISE = 1.0
"""Standard errors that a blend must win by."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Chosen:
    """The best blend of a head on the val rows.

    Attributes:
        weights: By member, tenths from 0, 1 in all.
        loss: Of the blend, on rows that had no part in choosing its weights.
        losses: Of each member alone, on the same rows.
        wins: Whether the blend is better than the network by more than one standard error of the difference.
    """

    weights: dict[str, float]
    loss: float
    losses: dict[str, float]
    wins: bool


def choose(
    head: Head[Any, Any], logits: Mapping[str, NDArray[np.float32]], values: NDArray[Any], weights: NDArray[Any]
) -> Chosen | None:
    """The weights with the least loss among all tenths, and what that is worth.

    Its worth is found by five-fold cross-validation over the rows: the weights that are best on four fifths are
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
    losses = _losses(head, points, [logits[name][known] for name in members], values[known], weights[known])
    fold = np.arange(known.sum()) % _FOLDS
    found = np.zeros(len(fold))
    for held in range(_FOLDS):
        best = int(losses[:, fold != held].sum(axis=1).argmin())
        found[fold == held] = losses[best, fold == held]
    total = share[known].sum()
    corners = {name: losses[int((points[:, at] == 1).argmax())] for at, name in enumerate(members)}
    gain = corners[NETWORK] - found
    error = gain.std(ddof=1) * np.sqrt(len(gain))
    chosen = points[int(losses.sum(axis=1).argmin())]
    return Chosen(
        {name: float(weight) for name, weight in zip(members, chosen, strict=True)},
        float(found.sum() / total),
        {name: float(each.sum() / total) for name, each in corners.items()},
        bool(gain.sum() > _NOISE * error),
    )


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
    loss, found = head.loss("none"), []
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
