"""What training changes at random in pictures."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from polyhead.kinds.features.graph import PACKAGE
from polyhead.kinds.features.image.config import Augmentation

_GREY = (0.299, 0.587, 0.114)
"""How bright red, green and blue look (ITU-R BT.601)."""

_MOVES = ("flip", "down", "right")
_VIEWS = ("rotate", "zoom", "crop", "crop_down", "crop_right")
_COLOURS = ("brightness", "contrast", "saturation", "red", "green", "blue")
_COVERS = ("area", "ratio", "cover_down", "cover_right")
_LARGEST_SHOWN = 96
_GAP = 2
_LONGEST_RATIO = 2.0
"""Of the sides of the rectangle that is erased."""


@keras.saving.register_keras_serializable(PACKAGE)
class Augment(keras.layers.Layer):  # type: ignore[misc]  # Keras is untyped
    """Scales pictures' samples and, while training, changes each picture at random, in its own way.

    Flip and shift move whole pixels. Rotation, zoom and crop are one affine map about the centre, so that pixels are
    interpolated once. What lies beyond the edge is mirrored at it.

    Args:
        options: The fields of `Augmentation`.
        seed: Of the changes.

    Input shape:
        Uint8 `(batch, height, width, 3)`, or 1 channel.

    Output shape:
        Float of the same shape, from -1 to 1.
    """

    def __init__(self, options: dict[str, Any], seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.options = Augmentation.model_validate(options)
        self.seed = seed
        self.generator = keras.random.SeedGenerator(seed)

    def call(self, pictures: Any, training: bool = False) -> Any:
        """The samples, changed while training."""
        of = self.options
        if training and (of.flip or of.shift):
            pictures = self._moved(pictures)
        pictures = ops.cast(pictures, self.compute_dtype) / 127.5 - 1
        if not training:
            return pictures
        if of.rotate or of.zoom or of.crop:
            pictures = self._viewed(pictures)
        if of.brightness or of.contrast or of.colour:
            pictures = self._coloured(pictures)
        if of.erase:
            pictures = self._covered(pictures)
        if of.noise:
            pictures = pictures + 2 * of.noise * keras.random.normal(ops.shape(pictures), seed=self.generator)
        return ops.clip(pictures, -1, 1)

    def compute_output_spec(self, pictures: Any, training: bool = False) -> keras.KerasTensor:
        """Of the same shape."""
        return keras.KerasTensor(pictures.shape, self.compute_dtype)

    def _drawn(self, pictures: Any, names: tuple[str, ...]) -> dict[str, Any]:
        """A number from 0 to below 1 for each picture and name, `(batch,)`."""
        drawn = keras.random.uniform((ops.shape(pictures)[0], len(names)), seed=self.generator)
        return {name: drawn[:, at] for at, name in enumerate(names)}

    def _moved(self, pictures: Any) -> Any:
        """One gathering of pixels: the cheapest way, and exact."""
        of, drawn = self.options, self._drawn(pictures, _MOVES)
        height, width = pictures.shape[1:3]
        down, right = (
            ops.cast(ops.round(of.shift * size * _signed(drawn[name])), "int32")[:, None]
            for size, name in ((height, "down"), (width, "right"))
        )
        rows, columns = ops.arange(height)[None], ops.arange(width)[None]
        if of.flip:
            columns = ops.where(drawn["flip"][:, None] < 0.5, width - 1 - columns, columns)
        rows, columns = _mirrored(rows + down, height), _mirrored(columns + right, width)
        first = (ops.arange(ops.shape(pictures)[0]) * height)[:, None]
        places = (first + rows)[:, :, None] * width + columns[:, None, :]
        return ops.take(ops.reshape(pictures, (-1, pictures.shape[3])), places, axis=0)

    def _viewed(self, pictures: Any) -> Any:
        """Each place of the result shows the place of the picture that the map gives for it."""
        of, drawn = self.options, self._drawn(pictures, _VIEWS)
        height, width = pictures.shape[1:3]
        shown = 1 - of.crop * drawn["crop"]
        down, right = (
            (1 - shown) / 2 * size * _signed(drawn[name])
            for size, name in ((height, "crop_down"), (width, "crop_right"))
        )
        scale = shown * (1 + of.zoom * _signed(drawn["zoom"]))
        angle = math.radians(of.rotate) * _signed(drawn["rotate"])
        cosine, sine = scale * ops.cos(angle), scale * ops.sin(angle)
        middle_down, middle_right = (height - 1) / 2, (width - 1) / 2
        start_right = middle_right - cosine * middle_right + sine * middle_down + right
        start_down = middle_down - sine * middle_right - cosine * middle_down + down
        none = ops.zeros_like(scale)
        return ops.image.affine_transform(
            pictures,
            ops.stack([cosine, -sine, start_right, sine, cosine, start_down, none, none], 1),
            interpolation="bilinear",
            fill_mode="reflect",
        )

    def _coloured(self, pictures: Any) -> Any:
        of = self.options
        drawn = {name: _signed(share)[:, None, None, None] for name, share in self._drawn(pictures, _COLOURS).items()}
        if of.colour:
            pictures = self._tinted(pictures, drawn)
        mean = ops.mean(pictures, axis=(1, 2, 3), keepdims=True)
        pictures = mean + (pictures - mean) * (1 + of.contrast * drawn["contrast"])
        return pictures + 2 * of.brightness * drawn["brightness"]

    def _tinted(self, pictures: Any, drawn: dict[str, Any]) -> Any:
        of = self.options
        grey = ops.sum(pictures * ops.convert_to_tensor(_GREY, pictures.dtype), axis=3, keepdims=True)
        tint = ops.concatenate([drawn["red"], drawn["green"], drawn["blue"]], axis=3)
        pictures = grey + (pictures - grey) * (1 + of.colour * drawn["saturation"])
        return (pictures + 1) * (1 + of.colour * tint) - 1

    def _covered(self, pictures: Any) -> Any:
        drawn = self._drawn(pictures, _COVERS)
        area = self.options.erase * drawn["area"]
        ratio = _LONGEST_RATIO ** _signed(drawn["ratio"])
        sides = ops.minimum(ops.sqrt(area * ratio), 1.0), ops.minimum(ops.sqrt(area / ratio), 1.0)
        inside = [
            self._within(size, side, drawn[name])
            for size, side, name in zip(pictures.shape[1:3], sides, ("cover_down", "cover_right"), strict=True)
        ]
        covered = ops.logical_and(inside[0][:, :, None, None], inside[1][:, None, :, None])
        return ops.where(covered, ops.zeros_like(pictures), pictures)

    @staticmethod
    def _within(size: int, side: Any, place: Any) -> Any:
        """Which of `size` pixels have their centre in a stretch of this share of them, `(batch, size)`."""
        centres = (ops.arange(size, dtype="float32")[None] + 0.5) / size
        start = ((1 - side) * place)[:, None]
        return ops.logical_and(centres >= start, centres < start + side[:, None])

    def get_config(self) -> dict[str, Any]:
        """Arguments for loading."""
        return {**super().get_config(), "options": self.options.model_dump(), "seed": self.seed}


def contact_sheet(lines: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Lines of pictures as one picture on white, each made smaller by a whole number if it is larger than 96 pixels.

    Args:
        lines: `(lines, pictures, height, width, 3 or 1)`, samples from 0 to 255.

    Returns:
        Uint8 `(height, width, 3)`.
    """
    step = math.ceil(max(lines.shape[2:4]) / _LARGEST_SHOWN)
    height, width = (size // step for size in lines.shape[2:4])
    lines = np.broadcast_to(lines, (*lines.shape[:4], 3))
    means = lines[:, :, : height * step, : width * step].reshape(*lines.shape[:2], height, step, width, step, 3)
    tiles = np.pad(
        means.mean((3, 5)).round().astype(np.uint8),
        ((0, 0), (0, 0), (0, _GAP), (0, _GAP), (0, 0)),
        constant_values=255,
    )
    return tiles.swapaxes(1, 2).reshape(lines.shape[0] * (height + _GAP), lines.shape[1] * (width + _GAP), 3)


def _mirrored(places: Any, size: int) -> Any:
    """Places at most a size beyond an edge as those that they mirror: -1 as 0, size as size - 1."""
    places = ops.where(places < 0, -1 - places, places)
    return ops.where(places >= size, 2 * size - 1 - places, places)


def _signed(share: Any) -> Any:
    """From -1 to below 1, of what is from 0 to below 1."""
    return 2 * share - 1
