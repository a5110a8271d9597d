"""Moments in the graph: local clocks, cycles, scales, and the encoder that numbers have too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from polyhead.contracts.config import ModelSection
from polyhead.kinds.features.datetime.clock import CYCLES
from polyhead.kinds.features.datetime.config import PARTS, DatetimeFeature, DatetimeStatistics
from polyhead.kinds.features.graph import Scaling, encode_numbers
from polyhead.kinds.protocols.graph import Batch, Encoded, FeatureBlock

_NAME = "datetime"


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
            np.array([[part.variance for part in row] for row in parts]),
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


class _Inputs(tf.Module):  # type: ignore[misc]
    def __init__(self, columns: Sequence[DatetimeStatistics]) -> None:
        super().__init__()
        self._transform = DatetimeTransform(columns)

    def __call__(self, values: tf.Tensor) -> Batch:
        return {_NAME: self._transform(values)}


class DatetimeBlock(FeatureBlock[DatetimeFeature, DatetimeStatistics]):
    """All dates and times. The network's input is `datetime`, float32 (batch, columns, 8)."""

    KIND = _NAME
    DTYPE = tf.float64

    def transform(self, directory: Path, *, stored: bool) -> _Inputs:  # moments have no vocabularies
        """Float64 (batch, columns), seconds since 1970-01-01 UTC, NaN where missing."""
        return _Inputs(list(self.statistics.values()))

    def inputs(self) -> dict[str, Any]:
        """`datetime`."""
        return {_NAME: keras.Input((len(self.names), len(PARTS) + 1), dtype="float32", name=_NAME)}

    def encode(self, inputs: Mapping[str, Any], model: ModelSection, seed: int) -> Encoded:
        """A dense layer for each column, and a direct line: a trend and seasons."""
        return encode_numbers(_NAME, inputs[_NAME], model, seed)
