"""Numbers in the graph: all columns scaled and encoded at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from polyhead.contracts.config import ModelSection
from polyhead.kinds.features.graph import Scaling, encode_numbers
from polyhead.kinds.features.numeric.config import NumericFeature, NumericStatistics
from polyhead.kinds.protocols.graph import Batch, Encoded, FeatureBlock

_NAME = "numeric"
_PARTS = 2


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


class _Inputs(tf.Module):  # type: ignore[misc]
    def __init__(self, columns: Sequence[NumericStatistics]) -> None:
        super().__init__()
        self._transform = NumericTransform(columns)

    def __call__(self, values: tf.Tensor) -> Batch:
        return {_NAME: self._transform(values)}


class NumericBlock(FeatureBlock[NumericFeature, NumericStatistics]):
    """All numbers. The network's input is `numeric`, float32 (batch, columns, 3)."""

    KIND = _NAME
    DTYPE = tf.float64

    def transform(self, directory: Path, *, stored: bool) -> _Inputs:  # numbers have no vocabularies
        """Float64 (batch, columns), NaN where missing."""
        return _Inputs(list(self.statistics.values()))

    def inputs(self) -> dict[str, Any]:
        """`numeric`."""
        return {_NAME: keras.Input((len(self.names), _PARTS + 1), dtype="float32", name=_NAME)}

    def encode(self, inputs: Mapping[str, Any], model: ModelSection, seed: int) -> Encoded:
        """A dense layer for each column, all of them in one tensor."""
        return encode_numbers(_NAME, inputs[_NAME], model, seed)
