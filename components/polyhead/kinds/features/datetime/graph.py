"""Moments in the graph: local clocks, cycles, scales, and the encoder that numbers have too."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from polyhead.kinds.features.datetime.clock import CYCLES
from polyhead.kinds.features.datetime.config import PARTS, DatetimeFeature, DatetimeStatistics
from polyhead.kinds.features.graph import NumberBlock, Scaling


class DatetimeTransform(tf.Module):  # type: ignore[misc]  # TensorFlow is untyped
    """A moment to its parts, in the order of `PARTS` and as `Scaling` has them, and 1 if it is missing.

    All of it is computed in 64 bits. Cycles are those of local clocks.

    Args:
        columns: Statistics of each column.
    """

    def __init__(self, columns: Sequence[DatetimeStatistics]) -> None:
        super().__init__()
        longest = max(len(of.clock) for of in columns)
        clocks = [[*of.clock, *[(np.inf, 0)] * (longest - len(of.clock))] for of in columns]
        starts, self._ahead = np.array(clocks, np.float64).transpose(2, 0, 1)
        self._starts = starts[:, 1:]
        parts = [[of.parts[part] for part in PARTS] for of in columns]
        self._scaling = Scaling(
            np.array([[part.mean for part in row] for row in parts]),
            np.sqrt([[part.variance for part in row] for row in parts]),
            np.array([[part.minimum for part in row] for row in parts]),
            np.array([[part.maximum for part in row] for row in parts]),
        )

    def __call__(self, values: tf.Tensor) -> tf.Tensor:
        """Float64 (batch, columns), seconds since 1970-01-01 UTC, to float32 (batch, columns, parts + 1).

        What is not finite is missing.
        """
        known = tf.math.is_finite(values)
        seconds = tf.where(known, values, tf.zeros_like(values))
        local = seconds + self._ahead_at(seconds)
        parts = [tf.where(known, values, np.nan)]
        for period, start in CYCLES:
            angle = tf.math.floormod(local - start, period) * (2 * np.pi / period)
            parts += [tf.sin(angle), tf.cos(angle)]
        return self._scaling(tf.stack(parts, 2))

    def _ahead_at(self, seconds: tf.Tensor) -> tf.Tensor:
        """How many seconds local clocks are ahead of UTC, (batch, columns)."""
        change = tf.searchsorted(self._starts, tf.transpose(seconds), side="right")
        return tf.transpose(tf.gather(self._ahead, change, batch_dims=1))


class DatetimeBlock(NumberBlock[DatetimeFeature, DatetimeStatistics]):
    """All dates and times, as seconds since 1970-01-01 UTC; the direct line is a trend and seasons."""

    KIND = "datetime"
    IS_SLICED = True
    PARTS = TREE_PARTS = len(PARTS)

    def scaled(self, *, stored: bool) -> DatetimeTransform:  # numbers are spelled alike everywhere
        """`DatetimeTransform` of all columns."""
        return DatetimeTransform(list(self.statistics.values()))
