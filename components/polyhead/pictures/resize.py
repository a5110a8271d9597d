"""Pictures to a height and width: stretched, cropped or padded."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Literal

import numpy as np
from cykooz_resizer import FilterType, ImageData, PixelType, ResizeAlg, ResizeOptions, Resizer

from polyhead.pictures.samples import WHITE, Colour, Pixels, in_gray

_PIXELS = {1: PixelType.U8, 3: PixelType.U8x3}
_OPTIONS = ResizeOptions(ResizeAlg.convolution(FilterType.bilinear))
_local = threading.local()

Fitting = Literal["stretch", "crop", "pad"]
"""How a picture of another aspect ratio fits: it is distorted, its ends are cut off, or bars are put beside it."""


def fitted(
    picture: Pixels,
    size: tuple[int, int],
    fit: Fitting,
    background: Colour = WHITE,
    *,
    resized: Callable[[Pixels, tuple[int, int]], Pixels] | None = None,
) -> Pixels:
    """A picture at a height and width, whatever its aspect ratio.

    The serving graph computes the same pixels (`polyhead.pictures.graph.fitted`).

    Args:
        picture: uint8 (height, width, 3 or 1), any size from 1 x 1.
        size: Height, width.
        fit: stretch: the aspect ratio is not kept. crop: the largest part with the ratio of the size, to a whole
            pixel, from the picture's centre, is resized. pad: the picture is resized to the largest part of the size
            that has its ratio, to a whole pixel, in the centre of the background; an odd pixel more is below or right.
        background: What is beside the picture with pad. Default: white.
        resized: Gives a picture at a size. Default: `resize`.

    Returns:
        uint8 (height, width, 3 or 1) of the size asked for.
    """
    resized = resized or resize
    shape = picture.shape[:2]
    if fit == "stretch" or shape == size:
        return resized(picture, size)
    if fit == "crop":
        return resized(np.ascontiguousarray(picture[_centred(shape, size)]), size)
    shown = np.full((*size, picture.shape[2]), bars(background, picture.shape[2]), np.uint8)
    rows, columns = inside = _centred(size, shape)
    shown[inside] = resized(picture, (rows.stop - rows.start, columns.stop - columns.start))
    return shown


def bars(background: Colour, channels: int) -> tuple[int, ...]:
    """The samples of a background beside a picture of three channels or one."""
    return background if channels == 3 else tuple(in_gray(np.array([[background]], np.uint8)).ravel().tolist())


def _centred(sides: tuple[int, ...], ratio: tuple[int, ...]) -> tuple[slice, slice]:
    """Rows and columns of the largest part of an area, in its centre, with the aspect ratio of another one."""
    height = min(sides[0], max(1, (2 * sides[1] * ratio[0] + ratio[1]) // (2 * ratio[1])))
    width = min(sides[1], max(1, (2 * sides[0] * ratio[1] + ratio[0]) // (2 * ratio[0])))
    top, left = (sides[0] - height) // 2, (sides[1] - width) // 2
    return slice(top, top + height), slice(left, left + width)


def resize(picture: Pixels, size: tuple[int, int]) -> Pixels:
    """A picture at a height and width, by an antialiased bilinear filter in fixed-point arithmetic.

    The serving graph computes the same pixels, bit for bit (`polyhead.pictures.graph.resize`). The
    aspect ratio is not kept: see `fitted`.

    Args:
        picture: uint8 (height, width, 3 or 1), any size from 1 x 1.
        size: Height, width.

    Returns:
        uint8 (height, width, 3 or 1) of the size asked for.
    """
    height, width = size
    if picture.shape[:2] == size:
        return picture
    if not hasattr(_local, "resizer"):
        _local.resizer = Resizer()
    channels = picture.shape[2]
    source = ImageData(picture.shape[1], picture.shape[0], _PIXELS[channels], picture.tobytes())
    target = ImageData(width, height, _PIXELS[channels])
    _local.resizer.resize(source, target, _OPTIONS)
    return np.frombuffer(target.get_buffer(), np.uint8).reshape(height, width, channels)
