"""Pictures to the feature's size and into the bytes that a shard holds."""

from __future__ import annotations

import io
import threading

from cykooz_resizer import FilterType, ResizeAlg, ResizeOptions, Resizer
from PIL import Image

from polyhead.contracts.features import ImageFeature

_OPTIONS = ResizeOptions(ResizeAlg.convolution(FilterType.bilinear))
_local = threading.local()


def resize(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    """An RGB picture at a height and width, by an antialiased bilinear filter in fixed-point arithmetic.

    The serving graph computes the same pixels, bit for bit (`polyhead.preprocess.picture_graph.resize`). The
    aspect ratio is not kept.

    Args:
        picture: RGB, any size from 1 x 1.
        size: Height, width.
    """
    height, width = size
    if picture.size == (width, height):
        return picture
    if not hasattr(_local, "resizer"):
        _local.resizer = Resizer()
    target = Image.new("RGB", (width, height))
    _local.resizer.resize_pil(picture, target, _OPTIONS)
    return target


def stored_bytes(picture: Image.Image, feature: ImageFeature) -> bytes:
    """A resized picture as a shard holds it: raw row-major RGB samples, PNG, or JPEG."""
    if feature.store == "raw":
        return picture.tobytes()
    buffer = io.BytesIO()
    if feature.store == "png":
        picture.save(buffer, "PNG", compress_level=3)
    else:
        picture.save(buffer, "JPEG", quality=feature.quality)
    return buffer.getvalue()
