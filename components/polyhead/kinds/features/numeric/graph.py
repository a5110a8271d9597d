"""Numbers in the graph: all columns scaled and encoded at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from polyhead.kinds.features.graph import NumberBlock, Scaling
from polyhead.kinds.features.numeric.config import NumericFeature, NumericStatistics


class NumericTransform(tf.Module):  # type: ignore[misc]  # TensorFlow is untyped
    """A number to (standardised value, standardised signed logarithm, 1 if missing), both as `Scaling` has them.

    Args:
        columns: Statistics of each column.
    """

    def __init__(self, columns: Sequence[NumericStatistics]) -> None:
        super().__init__()
        ends = np.array([[of.minimum, of.maximum] for of in columns])
        lowest, highest = np.stack([ends, np.sign(ends) * np.log1p(np.abs(ends))], 2).transpose(1, 0, 2)
        mean = np.array([[of.mean, of.log_mean] for of in columns])
        variance = np.array([[of.variance, of.log_variance] for of in columns])
        self._scaling = Scaling(mean, variance, lowest, highest)

    def __call__(self, values: tf.Tensor) -> tf.Tensor:
        """Float64 (batch, columns), NaN where missing, to float32 (batch, columns, 3)."""
        return self._scaling(tf.stack([values, tf.sign(values) * tf.math.log1p(tf.abs(values))], 2))


class NumericBlock(NumberBlock[NumericFeature, NumericStatistics]):
    """All numbers."""

    KIND = "numeric"
    PARTS = 2
    TREE_PARTS = 1

    def scaled(self) -> NumericTransform:
        """`NumericTransform` of all columns."""
        return NumericTransform(list(self.statistics.values()))
