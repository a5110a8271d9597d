"""Pictures drawn for tests, and files of them."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from PIL import Image

from polyhead.pictures.samples import Pixels


def gradient(width: int = 24, height: int = 16) -> Image.Image:
    """Colours that run across and down."""
    y, x = np.mgrid[0:height, 0:width]
    return Image.fromarray(np.stack([x * 255 // width, y * 255 // height, (x + y) * 3], axis=-1).astype(np.uint8))


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    """The bytes of a file of one of Pillow's formats."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def noise(height: int, width: int) -> Pixels:
    """Random samples, always the same for a size."""
    return np.random.default_rng(height * width).integers(0, 256, (height, width, 3), dtype=np.uint8)
