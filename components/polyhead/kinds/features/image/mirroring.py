"""Whether a mirrored picture means the same, by the train rows alone."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

ENOUGH = 0.8
"""Share of what alike pictures tell that must be left: measured, 0.84 and 0.93 for emoji, 0.23 for digits."""

_SHIFTS = 16
_SURE = 3.0
"""Standard errors by which alike pictures must be closer in a target than any two, for it to count."""


def kept(pictures: NDArray[np.uint8], targets: Mapping[str, NDArray[np.floating]]) -> dict[str, float]:
    """How much of what alike pictures tell of each target is left when one of the two is mirrored.

    For each picture the most similar other one is sought, by the squared distance of their samples, and again for its
    mirror image. What it tells is by how much it is closer in the target than any two rows are on average. Where
    mirroring changes the meaning, as of digits, a mirrored picture is most like pictures of another meaning.

    Args:
        pictures: Small ones, (rows, height, width, channels), in random order.
        targets: By head, (rows,) or (rows, units): classes that are not numbers as one-hot vectors; NaN where missing.

    Returns:
        By head: 1 where mirroring changes nothing, about 0 where nothing is left. Heads of which alike pictures tell
        nothing are left out, and those with fewer than two known rows.
    """
    as_is = pictures.reshape(len(pictures), -1).astype(np.float64)  # of whole numbers, whose sums are exact
    mirrored = pictures[:, :, ::-1].reshape(as_is.shape).astype(np.float64)
    found = {}
    for name, values in targets.items():
        held = values.reshape(len(values), -1)
        rows = np.flatnonzero(np.isfinite(held).all(1))
        if rows.size < 2:
            continue
        truth, shown = held[rows], as_is[rows]
        alike = _apart(truth, truth[_nearest(shown, shown)])
        turned = _apart(truth, truth[_nearest(mirrored[rows], shown)])
        any_two = np.mean([_apart(truth, np.roll(truth, by, 0)) for by in range(1, 1 + min(_SHIFTS, rows.size - 1))], 0)
        told = any_two - alike
        if told.mean() > _SURE * told.std() / np.sqrt(rows.size):
            found[name] = float((any_two - turned).mean() / told.mean())
    return found


def _nearest(pictures: NDArray[np.float64], among: NDArray[np.float64]) -> NDArray[np.intp]:
    """The place of the most similar other one for each, both (rows, samples) of the same rows."""
    distances = (among**2).sum(1) - 2 * pictures @ among.T  # and what is the same for all of a row
    np.fill_diagonal(distances, np.inf)
    nearest: NDArray[np.intp] = distances.argmin(1)
    return nearest


def _apart(one: NDArray[np.floating], other: NDArray[np.floating]) -> NDArray[np.floating]:
    """How far rows are apart, (rows,)."""
    apart: NDArray[np.floating] = np.abs(one - other).mean(1)
    return apart
