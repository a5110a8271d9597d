"""A picture file's pixels.

JPEG files are decoded by libjpeg-turbo at a half, a quarter or an eighth of their size where that is still as large
as wanted, DICOM files by
pydicom, any other file by Pillow. What the pixels of a file are is in the package's text.
"""

from __future__ import annotations

import numpy as np
import simplejpeg
from PIL import Image

from polyhead.pictures.opening import opened_picture
from polyhead.pictures.orientation import SIDEWAYS, turned
from polyhead.pictures.png import SIGNATURE
from polyhead.pictures.samples import WHITE, Colour, Pixels, in_gray
from polyhead.storage.parallel import Budget

DEFINITION = 3
"""Raised whenever a file's pixels become others than they were."""

REDUCTIONS = (8, 4, 2)
"""By what a JPEG file may be scaled down while it is decoded."""

_EXIF = b"Exif\0\0"
_JPEG = b"\xff\xd8\xff"
_COLOURS = ("YCbCr", "Gray", "RGB")

_pixels = Budget(512 * 2**20)
"""Bytes of pixels that all threads together may be decoding; a picture larger than that is decoded alone."""


def decode_picture(
    content: bytes,
    *,
    max_pixels: int,
    at_least: tuple[int, int] | None = None,
    background: Colour = WHITE,
    sample_range: tuple[int, int] | None = None,
    gray: bool = False,
) -> Pixels:
    """Decode the bytes of one picture.

    Args:
        content: A file's bytes.
        max_pixels: Largest height times width that is decoded.
        at_least: Height and width that are needed. A JPEG file is then decoded at the smallest of a half, a quarter
            and an eighth of its size that is as large as that both ways. Default: full size.
        background: What shows where the picture is transparent. Default: white.
        sample_range: Samples of 16 bits, and rescaled ones of DICOM files in gray, that become 0 and 255; what lies
            outside is cut off. Default: by the file.
        gray: Whether the picture is wanted in gray. Default: in colour.

    Returns:
        uint8 (height, width, 3), RGB, or (height, width, 1), gray; upright.

    Raises:
        PictureError: It is damaged, of an unknown format, or too large; or a package is missing that reads it.
        MemoryError: There is no room for its pixels.
    """
    pixels = _decode_jpeg(content, max_pixels, at_least) if content.startswith(_JPEG) else None
    if pixels is None:
        pixels = _decode(content, max_pixels, at_least, background, sample_range)
    return in_gray(pixels) if gray else pixels


def _decode(
    content: bytes,
    max_pixels: int,
    at_least: tuple[int, int] | None,
    background: Colour,
    sample_range: tuple[int, int] | None,
) -> Pixels:
    """Any file, by Pillow or pydicom."""
    with opened_picture(content, max_pixels) as opened:
        image = opened.image
        if image.format in ("JPEG", "MPO"):
            factor = _reduction(image.height, image.width, opened.orientation, at_least)
            if factor > 1:
                image.draft(None, (image.width // factor, image.height // factor))
        with _pixels.hold(3 * image.height * image.width):
            return np.array(turned(opened.rgb(background, sample_range), opened.orientation))


def is_plain_jpeg(content: bytes, *, gray: bool) -> bool:
    """Whether a file is an upright JPEG that decodes without a warning at its header: in gray, or in any colours."""
    if not content.startswith(_JPEG) or _EXIF in content:
        return False
    return _plain_size(content, ("Gray",) if gray else _COLOURS) is not None


def is_plain_png(content: bytes, *, gray: bool) -> bool:
    """Whether a file is an upright PNG with one or three samples of eight bits and nothing transparent."""
    plain = content.startswith(SIGNATURE) and content[24:26] == (b"\x08\x00" if gray else b"\x08\x02")
    return plain and b"tRNS" not in content and b"eXIf" not in content


def _plain_size(content: bytes, accepted: tuple[str, ...] = _COLOURS) -> tuple[int, int] | None:
    """Height and width of a JPEG file in accepted colours; None for any other and a damaged header."""
    try:
        height, width, colours, _ = simplejpeg.decode_jpeg_header(content)
    except ValueError:
        return None
    return (height, width) if colours in accepted else None


def _decode_jpeg(content: bytes, max_pixels: int, at_least: tuple[int, int] | None) -> Pixels | None:
    """Most JPEG files; None for one that has to be looked at more closely: unusual, damaged or too large."""
    size = _plain_size(content)
    if size is None or size[0] * size[1] > max_pixels:
        return None
    orientation = 1
    if _EXIF in content:
        with opened_picture(content, max_pixels) as opened:
            orientation = opened.orientation
    factor = _reduction(*size, orientation, at_least)
    height, width = (-(-side // factor) for side in size)
    try:
        with _pixels.hold(3 * height * width):
            pixels: Pixels = simplejpeg.decode_jpeg(
                content, "RGB", min_height=height, min_width=width, min_factor=factor
            )
    except ValueError as error:  # a warning counts as an error there: Pillow decides what can be used all the same
        if "memory" in str(error).lower():
            raise MemoryError from None
        return None
    return pixels if orientation == 1 else np.array(turned(Image.fromarray(pixels), orientation))


def _reduction(height: int, width: int, orientation: int, at_least: tuple[int, int] | None) -> int:
    """By how much a JPEG file is scaled down while it is decoded; height and width as stored."""
    if at_least is None:
        return 1
    low, narrow = at_least[::-1] if orientation in SIDEWAYS else at_least
    return next((f for f in REDUCTIONS if -(-height // f) >= low and -(-width // f) >= narrow), 1)
