"""Pictures as small JPEG files, for pages that show many."""

from __future__ import annotations

import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image

THUMBNAIL = 64
"""Pixels of a picture's longer side."""

_QUALITY = 80


def thumbnail(pixels: NDArray[np.uint8]) -> bytes:
    """A picture, uint8 (height, width, 1 or 3), as a JPEG file of at most 64 by 64 pixels."""
    small = np.ascontiguousarray(shrunk(pixels))
    return encoded(small[..., None] if small.ndim == 2 else small)


def shrunk(pixels: NDArray[np.uint8]) -> Image.Image:
    """The same as a picture in memory, gray or coloured."""
    image = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
    image.thumbnail((THUMBNAIL, THUMBNAIL))
    return image


def encoded(small: NDArray[np.uint8]) -> bytes:
    """Pixels, uint8 (height, width, 1 or 3), as a JPEG file."""
    is_gray = small.shape[2] == 1
    content: bytes = simplejpeg.encode_jpeg(small, _QUALITY, "GRAY" if is_gray else "RGB", "Gray" if is_gray else "420")
    return content


def decoded(content: bytes) -> NDArray[np.uint8]:
    """The pixels of such a file, as `encoded` takes them."""
    colours = "GRAY" if simplejpeg.decode_jpeg_header(content)[2] == "Gray" else "RGB"
    pixels: NDArray[np.uint8] = simplejpeg.decode_jpeg(content, colours)
    return pixels
