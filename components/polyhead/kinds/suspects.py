"""Rows whose label a model confidently contradicts: candidates for a wrong label, to be looked at by a person.

- classes: confident learning (Northcutt, Jiang and Chuang 2021, J. Artif. Intell. Res. 70). A model is confident of a
  class where its probability is at least what it is on average over the rows that have the class. A row is suspect if
  the likeliest of these classes is another than its own, and likelier than that.
- numbers: the modified z-score (Iglewicz and Hoaglin 1993, How to detect and handle outliers). A row is suspect if its
  error is farther from the median error than 3.5 times 1.4826 times the median of these distances.

The rows must be others than the model was trained on: it has learned the labels of those, wrong ones too.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from polyhead.intervals.method import Floats

FARTHEST = 3.5
_TO_DEVIATION = 1.4826
_FEWEST_ROWS = 10


class Suspect(NamedTuple):
    """A row whose label may be wrong.

    Attributes:
        row: Its place among the rows whose target is known.
        label: Which of several labels; None where a row has one.
        true: What the table says.
        predicted: What the model says.
        score: The model's probability of that, or how many robust deviations the number is off.
    """

    row: int
    label: str | None
    true: str
    predicted: str
    score: float


def contradicted(true: NDArray[np.int64], probabilities: Floats) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The rows that are suspect, in order, and the class that each seems to have.

    Args:
        true: Classes, (n,); −1 of a class without a probability, which is never suspect.
        probabilities: Float64 (n, classes).
    """
    classes = probabilities.shape[1]
    bounds = np.full(classes, np.inf)
    for place in range(classes):
        if (true == place).any():
            bounds[place] = probabilities[true == place, place].mean()
    confident = np.where(probabilities >= bounds, probabilities, -np.inf)
    likeliest = confident.argmax(1) if len(true) else np.zeros(0, np.int64)
    own = probabilities[np.arange(len(true)), np.maximum(true, 0)]
    most = confident[np.arange(len(true)), likeliest]
    rows = np.flatnonzero((true >= 0) & (likeliest != true) & (most > own))
    return rows, likeliest[rows]


def far_off(errors: Floats) -> tuple[NDArray[np.int64], Floats]:
    """The rows that are suspect, in order, and how many robust deviations each is off; none of fewer than ten rows.

    Args:
        errors: On a scale on which they are as wide everywhere, (n,).
    """
    nothing = np.zeros(0, np.int64), np.zeros(0)
    if len(errors) < _FEWEST_ROWS or not np.isfinite(errors).all():
        return nothing
    distances = np.abs(errors - np.median(errors))
    deviation = _TO_DEVIATION * float(np.median(distances))
    if deviation == 0:
        return nothing
    rows = np.flatnonzero(distances > FARTHEST * deviation)
    return rows, distances[rows] / deviation
