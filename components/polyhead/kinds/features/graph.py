"""What the encoders of several kinds share."""

from __future__ import annotations

import zlib
from typing import Any

import keras
from keras import ops

PACKAGE = "polyhead"
"""Keras' name for where the layers come from."""

HIDDEN = 0.02
"""Chance that a value is hidden while training, so that the replacement of a missing one is learned."""

_SHARED_UNITS = 1024
_FEWEST_UNITS = 4


def column_units(width: int, columns: int) -> int:
    """Units of each column's vector in a block, so that the combiner's work grows with the columns and no faster.

    A column has `model.width` units of its own while all together have no more than 1,024; beyond that they share
    these, down to four each: a number is three things already (its value, its logarithm, whether it is missing).

    Args:
        width: `model.width`.
        columns: Of the block.
    """
    return min(width, max(_FEWEST_UNITS, _SHARED_UNITS // columns))


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
