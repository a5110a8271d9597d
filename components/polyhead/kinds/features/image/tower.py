"""A convolutional network from pixels to a vector, trained from scratch."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers

from polyhead.contracts.sizes import ModelSizes
from polyhead.kinds.features.image.augment import Augment
from polyhead.kinds.features.image.config import ImageFeature

_MOST_PIXELS = 40
"""Height and width above which convolutions halve the picture before the first stage."""

_STEM_CHANNELS = 16
_MOMENTUM = 0.95
_GRID = 2
_FEW_ROWS = 1_000
_CHANNELS = {True: (16, 32, 64), False: (24, 48, 96)}
"""Channels of the stages, by whether the rows are few."""


def image_tower(feature: ImageFeature, rows: int, model: ModelSizes, name: str, seed: int) -> keras.Model:
    """A small residual network.

    Convolutions of stride 2 bring a picture to at most 40 pixels a side. Three stages follow, each a convolution and a
    pooling by 2, from the second on with two more convolutions beside a straight way. Batch normalisation and ReLU come
    after each convolution. What is left, averaged to a grid of about 2 x 2 that keeps where things are, goes through
    dropout and one dense layer. (The stages are those of David Page, How to Train Your ResNet, 2018.)

    Args:
        feature: Size and augmentation.
        rows: Pictures that it is trained on; above 1,000 the stages have half as many channels again.
        model: Width of the result and dropout.
        name: Of the Keras model.
        seed: Of augmentation and dropout.

    Returns:
        A model from uint8 `(batch, height, width, 3)` to `(batch, width)`.
    """
    pixels = keras.Input((*feature.size, 3), dtype="uint8")
    x = Augment(feature.augment.model_dump(), seed=seed)(pixels)
    while min(x.shape[1:3]) > _MOST_PIXELS:
        x = _normalised(_convolution(x, _STEM_CHANNELS, strides=2))
    for stage, channels in enumerate(_CHANNELS[rows <= _FEW_ROWS]):
        x = _normalised(layers.MaxPooling2D(2)(_convolution(x, channels)))
        if stage:
            x = layers.Add()([x, _normalised(_convolution(_normalised(_convolution(x, channels)), channels))])
    height, width = (max(1, size // _GRID) for size in x.shape[1:3])
    x = layers.Flatten()(layers.AveragePooling2D((height, width))(x))
    x = layers.Dropout(model.dropout, seed=seed)(x)
    return keras.Model(pixels, layers.Dense(model.width, activation="gelu")(x), name=name)


def _convolution(x: Any, channels: int, strides: int = 1) -> Any:
    return layers.Conv2D(channels, 3, strides=strides, padding="same", use_bias=False)(x)


def _normalised(x: Any) -> Any:
    return layers.ReLU()(layers.BatchNormalization(momentum=_MOMENTUM)(x))
