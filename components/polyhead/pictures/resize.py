"""Pictures to a height and width."""

from __future__ import annotations

import threading

import numpy as np
from cykooz_resizer import FilterType, ImageData, PixelType, ResizeAlg, ResizeOptions, Resizer

from polyhead.pictures.samples import Pixels

_OPTIONS = ResizeOptions(ResizeAlg.convolution(FilterType.bilinear))
_local = threading.local()


def resize(picture: Pixels, size: tuple[int, int]) -> Pixels:
    """A picture at a height and width, by an antialiased bilinear filter in fixed-point arithmetic.

    The serving graph computes the same pixels, bit for bit (`polyhead.pictures.graph.resize`). The
    aspect ratio is not kept.

    Args:
        picture: uint8 (height, width, 3), any size from 1 x 1.
        size: Height, width.

    Returns:
        uint8 (height, width, 3) of the size asked for.
    """
    height, width = size
    if picture.shape[:2] == size:
        return picture
    if not hasattr(_local, "resizer"):
        _local.resizer = Resizer()
    source = ImageData(picture.shape[1], picture.shape[0], PixelType.U8x3, picture.tobytes())
    target = ImageData(width, height, PixelType.U8x3)
    _local.resizer.resize(source, target, _OPTIONS)
    return np.frombuffer(target.get_buffer(), np.uint8).reshape(height, width, 3)
