"""Pictures in the graph: bytes to pixels, and the towers that see them."""

from __future__ import annotations

import ctypes
import functools
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import simplejpeg
import tensorflow as tf
from keras import layers, ops
from numpy.typing import NDArray

from polyhead.contracts.config import ModelSection
from polyhead.kinds.entries import entry_name
from polyhead.kinds.features.graph import HIDDEN, Hide, StandIn, seed_of
from polyhead.kinds.features.image.config import ImageFeature, ImageStatistics
from polyhead.kinds.protocols.graph import Batch, Encoded, FeatureBlock, Held, Table
from polyhead.pictures import graph

_ALIGNMENT = 64
_CHANNELS = (16, 32, 64, 96, 128, 128, 128)
_POOLED = 4


class ServedPictures(tf.Module):  # type: ignore[misc]
    """Files' bytes to pixels: uint8 (batch, height, width, 3), black where there is none.

    Args:
        feature: Size, background and range of samples.
        statistics: How the files are decoded.
    """

    def __init__(self, feature: ImageFeature, statistics: ImageStatistics) -> None:
        super().__init__()
        self._size = feature.size
        self._load = functools.partial(
            graph.load,
            size=feature.size,
            scaled=statistics.decode == "scaled",
            background=feature.background_colour,
            sample_range=feature.range,
        )

    def __call__(self, contents: tf.Tensor) -> tf.Tensor:
        """String (batch,) to uint8 (batch, height, width, 3)."""
        black = tf.zeros([*self._size, 3], tf.uint8)
        return tf.map_fn(
            lambda content: tf.cond(
                tf.equal(content, ""),
                lambda: black,
                lambda: self._load(content),
            ),
            contents,
            fn_output_signature=tf.TensorSpec([*self._size, 3], tf.uint8),
        )


class StoredPictures(tf.Module):  # type: ignore[misc]
    """A shard's picture entries to pixels; shapes as in `ServedPictures`.

    Args:
        feature: Size, and how `shard` stored the pictures.
    """

    def __init__(self, feature: ImageFeature) -> None:
        super().__init__()
        self._size = feature.size
        self._store = feature.store
        self._free: list[NDArray[np.uint8]] = []

    def __call__(self, contents: tf.Tensor) -> tf.Tensor:
        """String (batch,) to uint8 (batch, height, width, 3)."""
        height, width = self._size
        if self._store == "raw":
            black = tf.constant(bytes(height * width * 3))
            filled = tf.where(tf.equal(contents, ""), black, contents)
            return tf.reshape(tf.io.decode_raw(filled, tf.uint8), [-1, height, width, 3])
        if self._store == "png":
            black = tf.io.encode_png(tf.zeros([height, width, 3], tf.uint8))
            return tf.map_fn(
                lambda content: tf.ensure_shape(tf.io.decode_png(content, channels=3), [height, width, 3]),
                tf.where(tf.equal(contents, ""), black, contents),
                fn_output_signature=tf.TensorSpec([height, width, 3], tf.uint8),
            )
        pixels = tf.numpy_function(self._decoded, [contents], tf.uint8, stateful=False)
        return tf.ensure_shape(pixels, [None, height, width, 3])

    def _decoded(self, contents: NDArray[np.object_]) -> NDArray[np.uint8]:
        """A batch of JPEG files decoded in place: the accurate decoder of libjpeg-turbo, without the lock."""
        pixels = self._memory(len(contents))
        for picture, content in zip(pixels, contents, strict=True):
            if content:
                simplejpeg.decode_jpeg(content, "RGB", buffer=picture)
            else:
                picture[:] = 0
        return pixels

    def _memory(self, count: int) -> NDArray[np.uint8]:
        """Room for some pictures, which serves again once no array or tensor holds it any more.

        The operating system would clear fresh memory first, which costs a twentieth of decoding. It begins at an
        address that TensorFlow takes over without copying.
        """
        height, width = self._size
        size = count * height * width * 3
        memory = self._free.pop() if self._free else np.empty(0, np.uint8)
        if memory.size < size + _ALIGNMENT:
            memory = np.empty(size + _ALIGNMENT, np.uint8)
        lent: Any = (ctypes.c_uint8 * memory.size).from_buffer(memory.data)
        weakref.finalize(lent, self._free.append, memory)
        start = -memory.ctypes.data % _ALIGNMENT
        return np.frombuffer(lent, np.uint8)[start : start + size].reshape(count, height, width, 3)


class _Inputs(tf.Module):  # type: ignore[misc]
    def __init__(self, pictures: Mapping[str, ServedPictures | StoredPictures]) -> None:
        super().__init__()
        self._pictures = dict(pictures)

    def __call__(self, contents: Mapping[str, tf.Tensor]) -> Batch:
        inputs: Batch = {}
        for name, pictures in self._pictures.items():
            inputs[_pixels(name)] = pictures(contents[name])
            inputs[_known(name)] = tf.cast(tf.not_equal(contents[name], ""), tf.float32)
        return inputs


def _pixels(name: str) -> str:
    return f"{name}__pixels"


def _known(name: str) -> str:
    return f"{name}__known"


class ImageBlock(FeatureBlock[ImageFeature, ImageStatistics]):
    """All pictures; columns with the same `tied` word share one tower.

    The network's inputs are, for each column, `<name>__pixels` uint8 (batch, height, width, 3) and `<name>__known`
    float32 (batch,).
    """

    KIND = "image"

    @property
    def unpacked_bytes(self) -> int:
        """Its pictures' pixels."""
        return sum(height * width * 3 for height, width in (feature.size for feature in self.features.values()))

    def joined(self, columns: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """The columns by name, each `(batch,)`: pictures are too large to be copied side by side."""
        return {name: columns[name] for name in self.names}

    def columns(self, raw: Mapping[str, tf.Tensor]) -> Batch:
        """The same."""
        return dict(raw)

    def entries(self, held: Held) -> dict[str, Any]:  # each column has an entry of its own
        """An entry for each column, absent where missing."""
        return {entry_name("feature", self.KIND, name): tf.io.FixedLenFeature([], tf.string, "") for name in self.names}

    def parsed(self, parsed: Batch, held: Held) -> Batch:
        """The columns by name."""
        return {name: parsed[entry_name("feature", self.KIND, name)] for name in self.names}

    def transform(self, directory: Path, *, stored: bool) -> _Inputs:  # pictures have no vocabularies
        """By name, string (batch,), empty where missing."""
        return _Inputs(
            {
                name: StoredPictures(feature) if stored else ServedPictures(feature, self.statistics[name])
                for name, feature in self.features.items()
            }
        )

    def inputs(self) -> dict[str, Any]:
        """`<name>__pixels` and `<name>__known`."""
        inputs = {}
        for name, feature in self.features.items():
            pixels, known = _pixels(name), _known(name)
            inputs[pixels] = keras.Input((*feature.size, 3), dtype="uint8", name=pixels)
            inputs[known] = keras.Input((), dtype="float32", name=known)
        return inputs

    def encode(self, inputs: Mapping[str, Any], model: ModelSection, seed: int) -> Encoded:
        """A tower's vector for each column, with a learned one where there is no picture."""
        towers: dict[str, keras.Model] = {}
        vectors = []
        for name, feature in self.features.items():
            own_seed, layer = seed_of(seed, name), f"image__{name}"
            tower = f"image__{feature.tied}__tied_tower" if feature.tied else f"{layer}__tower"
            if tower not in towers:
                towers[tower] = image_tower(feature, model, tower, own_seed)
            known = Hide(max(model.image_dropout, HIDDEN), own_seed, name=f"{layer}__hide")(inputs[_known(name)])
            vectors.append(StandIn(name=f"{layer}__stand_in")(towers[tower](inputs[_pixels(name)]), known))
        return Encoded(layers.Concatenate(name="image__vectors")(vectors) if len(vectors) > 1 else vectors[0], None)

    @property
    def tabled(self) -> list[str]:
        """None: a linear function of pixels means nothing."""
        return []

    def table(self, inputs: Mapping[str, NDArray[Any]]) -> Table:
        """Of no columns."""
        raise NotImplementedError("pixels have no table")

    def line(self, inputs: Mapping[str, Any], units: int, name: str) -> Any:
        """Over no columns."""
        raise NotImplementedError("pixels have no table")


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
