"""Split conformal prediction: how strange a true value may be, by rows that the model was not fitted on."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from polyhead.errors import counted

_EXACT = 1e-9


def rank(rows: int, level: float) -> int:
    """Which of so many values, in ascending order from 1, a new one exceeds with a chance of at most 1 - level.

    It is larger than `rows` where none of them is large enough.
    """
    return max(math.ceil((rows + 1) * level - _EXACT), 1)


def fewest_rows(level: float) -> int:
    """The least number of rows of which one is large enough."""
    return math.ceil(level / (1 - level) - _EXACT)


def radius(strangeness: NDArray[np.float64], level: float) -> float | str:
    """How strange a true value may be so that a share `level` of new rows is no stranger, or why it cannot be told.

    Args:
        strangeness: Of each row, (rows,).
        level: Between 0 and 1.
    """
    rows = len(strangeness)
    if not np.isfinite(strangeness).all():
        return "what the head says of the val rows is not finite"
    if rank(rows, level) > rows:
        return f"{counted(rows, 'val row')}, that needs {fewest_rows(level)}"
    return float(np.sort(strangeness)[rank(rows, level) - 1])
