"""What one look at a picture file tells, without keeping its pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xxhash
from PIL import Image

from polyhead.pictures.opening import opened_picture
from polyhead.pictures.orientation import turned
from polyhead.pictures.samples import WHITE

_HASH_SIZE = (9, 8)


@dataclass(frozen=True)
class PictureFacts:
    """What one look at a file tells.

    Attributes:
        size: Bytes of the file.
        width: Pixels, as stored: before it is turned upright.
        height: Pixels, as stored.
        format: JPEG, PNG, WEBP, BMP, GIF, TIFF, AVIF, HEIC or DICOM.
        mode: Pillow's word for the samples, such as RGB, L, CMYK, P.
        orientation: EXIF orientation, 1 to 8; 1 where there is none, and of TIFF files, which Pillow turns itself.
        content_hash: XXH3 of the bytes, 128 bits in hexadecimal.
        perceptual_hash: 64 bits that stay nearly the same when a picture is scaled or saved again: one for each
            step from a pixel to its right neighbour in a gray 9 x 8 miniature, set where it gets darker, row by row
            (known as dHash). None unless decoded.
    """

    size: int
    width: int
    height: int
    format: str
    mode: str
    orientation: int
    content_hash: str
    perceptual_hash: int | None = None


def examine_picture(content: bytes, *, max_pixels: int, decode: bool) -> PictureFacts:
    """Look at the bytes of one picture.

    Args:
        content: A file's bytes.
        max_pixels: Largest height times width that is accepted.
        decode: False reads the header, True the whole picture.

    Raises:
        PictureError: As `decode_picture`; damage behind the header is seen only when decoding.
    """
    with opened_picture(content, max_pixels) as opened:
        # Decoding changes what Pillow says of an image, so the header's words are taken first.
        image = opened.image
        size, image_format, mode = image.size, image.format, image.mode
        perceptual = _perceptual_hash(turned(opened.rgb(WHITE, None), opened.orientation)) if decode else None
    return PictureFacts(
        size=len(content),
        width=size[0],
        height=size[1],
        format="JPEG" if image_format == "MPO" else str(image_format),
        mode=mode,
        orientation=opened.orientation,
        content_hash=content_hash(content),
        perceptual_hash=perceptual,
    )


def content_hash(content: bytes) -> str:
    """XXH3 of a file's bytes, 128 bits in hexadecimal: names a picture, and proves nothing against forgery."""
    return xxhash.xxh3_128_hexdigest(content)


def _perceptual_hash(picture: Image.Image) -> int:
    small = np.asarray(picture.convert("L").resize(_HASH_SIZE, Image.Resampling.BOX))
    return int.from_bytes(np.packbits(small[:, 1:] < small[:, :-1]).tobytes(), "big")
