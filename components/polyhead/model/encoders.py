"""One encoder per feature: the transformed value to a vector, and its direct line to the heads."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
from keras import layers, ops

from polyhead.contracts.config import ModelSection
from polyhead.contracts.preprocessing import Preprocessing
from polyhead.kinds.features.category.config import FIRST_ID, CategoryFeature, CategoryStatistics
from polyhead.kinds.features.image.config import ImageFeature
from polyhead.kinds.features.numeric.config import NumericFeature
from polyhead.kinds.features.text.config import TextStatistics
from polyhead.kinds.union import Feature
from polyhead.model.layers import Hide, HideCategory, HideNumber, StandIn, WeightedTerms

_HIDDEN = 0.02
"""Chance that a value is hidden while training: what stands for a missing one is learned, whatever the table lacks."""
_CHANNELS = (16, 32, 64, 96, 128, 128, 128)
_POOLED = 4


@dataclass
class Encoded:
    """What one feature gives to the rest of the network.

    Attributes:
        vector: `(batch, units)`, for the combiner.
        direct: Makes a linear function of the feature, `(batch, units)`, for a head of that many units; None
            where a linear function means nothing, as for pixels.
    """

    vector: Any
    direct: Callable[[int, str], Any] | None


def core_inputs(preprocessing: Preprocessing) -> dict[str, Any]:
    """The network's inputs by name.

    numeric: float32 (3,). category: int32 (). text: `__ids` int32 and `__weights` float32 (terms,), `__known`
    float32 (). image: uint8 (height, width, 3), `__known` float32 ().
    """
    inputs: dict[str, Any] = {}

    def add(name: str, shape: tuple[int | None, ...], dtype: str) -> None:
        inputs[name] = keras.Input(shape, dtype=dtype, name=name)

    for name, feature in preprocessing.features.items():
        if isinstance(feature, NumericFeature):
            add(name, (3,), "float32")
        elif isinstance(feature, CategoryFeature):
            add(name, (), "int32")
        elif isinstance(feature, ImageFeature):
            add(name, (*feature.size, 3), "uint8")
            add(f"{name}__known", (), "float32")
        else:
            add(f"{name}__ids", (None,), "int32")
            add(f"{name}__weights", (None,), "float32")
            add(f"{name}__known", (), "float32")
    return inputs


def encode_all(
    preprocessing: Preprocessing, inputs: dict[str, Any], model: ModelSection, *, seed: int
) -> dict[str, Encoded]:
    """Encode every feature; image features with the same `tied` word share one tower."""
    towers: dict[str, keras.Model] = {}
    return {
        name: _encode(name, feature, preprocessing, inputs, model, towers, feature_seed(seed, name))
        for name, feature in preprocessing.features.items()
    }


def feature_seed(seed: int, name: str) -> int:
    """A seed of its own for every feature, the same on every machine."""
    return zlib.crc32(f"{seed}/{name}".encode())


def _encode(
    name: str,
    feature: Feature,
    preprocessing: Preprocessing,
    inputs: dict[str, Any],
    model: ModelSection,
    towers: dict[str, keras.Model],
    seed: int,
) -> Encoded:
    if isinstance(feature, NumericFeature):
        return _numeric(name, inputs[name], model, seed)
    statistics = preprocessing.feature_statistics[name]
    if isinstance(statistics, CategoryStatistics):
        return _category(name, inputs[name], statistics.vocabulary.size, model, seed)
    known = inputs[f"{name}__known"]
    if isinstance(statistics, TextStatistics):
        ids, weights = inputs[f"{name}__ids"], inputs[f"{name}__weights"]
        return _text(name, ids, weights, known, statistics.vocabulary.size, model, seed)
    assert isinstance(feature, ImageFeature)
    tower = f"{feature.tied}__tied_tower" if feature.tied else f"{name}__tower"
    if tower not in towers:
        towers[tower] = image_tower(feature, model, tower, seed)
    known = Hide(max(model.image_dropout, _HIDDEN), seed, name=f"{name}__hide")(known)
    vector = StandIn(name=f"{name}__stand_in")(towers[tower](inputs[name]), known)
    return Encoded(vector, None)


def _numeric(name: str, values: Any, model: ModelSection, seed: int) -> Encoded:
    values = HideNumber(_HIDDEN, seed, name=f"{name}__hide")(values)
    vector = layers.Dense(model.width, activation="gelu", name=f"{name}__encoder")(values)
    return Encoded(
        vector,
        lambda units, head: layers.Dense(units, use_bias=False, kernel_initializer="zeros", name=f"{name}__to__{head}")(
            values
        ),
    )


def _category(name: str, ids: Any, size: int, model: ModelSection, seed: int) -> Encoded:
    ids = HideCategory(_HIDDEN, seed, name=f"{name}__hide")(ids)
    total = size + FIRST_ID
    units = min(model.width, 4 + 2 * int(total**0.5))
    vector = layers.Embedding(total, units, name=f"{name}__encoder")(ids)
    return Encoded(
        vector,
        lambda units, head: layers.Embedding(total, units, embeddings_initializer="zeros", name=f"{name}__to__{head}")(
            ids
        ),
    )


def _text(name: str, ids: Any, weights: Any, known: Any, size: int, model: ModelSection, seed: int) -> Encoded:
    known = Hide(_HIDDEN, seed, name=f"{name}__hide")(known)
    weights = weights * ops.expand_dims(known, -1)  # the direct lines lose what is hidden too
    terms = WeightedTerms(size, model.width, name=f"{name}__encoder")(ids, weights)
    vector = StandIn(name=f"{name}__stand_in")(layers.Activation("gelu", name=f"{name}__activation")(terms), known)
    return Encoded(
        vector, lambda units, head: WeightedTerms(size, units, "zeros", name=f"{name}__to__{head}")(ids, weights)
    )


def image_tower(feature: ImageFeature, model: ModelSection, name: str, seed: int) -> keras.Model:
    """A small convolutional network from pixels to a vector.

    Blocks of convolution, pooling, group normalisation and ReLU halve the picture until it is at most 2 * 4 wide;
    a 4 x 4 grid keeps where things are. Trained from scratch, so kept small.

    Args:
        feature: Size and flipping.
        model: Width of the result and dropout.
        name: Of the Keras model.
        seed: Of flipping and dropout.

    Returns:
        A model from uint8 `(batch, height, width, 3)` to `(batch, width)`.
    """
    pixels = keras.Input((*feature.size, 3), dtype="uint8")
    x = layers.Rescaling(1 / 127.5, offset=-1)(ops.cast(pixels, "float32"))
    if feature.flip:
        x = layers.RandomFlip("horizontal", seed=seed)(x)
    for channels in _CHANNELS:
        if min(x.shape[1:3]) < 2 * _POOLED:
            break
        x = layers.Conv2D(channels, 3, padding="same", use_bias=False)(x)
        x = layers.GroupNormalization(8)(layers.MaxPooling2D(2)(x))
        x = layers.ReLU()(x)
    height, width = x.shape[1] // _POOLED, x.shape[2] // _POOLED
    if max(height, width) > 1:
        x = layers.AveragePooling2D((max(1, height), max(1, width)))(x)
    x = layers.Dropout(model.dropout, seed=seed)(layers.Flatten()(x))
    return keras.Model(pixels, layers.Dense(model.width, activation="gelu")(x), name=name)
