"""What the encoders of several kinds share."""

from __future__ import annotations

import math
import zlib
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops
from numpy.typing import NDArray

from polyhead.contracts.sizes import ModelSizes
from polyhead.kinds.protocols.graph import AFeature, AStatistics, Batch, Encoded, FeatureBlock, Table, TreeColumns

PACKAGE = "polyhead"
"""Keras' name for where the layers come from."""

HIDDEN = 0.02
"""Chance that a value is hidden while training, so that the replacement of a missing one is learned."""

_BEYOND = 1.0
"""Standard deviations beyond the train rows' range up to which a number counts for what it is."""

_SMALLEST = np.finfo(np.float64).tiny  # TensorFlow takes smaller numbers for 0
_LARGEST = 1e15
"""Magnitude whose square, and sums of it, are 32-bit numbers."""

_MANY_ROWS = 3_000
_SHARED_UNITS = 1024
_FEWEST_UNITS = 4


def few_rows_rate(rows: int) -> float:
    """What to multiply inputs of which a column has very many by, so that the network learns them more slowly.

    Adam moves every weight as far, whatever its input is worth: where the rows are few, a thousand inputs fit them by
    chance sooner than a few fit them by merit. Measured on validation rows with features of frozen networks and with
    runs of characters.

    Args:
        rows: Train rows with a value of the column.

    Returns:
        1 from 3,000 rows on, below in proportion to them.
    """
    return min(1.0, rows / _MANY_ROWS)


def occurrences(ids: tf.RaggedTensor, size: int) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """How often each row has an id, for those that it has, in the order of rows and ids.

    Args:
        ids: Ragged int32 (rows, None), from 0 to below the size. TensorFlow counts no ids of no rows, so an empty one
            is added.
        size: Of the vocabulary.

    Returns:
        Row, id and count, int64, int64 and int32 (n,).
    """
    splits = tf.concat([ids.row_splits, ids.row_splits[-1:]], 0)
    more = tf.RaggedTensor.from_row_splits(ids.values, splits, validate=False)
    counts = tf.sparse.bincount(more, axis=-1, minlength=size, maxlength=size)
    return counts.indices[:, 0], counts.indices[:, 1], counts.values


def column_units(width: int, columns: int) -> int:
    """Units of each column's vector in a block, so that the combiner's work grows with the columns and no faster.

    A column has `model.width` units of its own while all together have no more than 1,024; beyond that they share
    these, down to four each: a number is three things already (its value, its logarithm, whether it is missing).

    Args:
        width: `model.width`.
        columns: Of the block.
    """
    return min(width, max(_FEWEST_UNITS, _SHARED_UNITS // columns))


def column_layer(columns: int, inputs: int, units: int, name: str) -> keras.layers.Layer:
    """A dense layer for each column of a block, all of them in one tensor.

    Args:
        columns: Of the block.
        inputs: Numbers of the longest column.
        units: Of each column's vector.
        name: Of the layer.

    Returns:
        A layer from `(batch, columns, inputs)` to `(batch, columns, units)`.
    """
    limit = math.sqrt(6 / (inputs + units))  # Glorot's, of one column's layer
    return layers.EinsumDense(
        "bci,ciu->bcu",
        output_shape=(columns, units),
        bias_axes="cu",
        activation="gelu",
        kernel_initializer=keras.initializers.RandomUniform(-limit, limit),
        name=name,
    )


def seed_of(seed: int, name: str) -> int:
    """A seed of its own for every part of the network, the same on every machine."""
    return zlib.crc32(f"{seed}/{name}".encode())


@keras.saving.register_keras_serializable(PACKAGE)
class Hide(keras.layers.Layer):  # type: ignore[misc]  # Keras is untyped
    """Hides known values at random while training.

    So the replacement of a missing value is learned even if nothing is missing, and no head comes to depend on one
    feature alone.

    Args:
        rate: Chance that a known value is hidden while training, 0 to below 1.
        seed: Of the hiding.

    Input shape:
        `known` `(batch,)` or `(batch, columns)`, 1.0 or 0.0.

    Output shape:
        That of the input.
    """

    def __init__(self, rate: float, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.rate = rate
        self.seed = seed
        self.generator = keras.random.SeedGenerator(seed)

    def call(self, known: Any, training: bool = False) -> Any:
        """What is still known."""
        if not training:
            return known
        return known * ops.cast(self.draw(ops.shape(known)) >= self.rate, known.dtype)

    def draw(self, shape: Any) -> Any:
        """A number from 0 to below 1 for each value."""
        return keras.random.uniform(shape, seed=self.generator)

    def get_config(self) -> dict[str, Any]:
        """Arguments for loading."""
        return {**super().get_config(), "rate": self.rate, "seed": self.seed}


@keras.saving.register_keras_serializable(PACKAGE)
class HideNumber(Hide):
    """`Hide` for numbers as `Scaling` gives them: a hidden one is as if missing.

    Input shape:
        `(batch, columns, parts + 1)`: the parts, then 1 if missing.

    Output shape:
        `(batch, columns, parts + 1)`.
    """

    def call(self, numbers: Any, training: bool = False) -> Any:
        """Numbers, some of them hidden while training."""
        if not training:
            return numbers
        shown = ops.expand_dims(self.draw(ops.shape(numbers)[:-1]) >= self.rate, -1)
        missing = [0.0] * (numbers.shape[-1] - 1) + [1.0]
        return ops.where(shown, numbers, ops.convert_to_tensor(missing, numbers.dtype))


@keras.saving.register_keras_serializable(PACKAGE)
class StandIn(keras.layers.Layer):  # type: ignore[misc]
    """A learned vector in place of a missing value's.

    Input shape:
        Vectors `(batch, units)` and `known` `(batch,)`, 1.0 or 0.0; or `(batch, columns, units)` and
        `(batch, columns)`.

    Output shape:
        That of the vectors.
    """

    def build(self, vectors_shape: tuple[int | None, ...], known_shape: tuple[int | None, ...]) -> None:
        """Create the learned vectors, one for each column."""
        self.vector = self.add_weight(shape=vectors_shape[1:], initializer="zeros", name="stand_in")

    def call(self, vectors: Any, known: Any) -> Any:
        """Vectors where known, the learned ones elsewhere."""
        share = ops.cast(ops.expand_dims(known, -1), vectors.dtype)
        return share * vectors + (1 - share) * self.vector


class Scaling(tf.Module):  # type: ignore[misc]  # TensorFlow is untyped
    """The parts of a number to scaled ones, (part - centre) / spread, and whether it is missing.

    They are centred in 64 bits before they become 32, so close numbers far from zero stay apart. Each is held within
    the train rows' range and one standard deviation beyond it: what a number can add is bounded, however far outside
    it lies. A part that is constant in the train rows tells nothing, so any value of it becomes 0.

    Args:
        centre: What becomes 0, float64 (columns, parts).
        spread: What becomes 1, counted from there, (columns, parts); 1 is taken for 0, and for what the graph takes
            for 0.
        lowest: The smallest of the train rows, (columns, parts).
        highest: The largest, (columns, parts).
        deviation: The train rows' standard deviation, (columns, parts). Default: the spread.
    """

    def __init__(
        self,
        centre: NDArray[np.float64],
        spread: NDArray[np.float64],
        lowest: NDArray[np.float64],
        highest: NDArray[np.float64],
        deviation: NDArray[np.float64] | None = None,
    ) -> None:
        super().__init__()
        deviation = spread if deviation is None else deviation
        varies = (deviation > 0) & (lowest < highest)
        self._centre = centre
        self._spread = np.where(spread >= _SMALLEST, spread, 1.0)
        beyond = _BEYOND * deviation / self._spread
        low, high = ((end - centre) / self._spread for end in (lowest, highest))
        self._lowest = np.where(varies, np.maximum(low - beyond, -_LARGEST), 0.0)
        self._highest = np.where(varies, np.minimum(high + beyond, _LARGEST), 0.0)

    def __call__(self, parts: tf.Tensor) -> tf.Tensor:
        """Float64 (batch, columns, parts), the first NaN where missing, to float32 (batch, columns, parts + 1)."""
        missing = tf.math.is_nan(parts[..., :1])
        scaled = tf.clip_by_value((parts - self._centre) / self._spread, self._lowest, self._highest)
        scaled = tf.where(missing, tf.zeros_like(scaled), scaled)
        return tf.concat([tf.cast(scaled, tf.float32), tf.cast(missing, tf.float32)], 2)


class OneInput(tf.Module):  # type: ignore[misc]
    """A block's transform that gives one input of the network.

    Args:
        name: The input.
        transform: From the raw block to the input.
    """

    def __init__(self, name: str, transform: Callable[[tf.Tensor], tf.Tensor]) -> None:
        super().__init__()
        self._input = name
        self._transform = transform

    def __call__(self, values: tf.Tensor) -> Batch:
        """The input under its name."""
        return {self._input: self._transform(values)}


class NumberBlock(FeatureBlock[AFeature, AStatistics]):
    """Columns whose values are numbers of some parts, or words that mean such.

    The network's input is called after the kind, float32 (batch, columns, parts + 1), as `Scaling` gives it.
    """

    DTYPE = tf.float64
    PARTS: ClassVar[int]
    TREE_PARTS: ClassVar[int]
    """How many of the parts, from the first, tell a tree something new: not those that order rows as another does."""

    @abstractmethod
    def scaled(self, *, stored: bool) -> Callable[[tf.Tensor], tf.Tensor]:
        """From the raw block, (batch, columns), to the network's input; `stored` is that of `transform`."""

    def transform(self, directory: Path, *, stored: bool) -> OneInput:  # numbers have no vocabularies
        """Float64 (batch, columns), NaN where missing; strings, empty where missing, of a kind of words."""
        return OneInput(self.KIND, self.scaled(stored=stored))

    def inputs(self) -> dict[str, Any]:
        """One, called after the kind."""
        return {self.KIND: keras.Input((len(self.names), self.PARTS + 1), dtype="float32", name=self.KIND)}

    def encode(self, inputs: Mapping[str, Any], model: ModelSizes, seed: int) -> Encoded:
        """A dense layer for each column, all of them in one tensor, and a direct line from all parts."""
        columns, parts = len(self.names), self.PARTS + 1
        values = HideNumber(HIDDEN, seed_of(seed, self.KIND), name=f"{self.KIND}__hide")(inputs[self.KIND])
        units = column_units(model.width, columns)
        vectors = column_layer(columns, parts, units, f"{self.KIND}__encoder")(values)
        return Encoded(
            layers.Flatten(name=f"{self.KIND}__vectors")(vectors),
            lambda units, head: self.line({self.KIND: values}, units, f"{self.KIND}__to__{head}"),
        )

    def table(self, inputs: Mapping[str, NDArray[Any]]) -> Table:
        """All parts of a number, then the next column's."""
        return Table.dense(inputs[self.KIND].reshape(len(inputs[self.KIND]), -1))

    def line(self, inputs: Mapping[str, Any], units: int, name: str) -> Any:
        """A dense layer over all parts."""
        flat = ops.reshape(inputs[self.KIND], (-1, len(self.names) * (self.PARTS + 1)))
        return layers.Dense(units, use_bias=False, kernel_initializer="zeros", name=name)(flat)

    def trees(self, inputs: Mapping[str, Any]) -> TreeColumns:
        """The parts of `TREE_PARTS`."""
        numbers = inputs[self.KIND]
        missing = numbers[:, :, -1:] > 0
        values = ops.where(missing, np.float32(np.nan), numbers[:, :, : self.TREE_PARTS])
        columns = len(self.names) * self.TREE_PARTS
        return TreeColumns(ops.reshape(values, (-1, columns)), [0] * columns)


@keras.saving.register_keras_serializable(PACKAGE)
class WeightedTerms(keras.layers.Layer):  # type: ignore[misc]  # Keras is untyped
    """A dense layer for each column over its sparse row: the sum of its terms' vectors, each times its weight.

    Args:
        terms: Of each column; its ids are 0, or 1, to that. Padding is id 0 with weight 0.
        units: Length of each column's result.
        zeros: Whether the terms' vectors begin at zero instead of as Glorot says for the column's layer.

    Input shape:
        Ids `(batch, columns, n)` and weights `(batch, columns, n)`.

    Output shape:
        `(batch, columns, units)`.
    """

    def __init__(self, terms: Sequence[int], units: int, *, zeros: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.terms = list(terms)
        self.units = units
        self.zeros = zeros
        self._rows = np.add(self.terms, 1)
        self._starts = (np.cumsum(self._rows) - self._rows).astype(np.int32)[:, None]

    def build(self, ids_shape: tuple[int | None, ...], weights_shape: tuple[int | None, ...]) -> None:
        """Create the terms' vectors."""
        self.vectors = self.add_weight(
            shape=(int(self._rows.sum()), self.units),
            initializer="zeros" if self.zeros else self._glorot,
            name="terms",
        )

    def _glorot(self, shape: tuple[int, ...], dtype: str | None = None) -> Any:
        limits = np.repeat(np.sqrt(6 / (self._rows + self.units)), self._rows)[:, None]
        return keras.initializers.RandomUniform(-1, 1)(shape, dtype) * ops.convert_to_tensor(limits, dtype)

    def call(self, ids: Any, weights: Any) -> Any:
        """The weighted sums; padding has weight 0."""
        return ops.einsum("bcnu,bcn->bcu", ops.take(self.vectors, ids + self._starts, axis=0), weights)

    def get_config(self) -> dict[str, Any]:
        """Arguments for loading."""
        return {**super().get_config(), "terms": self.terms, "units": self.units, "zeros": self.zeros}


class TermsBlock(FeatureBlock[AFeature, AStatistics]):
    """Columns whose cells are some terms each, every term with a weight.

    The network's inputs are called after the kind: `<kind>_ids` int32 and `<kind>_weights` float32, both (batch,
    columns, n), padded with id 0 and weight 0.
    """

    @property
    @abstractmethod
    def terms(self) -> list[int]:
        """How many each column has; their ids are 0, or 1, to that."""

    def inputs(self) -> dict[str, Any]:
        """Ids and weights."""
        ids, weights = self._named
        columns = len(self.names)
        return {
            ids: keras.Input((columns, None), dtype="int32", name=ids),
            weights: keras.Input((columns, None), dtype="float32", name=weights),
        }

    def table(self, inputs: Mapping[str, NDArray[Any]]) -> Table:
        """The weight of each term, column after column, each with a place for id 0 before the others."""
        ids, weights = (inputs[name] for name in self._named)
        rows = np.add(self.terms, 1)
        starts = (np.cumsum(rows) - rows)[:, None]
        places = (ids + starts).reshape(len(ids), -1).astype(np.int32)
        return Table(int(rows.sum()), places, weights.reshape(places.shape))

    def line(self, inputs: Mapping[str, Any], units: int, name: str) -> Any:
        """`WeightedTerms`, summed over the columns."""
        ids, weights = (inputs[name] for name in self._named)
        return ops.sum(WeightedTerms(self.terms, units, zeros=True, name=name)(ids, weights), axis=1)

    @property
    def _named(self) -> tuple[str, str]:
        """What the inputs of ids and weights are called."""
        return f"{self.KIND}_ids", f"{self.KIND}_weights"
