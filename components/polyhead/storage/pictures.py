"""Picture files in: safely found, decoded whole, turned upright, RGB.

The serving graph repeats this in TensorFlow operations (`polyhead.preprocess.picture_graph`); the two agree
to the last bit on JPEG and PNG files.
"""

from __future__ import annotations

import io
import os
import stat
import struct
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from polyhead.storage.places import is_remote, join, read_bytes

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF")
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

# The size is checked below against the config's own limit, before anything is decoded.
warnings.simplefilter("ignore", Image.DecompressionBombWarning)
warnings.filterwarnings("ignore", module=r"PIL\.TiffImagePlugin")  # damaged EXIF counts as none


class PictureError(Exception):
    """A picture that cannot be used.

    Attributes:
        reason: A word for counting: image_missing, image_outside_root, image_not_a_file, image_unreadable,
            image_too_large.
        detail: One line for a person.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


def load_picture(root: str, path: str, *, max_pixels: int) -> Image.Image:
    """Read one picture.

    Args:
        root: The image root, a local folder or a `gs://` prefix.
        path: As the table has it, relative to the root; it may not lead out of it, by links either.
        max_pixels: Largest height times width that is decoded.

    Returns:
        An upright RGB picture, fully decoded.

    Raises:
        PictureError: It is missing, outside the root, no regular file, damaged, of an unknown format, or too large.
    """
    return decode_picture(_read(root, path), max_pixels=max_pixels)


def decode_picture(content: bytes, *, max_pixels: int) -> Image.Image:
    """Decode the bytes of one picture; returns and raises as `load_picture`."""
    if not content:
        raise PictureError("image_unreadable", "the file is empty")
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            width, height = image.size
            if width * height > max_pixels:
                raise PictureError(
                    "image_too_large", f"{width} x {height} pixels, validate.max_pixels is {max_pixels:,}"
                )
            orientation = _exif_orientation(image)
            image.load()
            upright = _as_rgb(image)
    except UnidentifiedImageError:
        raise PictureError("image_unreadable", f"no picture of a known format ({', '.join(FORMATS)})") from None
    except Image.DecompressionBombError:
        limit = min(max_pixels, 2 * (Image.MAX_IMAGE_PIXELS or max_pixels))
        raise PictureError("image_too_large", f"more than {limit:,} pixels, which is as much as is read") from None
    except (OSError, ValueError, SyntaxError, EOFError, struct.error, OverflowError, MemoryError) as error:
        raise PictureError("image_unreadable", str(error) or type(error).__name__) from None
    turn = _TURNS.get(orientation)
    return upright if turn is None else upright.transpose(turn)


def _read(root: str, path: str) -> bytes:
    if is_remote(path) and not path.startswith(root.rstrip("/") + "/"):
        raise PictureError("image_outside_root", f"is not under {root}")
    place = join(root, path)
    if is_remote(place):
        if ".." in place.split("/"):
            raise PictureError("image_outside_root", f"leads out of {root}")
        try:
            return read_bytes(place)
        except FileNotFoundError:
            raise PictureError("image_missing", "no such object") from None
        except OSError as error:
            raise PictureError("image_unreadable", str(error)) from None
    try:
        real = os.path.realpath(place)
        real_root = os.path.realpath(root)
        if os.path.commonpath([real, real_root]) != real_root:
            raise PictureError("image_outside_root", f"leads to {real}, outside {root}")
        if not stat.S_ISREG(os.stat(real).st_mode):
            raise PictureError("image_not_a_file", "is a folder, a pipe or a device")
        return Path(real).read_bytes()
    except FileNotFoundError:
        raise PictureError("image_missing", "no such file") from None
    except (OSError, ValueError) as error:
        raise PictureError("image_unreadable", str(error)) from None


def _exif_orientation(image: Image.Image) -> int:
    """EXIF orientation of a JPEG, 1 where there is none. Other formats are taken as they stand."""
    if image.format not in ("JPEG", "MPO") or "exif" not in image.info:
        return 1
    exif = Image.Exif()  # image.getexif() would look into XMP too, which the serving graph does not read
    try:
        exif.load(image.info["exif"])
        value = exif.get(_ORIENTATION, 1)
    except (SyntaxError, ValueError, KeyError, OSError, struct.error):
        return 1
    return value if isinstance(value, int) else 1


def _as_rgb(image: Image.Image) -> Image.Image:
    """Drop transparency, spread greys, keep the high byte of 16-bit samples."""
    if image.mode in ("I;16", "I;16B", "I;16L", "I"):
        high = (np.asarray(image).astype(np.int64) >> 8).clip(0, 255).astype(np.uint8)
        return Image.fromarray(high).convert("RGB")
    if image.mode in ("LA", "La"):
        return image.getchannel(0).convert("RGB")
    if image.mode in ("RGBA", "RGBa"):
        return Image.merge("RGB", image.split()[:3])
    return image.convert("RGB") if image.mode != "RGB" else image.copy()
