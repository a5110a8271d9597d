"""Which way up a picture file says that it is, and turning it."""

from __future__ import annotations

import struct

from PIL import Image

_ORIENTATION = 0x0112
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
SIDEWAYS = (5, 6, 7, 8)
"""Orientations in which height and width change places."""


def exif_orientation(block: bytes) -> int:
    """The orientation in an EXIF block, 1 where there is none. What XMP says of it is not asked."""
    exif = Image.Exif()
    try:
        exif.load(block)
        value = exif.get(_ORIENTATION, 1)
    except (SyntaxError, ValueError, KeyError, OSError, struct.error):
        return 1
    return value if value in range(1, 9) else 1


def turned(picture: Image.Image, orientation: int) -> Image.Image:
    """A picture of an EXIF orientation, upright."""
    turn = _TURNS.get(orientation)
    return picture if turn is None else picture.transpose(turn)
