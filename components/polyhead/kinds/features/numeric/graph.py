"""Numbers in the graph: all columns scaled and encoded at once."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from polyhead.contracts.config import ModelSection
from polyhead.kinds.features.graph import HIDDEN, PACKAGE, Hide, column_units, seed_of
from polyhead.kinds.features.numeric.config import NumericFeature, NumericStatistics
from polyhead.kinds.protocols.graph import Batch, Encoded, FeatureBlock

_NAME = "numeric"
_PARTS = 3

_BEYOND = 1.0
"""Standard deviations beyond the train rows' range up to which a number counts for what it is."""


class NumericTransform(tf.Module):  # type: ignore[misc]  # TensorFlow is untyped
    """A number to (standardised value, standardised signed logarithm, 1 if missing).

    Both are centred in 64 bits before they become 32, so close numbers far from zero stay distinct. Each is held within
    the train rows' range and one standard deviation beyond it: what a number can add is bounded, however far outside
    it lies. A column that is constant in the train rows tells nothing, so any value of it becomes 0.

    Args:
        columns: Statistics of each column.
    """

    def __init__(self, columns: Sequence[NumericStatistics]) -> None:
        super().__init__()
        self._mean = np.array([[of.mean, of.log_mean] for of in columns])
        deviation = np.sqrt([[of.variance, of.log_variance] for of in columns])
        self._scale = np.where(deviation > 0, deviation, 1.0)
        ends = np.array([[of.minimum, of.maximum] for of in columns])
        lowest, highest = np.stack([ends, np.sign(ends) * np.log1p(np.abs(ends))], 2).transpose(1, 0, 2)
        varies = (deviation > 0) & (ends[:, :1] < ends[:, 1:])
        self._lowest = np.where(varies, (lowest - self._mean) / self._scale - _BEYOND, 0.0)
        self._highest = np.where(varies, (highest - self._mean) / self._scale + _BEYOND, 0.0)

    def __call__(self, values: tf.Tensor) -> tf.Tensor:
        """Float64 (batch, columns), NaN where missing, to float32 (batch, columns, 3)."""
        missing = tf.math.is_nan(values)[..., None]
        both = tf.stack([values, tf.sign(values) * tf.math.log1p(tf.abs(values))], 2)
        scaled = tf.clip_by_value((both - self._mean) / self._scale, self._lowest, self._highest)
        scaled = tf.where(missing, tf.zeros_like(scaled), scaled)
        return tf.concat([tf.cast(scaled, tf.float32), tf.cast(missing, tf.float32)], 2)


class _Inputs(tf.Module):  # type: ignore[misc]
    def __init__(self, columns: Sequence[NumericStatistics]) -> None:
        super().__init__()
        self._transform = NumericTransform(columns)

    def __call__(self, values: tf.Tensor) -> Batch:
        return {_NAME: self._transform(values)}


@keras.saving.register_keras_serializable(PACKAGE)
class HideNumber(Hide):
    """`Hide` for numbers as `NumericTransform` gives them: a hidden one is as if missing.

    Input shape:
        `(batch, columns, 3)`: value, logarithm, 1 if missing.

    Output shape:
        `(batch, columns, 3)`.
    """

    def call(self, numbers: Any, training: bool = False) -> Any:
        """Numbers, some of them hidden while training."""
        if not training:
            return numbers
        shown = ops.expand_dims(self.draw(ops.shape(numbers)[:-1]) >= self.rate, -1)
        return ops.where(shown, numbers, ops.convert_to_tensor([0.0, 0.0, 1.0], numbers.dtype))


class NumericBlock(FeatureBlock[NumericFeature, NumericStatistics]):
    """All numbers. The network's input is `numeric`, float32 (batch, columns, 3)."""

    KIND = _NAME
    DTYPE = tf.float64

    def transform(self, directory: Path, *, stored: bool) -> _Inputs:  # numbers have no vocabularies
        """Float64 (batch, columns), NaN where missing."""
        return _Inputs(list(self.statistics.values()))

    def inputs(self) -> dict[str, Any]:
        """`numeric`."""
        return {_NAME: keras.Input((len(self.names), _PARTS), dtype="float32", name=_NAME)}

    def encode(self, inputs: Mapping[str, Any], model: ModelSection, seed: int) -> Encoded:
        """A dense layer for each column, all of them in one tensor."""
        values = HideNumber(HIDDEN, seed_of(seed, _NAME), name=f"{_NAME}__hide")(inputs[_NAME])
        units = column_units(model.width, len(self.names))
        limit = math.sqrt(6 / (_PARTS + units))  # Glorot's, of one column's layer
        vectors = layers.EinsumDense(
            "bci,ciu->bcu",
            output_shape=(len(self.names), units),
            bias_axes="cu",
            activation="gelu",
            kernel_initializer=keras.initializers.RandomUniform(-limit, limit),
            name=f"{_NAME}__encoder",
        )(values)
        flat = layers.Flatten(name=f"{_NAME}__values")(values)

        def direct(units: int, head: str) -> Any:
            return layers.Dense(units, use_bias=False, kernel_initializer="zeros", name=f"{_NAME}__to__{head}")(flat)

        return Encoded(layers.Flatten(name=f"{_NAME}__vectors")(vectors), direct)
