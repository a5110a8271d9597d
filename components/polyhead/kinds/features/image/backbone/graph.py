"""Pretrained networks in the graph."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf
from keras import ops

from polyhead.errors import DataError
from polyhead.kinds.features.image.config import Backbone

BACKBONE = "backbone"
"""What a pretrained network is called inside of the model that it learns with."""

_TOP = 1 / 3
"""Share of a network's layers, from its end, that `train: top` lets learn."""


def load_backbone(directory: Path, backbone: Backbone) -> keras.Model:
    """A network with its weights, from pixels `(batch, height, width, 3)` of 0 to 255 to `(batch, width)`.

    Args:
        directory: Of the preprocessing artifact.
        backbone: Which of its files.

    Raises:
        DataError: Keras cannot build it, its weights are another network's, or it gives something else than a vector.
    """
    path = directory / backbone.path
    hint = "give another file as the encoder's backbone, and run polyhead preprocess again"
    try:
        network = keras.saving.load_model(path, safe_mode=True, compile=False)
    except Exception as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise DataError("backbone-weights", f"cannot be loaded: {reason}", where=str(path), hint=hint) from None
    shapes = [tuple(output.shape) for output in network.outputs]
    if shapes != [(None, backbone.width)]:
        what = f"gives {', '.join(map(str, shapes))}; it must give one vector of {backbone.width} numbers"
        raise DataError("backbone-output", what, where=str(path), hint=hint)
    return network


def thaw(network: keras.Model, *, whole: bool) -> None:
    """Let a network learn, all of it or its last third of layers.

    Batch normalisation stays as it was trained: its statistics are of more pictures than a table has, and it says other
    things of a batch than of a picture.

    Args:
        network: A functional or sequential model; its layers may be such models.
        whole: Whether all layers learn.
    """
    network.trainable = True
    flat = list(_flat(network))
    first = 0 if whole else len(flat) - round(len(flat) * _TOP)
    for place, layer in enumerate(flat):
        if place < first or isinstance(layer, keras.layers.BatchNormalization):
            layer.trainable = False


def _flat(network: keras.Model) -> Iterator[keras.layers.Layer]:
    for layer in network.layers:
        if isinstance(layer, keras.Model):
            yield from _flat(layer)
        else:
            yield layer


def as_rgb(pixels: Any) -> Any:
    """Pixels `(batch, height, width, 3)`, three times the same of those that are `(batch, height, width, 1)`."""
    return ops.repeat(pixels, 3, axis=3) if pixels.shape[3] == 1 else pixels


class PictureFeatures(tf.Module):  # type: ignore[misc]  # TensorFlow is untyped
    """What a frozen network makes of pictures.

    It sees them one by one, so what it makes of a picture does not depend on those beside it, not even in the last bit.
    On a processor that takes no longer than many at once.

    Args:
        network: As `load_backbone` gives it.
        shape: Height, width and channels of the pictures; one of a single channel is seen as three equal ones.
    """

    def __init__(self, network: keras.Model, shape: tuple[int, int, int]) -> None:
        super().__init__()
        network.trainable = False
        self._variables = [variable.value for variable in network.variables]
        self._width = network.outputs[0].shape[-1]
        see = functools.partial(_seen, network)  # out of reach of TensorFlow's saving, as the served network is
        self._see = tf.function(see, input_signature=[tf.TensorSpec(shape, tf.uint8)], autograph=False)

    def __call__(self, pixels: tf.Tensor, known: tf.Tensor) -> tf.Tensor:
        """Pixels uint8 (batch, *shape) to features float32 (batch, width), 0 where not `known` (batch,)."""
        nothing = tf.zeros([self._width])
        return tf.map_fn(
            lambda one: tf.cond(one[1], lambda: self._see(one[0]), lambda: nothing),
            (pixels, known),
            fn_output_signature=tf.TensorSpec([self._width], tf.float32),
        )


def _seen(network: keras.Model, picture: tf.Tensor) -> tf.Tensor:
    pixels = ops.cast(as_rgb(picture[None]), network.inputs[0].dtype)
    return ops.cast(network(pixels, training=False)[0], "float32")
