"""Pictures to the feature's size and into the bytes that a shard holds."""

from __future__ import annotations

import io
import threading

import numpy as np
import simplejpeg
from cykooz_resizer import FilterType, ImageData, PixelType, ResizeAlg, ResizeOptions, Resizer
from PIL import Image

from polyhead.contracts.features import ImageFeature
from polyhead.storage.pictures import Pixels

_OPTIONS = ResizeOptions(ResizeAlg.convolution(FilterType.bilinear))
_local = threading.local()


def resize(picture: Pixels, size: tuple[int, int]) -> Pixels:
    """A picture at a height and width, by an antialiased bilinear filter in fixed-point arithmetic.

    The serving graph computes the same pixels, bit for bit (`polyhead.preprocess.picture_graph.resize`). The
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


def stored_bytes(picture: Pixels, feature: ImageFeature) -> bytes:
    """A resized picture as a shard holds it: raw row-major RGB samples, PNG, or JPEG."""
    if feature.store == "raw":
        return picture.tobytes()
    if feature.store == "jpeg":
        encoded: bytes = simplejpeg.encode_jpeg(picture, feature.quality, "RGB", str(feature.subsampling))
        return encoded
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG", compress_level=3)
    return buffer.getvalue()
