"""Vectors in the graph: every component scaled, a dense layer for each column."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops
from numpy.typing import NDArray

from polyhead.contracts.sizes import ModelSizes
from polyhead.kinds.features.graph import HIDDEN, Hide, Scaling, StandIn, column_layer, column_units, seed_of
from polyhead.kinds.features.vector.config import VectorFeature, VectorStatistics
from polyhead.kinds.protocols.graph import Batch, Encoded, FeatureBlock, Held, Table

_NAME = "vector"
_STAND_IN = f"{_NAME}__stand_in"
_KNOWN = "vector_known"


class VectorTransform(tf.Module):  # type: ignore[misc]  # TensorFlow is untyped
    """Vectors to standardised components, as `Scaling` has them, over the square root of their number.

    So a whole vector weighs as much as a single number does, however long it is, projected or not. A vector with a
    component that is not finite is missing.

    Args:
        columns: Statistics of each column.
        widths: Numbers that are left of each column's vectors; those of fewer than their components are projected.
    """

    def __init__(self, columns: Sequence[VectorStatistics], widths: Sequence[int]) -> None:
        super().__init__()
        lengths = np.array([of.length for of in columns])
        pairs = list(zip(lengths.tolist(), widths, strict=True))
        self._projections = [projection(length, width) if width < length else None for length, width in pairs]
        self._widths = list(widths)

        def padded(values: Sequence[list[float]], filler: float) -> NDArray[np.float64]:
            table = np.full((len(columns), lengths.max()), filler)
            for row, own in zip(table, values, strict=True):
                row[: len(own)] = own
            return table

        self._scaling = Scaling(
            padded([of.mean for of in columns], 0.0),
            np.sqrt(padded([of.variance for of in columns], 1.0)),
            padded([of.minimum for of in columns], 0.0),
            padded([of.maximum for of in columns], 0.0),
        )
        self._share = (1 / np.sqrt(lengths[:, None])).astype(np.float32)

    def __call__(self, vectors: tf.Tensor) -> Batch:
        """Float32 (batch, columns, length of the longest), padded with zeros, to both inputs of the network."""
        known = tf.reduce_all(tf.math.is_finite(vectors), 2, keepdims=True)
        scaled = self._scaling(tf.where(known, tf.cast(vectors, tf.float64), np.nan))
        return {_NAME: self._projected(scaled[..., :-1] * self._share), _KNOWN: 1 - scaled[..., -1]}

    def _projected(self, vectors: tf.Tensor) -> tf.Tensor:
        """To (batch, columns, the largest width), padded with zeros."""
        if all(matrix is None for matrix in self._projections):
            return vectors
        columns = []
        for at, (width, matrix) in enumerate(zip(self._widths, self._projections, strict=True)):
            own = vectors[:, at, :width] if matrix is None else vectors[:, at, : len(matrix)] @ matrix
            columns.append(tf.pad(own, [[0, 0], [0, max(self._widths) - width]]))
        return tf.stack(columns, 1)


def projection(length: int, width: int) -> NDArray[np.float32]:
    """A matrix of signs over the root of the width, float32 (length, width), the same everywhere.

    Vectors keep their lengths and distances, up to a few parts of the root of the width (Achlioptas, 2003).
    """
    drawn = hashlib.shake_256(f"{length} to {width}".encode()).digest(-(-length * width // 8))
    signs = np.unpackbits(np.frombuffer(drawn, np.uint8), count=length * width)
    matrix: NDArray[np.float32] = (2 * signs.astype(np.float32) - 1) / np.sqrt(np.float32(width))
    return matrix.reshape(length, width)


class VectorBlock(FeatureBlock[VectorFeature, VectorStatistics]):
    """All vectors.

    The network's inputs are `vector`, float32 (batch, columns, numbers of the column with most), padded with zeros, and
    `vector_known`, float32 (batch, columns).

    Args:
        features: Configuration of each column.
        statistics: Statistics of the same columns.
        directory: As for `FeatureBlock`.
    """

    KIND = _NAME
    DTYPE = tf.float32
    IS_SHOWN = False

    def __init__(
        self,
        features: Mapping[str, VectorFeature],
        statistics: Mapping[str, VectorStatistics],
        directory: Path = Path(),
    ) -> None:
        super().__init__(features, statistics, directory)
        self._lengths = [of.length for of in self.statistics.values()]
        self._longest = max(self._lengths)
        asked = [feature.projection for feature in self.features.values()]
        self._widths = [min(width or length, length) for width, length in zip(asked, self._lengths, strict=True)]
        self._widest = max(self._widths)

    @property
    def is_wide(self) -> bool:
        """Always."""
        return True

    def raw_spec(self, name: str) -> tf.TensorSpec:
        """Float32 (batch, length); a row of NaN is missing."""
        return tf.TensorSpec([None, self.statistics[name].length], self.DTYPE, name=name)

    def joined(self, columns: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """Float32 (batch, columns, length of the longest), padded with zeros."""
        wanted = zip(self.names, self._lengths, strict=True)
        return tf.stack([tf.pad(columns[name], [[0, 0], [0, self._longest - length]]) for name, length in wanted], 1)

    def columns(self, raw: tf.Tensor) -> Batch:
        """Float32 (batch, length) by name."""
        wanted = zip(self.names, self._lengths, strict=True)
        return {name: raw[:, at, :length] for at, (name, length) in enumerate(wanted)}

    def parsed(self, parsed: Batch, held: Held) -> tf.Tensor:
        """As `joined` gives it, NaN where a vector is missing."""
        content = super().parsed(parsed, held)
        columns = {}
        for at, (name, length) in enumerate(zip(self.names, self._lengths, strict=True)):
            missing = np.full(length, np.nan, "<f4").tobytes()
            filled = tf.where(tf.equal(content[:, at], ""), missing, content[:, at])
            columns[name] = tf.ensure_shape(tf.io.decode_raw(filled, self.DTYPE), [None, length])
        return self.joined(columns)

    def transform(self, directory: Path, *, stored: bool) -> VectorTransform:  # vectors have no vocabularies
        """Float32 (batch, columns, length of the longest)."""
        return VectorTransform(list(self.statistics.values()), self._widths)

    def inputs(self) -> dict[str, Any]:
        """`vector` and `vector_known`."""
        columns = len(self.names)
        return {
            _NAME: keras.Input((columns, self._widest), dtype="float32", name=_NAME),
            _KNOWN: keras.Input((columns,), dtype="float32", name=_KNOWN),
        }

    @property
    def embedded(self) -> dict[str, tuple[str, int | None]]:
        """All."""
        return {name: (_STAND_IN, at) for at, name in enumerate(self.names)}

    def encode(self, inputs: Mapping[str, Any], model: ModelSizes, seed: int) -> Encoded:
        """A dense layer for each column, with a learned vector where there is none, and a line from all components."""
        columns = len(self.names)
        known = Hide(HIDDEN, seed_of(seed, _NAME), name=f"{_NAME}__hide")(inputs[_KNOWN])
        values = inputs[_NAME] * ops.expand_dims(known, -1)  # the direct lines lose what is hidden too
        units = column_units(model.width, columns)
        dense = column_layer(columns, self._widest, units, f"{_NAME}__encoder")(values)
        vectors = StandIn(name=_STAND_IN)(dense, known)
        return Encoded(
            layers.Flatten(name=f"{_NAME}__vectors")(vectors),
            lambda units, head: self.line({_NAME: values}, units, f"{_NAME}__to__{head}"),
        )

    def table(self, inputs: Mapping[str, NDArray[Any]]) -> Table:
        """The components, column after column, without padding."""
        return Table.dense(inputs[_NAME].reshape(len(inputs[_NAME]), -1)[:, self._places])

    def line(self, inputs: Mapping[str, Any], units: int, name: str) -> Any:
        """A dense layer over the components."""
        flat = ops.reshape(inputs[_NAME], (-1, len(self.names) * self._widest))
        flat = ops.take(flat, self._places, axis=1)
        return layers.Dense(units, use_bias=False, kernel_initializer="zeros", name=name)(flat)

    @property
    def _places(self) -> NDArray[np.int32]:
        """Where the components are among all that a row has, padding included."""
        places = [at * self._widest + np.arange(width) for at, width in enumerate(self._widths)]
        return np.concatenate(places).astype(np.int32)
