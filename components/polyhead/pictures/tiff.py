"""TIFF files: which of their many kinds are pictures, and their samples of 16 bits."""

from __future__ import annotations

import io
import sys

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.TiffImagePlugin import BITSPERSAMPLE, PHOTOMETRIC_INTERPRETATION, TiffImageFile

_WHITE_IS_ZERO = 0
_GRAY = "I;16"
_OTHER_BYTE = {"L": "B", "B": "L", "N": "B" if sys.byteorder == "little" else "L"}
"""Of a sample of 16 bits: little-endian, big-endian and the machine's own order."""


def is_deep(image: TiffImageFile) -> bool:
    """Whether the samples of a file have more than 8 bits.

    Raises:
        ValueError: They have more than 16 or a sign, or no reader gets all of their bits; one line for a person.
    """
    if image.mode in ("I", "F"):
        raise ValueError("the samples of the TIFF file have 32 bits or a sign; save it in 8 or 16 bits, from 0 up")
    deep: bool = max(image.tag_v2.get(BITSPERSAMPLE, (1,))) > 8
    if deep and (image.mode == "CMYK" or any(_unpacker(tile).startswith("RGBa") for tile in image.tile)):
        raise ValueError("the TIFF file has 16 bits in CMYK, or colours multiplied by alpha; save it as RGB or in gray")
    return deep


def samples_of_tiff(image: TiffImageFile, content: bytes) -> NDArray[np.uint16]:
    """(height, width, samples) of a deep file. Of colours Pillow gives the high byte, so it is asked a second time."""
    if image.mode.startswith(_GRAY):
        return np.asarray(image).astype(np.uint16)[..., None]
    high = np.asarray(image).astype(np.uint16)
    with Image.open(io.BytesIO(content), formats=["TIFF"]) as again:
        tiles = [(tile, _unpacker(tile)) for tile in again.tile]
        again.tile = [
            tile._replace(args=(f"{name[:-1]}{_OTHER_BYTE[name[-1]]}", *tuple(tile.args or ())[1:]))
            for tile, name in tiles
        ]
        samples: NDArray[np.uint16] = np.bitwise_or(high << 8, np.asarray(again), dtype=np.uint16)
        return samples


def is_inverted(image: TiffImageFile) -> bool:
    """Whether the smallest sample of a deep file is white; of others Pillow turns that round."""
    return bool(image.tag_v2.get(PHOTOMETRIC_INTERPRETATION, 1) == _WHITE_IS_ZERO)


def _unpacker(tile: object) -> str:
    """Pillow's word for how the bytes of a part of a file become samples."""
    return str(tile.args[0])  # type: ignore[attr-defined]  # a named tuple whose name is Pillow's own
