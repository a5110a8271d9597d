"""The layers that Keras does not have."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

_PACKAGE = "polyhead"


@keras.saving.register_keras_serializable(_PACKAGE)
class StandIn(keras.layers.Layer):  # type: ignore[misc]  # Keras is untyped
    """A learned vector in the place of a missing value's.

    While training, known values are hidden at random too, so that the stand-in is learned even where nothing is
    missing and no head comes to depend on this feature alone.

    Args:
        rate: Chance that a known value is hidden while training, 0 to below 1. Defaults to 0.
        seed: Of the hiding.

    Input shape:
        Vectors `(batch, units)` and `known` `(batch,)`, 1.0 or 0.0.

    Output shape:
        `(batch, units)`.
    """

    def __init__(self, rate: float = 0.0, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.rate = rate
        self.seed = seed
        self.generator = keras.random.SeedGenerator(seed)

    def build(self, vectors_shape: tuple[int | None, ...], known_shape: tuple[int | None, ...]) -> None:  # noqa: ARG002
        """Create the learned vector."""
        self.vector = self.add_weight(shape=(vectors_shape[-1],), initializer="zeros", name="stand_in")

    def call(self, vectors: Any, known: Any, training: bool = False) -> Any:
        """Vectors where known, the learned vector elsewhere."""
        if training and self.rate:
            shown = keras.random.uniform(ops.shape(known), seed=self.generator) >= self.rate
            known = known * ops.cast(shown, known.dtype)
        share = ops.cast(ops.expand_dims(known, -1), vectors.dtype)
        return share * vectors + (1 - share) * self.vector

    def get_config(self) -> dict[str, Any]:
        """Arguments for loading."""
        return {**super().get_config(), "rate": self.rate, "seed": self.seed}


@keras.saving.register_keras_serializable(_PACKAGE)
class HideCategory(keras.layers.Layer):  # type: ignore[misc]
    """Replaces ids by the id of an unseen value at random while training, so that its embedding is learned.

    Args:
        rate: Chance per row, 0 to below 1.
        unseen: The id to put.
        seed: Of the hiding.

    Input shape:
        Ids `(batch,)`.

    Output shape:
        `(batch,)`.
    """

    def __init__(self, rate: float, unseen: int, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.rate = rate
        self.unseen = unseen
        self.seed = seed
        self.generator = keras.random.SeedGenerator(seed)

    def call(self, ids: Any, training: bool = False) -> Any:
        """Ids, some of them hidden while training."""
        if not training:
            return ids
        shown = keras.random.uniform(ops.shape(ids), seed=self.generator) >= self.rate
        return ops.where(shown, ids, ops.full_like(ids, self.unseen))

    def get_config(self) -> dict[str, Any]:
        """Arguments for loading."""
        return {**super().get_config(), "rate": self.rate, "unseen": self.unseen, "seed": self.seed}


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


CUSTOM_LAYERS = {layer.__name__: layer for layer in (StandIn, HideCategory, WeightedTerms)}
"""What `keras.saving.load_model` needs to know to load a core model."""
