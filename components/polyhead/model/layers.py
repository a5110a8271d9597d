"""The layers that Keras does not have."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from polyhead.kinds.features.category.config import MISSING_ID, UNSEEN_ID

_PACKAGE = "polyhead"


@keras.saving.register_keras_serializable(_PACKAGE)
class Hide(keras.layers.Layer):  # type: ignore[misc]  # Keras is untyped
    """Hides known values at random while training.

    So what stands for a missing value is learned even where nothing is missing, and no head comes to depend on one
    feature alone.

    Args:
        rate: Chance that a known value is hidden while training, 0 to below 1.
        seed: Of the hiding.

    Input shape:
        `known` `(batch,)`, 1.0 or 0.0.

    Output shape:
        `(batch,)`.
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
        return known * ops.cast(self.draw(known) >= self.rate, known.dtype)

    def draw(self, values: Any) -> Any:
        """A number from 0 to below 1 for each row, `(batch,)`."""
        return keras.random.uniform(ops.shape(values)[:1], seed=self.generator)

    def get_config(self) -> dict[str, Any]:
        """Arguments for loading."""
        return {**super().get_config(), "rate": self.rate, "seed": self.seed}


@keras.saving.register_keras_serializable(_PACKAGE)
class HideNumber(Hide):
    """`Hide` for numbers as `polyhead.preprocess.layers.NumericTransform` gives them: a hidden one is as if missing.

    Input shape:
        `(batch, 3)`: value, logarithm, 1 if missing.

    Output shape:
        `(batch, 3)`.
    """

    def call(self, numbers: Any, training: bool = False) -> Any:
        """Numbers, some of them hidden while training."""
        if not training:
            return numbers
        shown = ops.expand_dims(self.draw(numbers) >= self.rate, -1)
        return ops.where(shown, numbers, ops.convert_to_tensor([[0.0, 0.0, 1.0]], numbers.dtype))


@keras.saving.register_keras_serializable(_PACKAGE)
class HideCategory(Hide):
    """`Hide` for ids of categories: some become missing and as many others unseen, so that both vectors are learned.

    Input shape:
        Ids `(batch,)`.

    Output shape:
        `(batch,)`.
    """

    def call(self, ids: Any, training: bool = False) -> Any:
        """Ids, some of them hidden while training."""
        if not training:
            return ids
        drawn = self.draw(ids)
        unseen = ops.where(drawn < 2 * self.rate, ops.full_like(ids, UNSEEN_ID), ids)
        return ops.where(drawn < self.rate, ops.full_like(ids, MISSING_ID), unseen)


@keras.saving.register_keras_serializable(_PACKAGE)
class StandIn(keras.layers.Layer):  # type: ignore[misc]
    """A learned vector in the place of a missing value's.

    Input shape:
        Vectors `(batch, units)` and `known` `(batch,)`, 1.0 or 0.0.

    Output shape:
        `(batch, units)`.
    """

    def build(self, vectors_shape: tuple[int | None, ...], known_shape: tuple[int | None, ...]) -> None:  # noqa: ARG002
        """Create the learned vector."""
        self.vector = self.add_weight(shape=(vectors_shape[-1],), initializer="zeros", name="stand_in")

    def call(self, vectors: Any, known: Any) -> Any:
        """Vectors where known, the learned vector elsewhere."""
        share = ops.cast(ops.expand_dims(known, -1), vectors.dtype)
        return share * vectors + (1 - share) * self.vector


@keras.saving.register_keras_serializable(_PACKAGE)
class WeightedTerms(keras.layers.Layer):  # type: ignore[misc]
    """A dense layer over a sparse row: the sum of its terms' vectors, each times its weight.

    Args:
        terms: Size of the vocabulary; ids are 1 to terms, 0 is padding.
        units: Length of the result.
        initializer: Of the terms' vectors. Defaults to `glorot_uniform`.

    Input shape:
        Ids `(batch, n)` and weights `(batch, n)`.

    Output shape:
        `(batch, units)`.
    """

    def __init__(self, terms: int, units: int, initializer: str = "glorot_uniform", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.terms = terms
        self.units = units
        self.initializer = initializer

    def build(self, ids_shape: tuple[int | None, ...], weights_shape: tuple[int | None, ...]) -> None:  # noqa: ARG002
        """Create the terms' vectors."""
        self.vectors = self.add_weight(shape=(self.terms + 1, self.units), initializer=self.initializer, name="terms")

    def call(self, ids: Any, weights: Any) -> Any:
        """The weighted sums; padding has weight 0."""
        return ops.sum(ops.take(self.vectors, ids, axis=0) * ops.expand_dims(weights, -1), axis=1)

    def get_config(self) -> dict[str, Any]:
        """Arguments for loading."""
        return {**super().get_config(), "terms": self.terms, "units": self.units, "initializer": self.initializer}


@keras.saving.register_keras_serializable(_PACKAGE)
class LabelwiseCrossentropy(keras.losses.Loss):  # type: ignore[misc]
    """Binary cross-entropy of every label by itself, so that weights can be given per row and label.

    Input shape:
        True 0/1 and logits `(batch, labels)`; sample weights `(batch, labels)`.
    """

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Losses `(batch, labels)`."""
        return ops.binary_crossentropy(y_true, y_pred, from_logits=True)


CUSTOM_LAYERS = {layer.__name__: layer for layer in (Hide, HideNumber, HideCategory, StandIn, WeightedTerms)}
"""What `keras.saving.load_model` needs to know to load a core model."""
