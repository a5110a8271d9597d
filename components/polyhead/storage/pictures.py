"""Picture files in: safely found, examined, decoded, turned upright, RGB.

JPEG files are decoded by libjpeg-turbo at a half, a quarter or an eighth of their size where that is still as large
as wanted, any other file by Pillow. The serving graph repeats all of it in TensorFlow operations
(`polyhead.preprocess.picture_graph`); the two agree to the last bit on JPEG and PNG files.
"""

from __future__ import annotations

import contextlib
import io
import os
import stat
import struct
import unicodedata
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import simplejpeg
import xxhash
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from polyhead.errors import DeniedError
from polyhead.storage.ahead import ReadAhead
from polyhead.storage.objects import list_objects, read_bytes
from polyhead.storage.parallel import Budget, ordered_map
from polyhead.storage.places import is_remote, join

Pixels = NDArray[np.uint8]
"""An upright RGB picture, (height, width, 3), contiguous."""

In = TypeVar("In")
Out = TypeVar("Out")

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF")
REDUCTIONS = (8, 4, 2)
"""By what a JPEG file may be scaled down while it is decoded."""

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
_SIDEWAYS = (5, 6, 7, 8)
_EXIF = b"Exif\0\0"
_JPEG = b"\xff\xd8\xff"
_PNG = b"\x89PNG\r\n\x1a\n"
_HASH_SIZE = (9, 8)

_pixels = Budget(512 * 2**20)
"""Bytes of pixels that all threads together may be decoding; a picture larger than that is decoded alone."""

# The size is checked below against the config's own limit, before anything is decoded.
warnings.simplefilter("ignore", Image.DecompressionBombWarning)
warnings.filterwarnings("ignore", module=r"PIL\.TiffImagePlugin")  # damaged EXIF counts as none


class PictureError(Exception):
    """A picture that cannot be used.

    Attributes:
        reason: A word for counting: image_missing, image_outside_root, image_not_a_file, image_unreadable,
            image_too_large, image_changed.
        detail: One line for a person.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True)
class PictureFacts:
    """What one look at a file tells.

    Attributes:
        size: Bytes of the file.
        width: Pixels, as stored: before it is turned upright.
        height: Pixels, as stored.
        format: JPEG, PNG, WEBP, BMP or GIF.
        mode: Pillow's word for the samples, such as RGB, L, CMYK, P.
        orientation: EXIF orientation, 1 to 8; 1 where there is none.
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
    with _opened(content, max_pixels) as image:
        # Decoding changes what Pillow says of an image, so the header's words are taken first.
        size, image_format, mode, orientation = image.size, image.format, image.mode, _exif_orientation(image)
        if decode:
            image.load()
        perceptual = _perceptual_hash(_turned(_as_rgb(image), orientation)) if decode else None
    return PictureFacts(
        size=len(content),
        width=size[0],
        height=size[1],
        format="JPEG" if image_format == "MPO" else str(image_format),
        mode=mode,
        orientation=orientation,
        content_hash=content_hash(content),
        perceptual_hash=perceptual,
    )


def content_hash(content: bytes) -> str:
    """XXH3 of a file's bytes, 128 bits in hexadecimal: names a picture, and proves nothing against forgery."""
    return xxhash.xxh3_128_hexdigest(content)


def decode_picture(content: bytes, *, max_pixels: int, at_least: tuple[int, int] | None = None) -> Pixels:
    """Decode the bytes of one picture.

    Args:
        content: A file's bytes.
        max_pixels: Largest height times width that is decoded.
        at_least: Height and width that are needed. A JPEG file is then decoded at the smallest of a half, a quarter
            and an eighth of its size that is as large as that both ways. Default: full size.

    Returns:
        uint8 (height, width, 3), RGB, upright.

    Raises:
        PictureError: It is damaged, of an unknown format, or too large.
    """
    if content.startswith(_JPEG):
        pixels = _decode_jpeg(content, max_pixels, at_least)
        if pixels is not None:
            return pixels
    with _opened(content, max_pixels) as image:
        orientation = _exif_orientation(image)
        if image.format in ("JPEG", "MPO"):
            factor = _reduction(image.height, image.width, orientation, at_least)
            if factor > 1:
                image.draft(None, (image.width // factor, image.height // factor))
        with _pixels.hold(3 * image.height * image.width):
            image.load()
            return np.array(_turned(_as_rgb(image), orientation))


def is_plain_jpeg(content: bytes) -> bool:
    """Whether a file is an upright JPEG in YCbCr or gray that decodes without a warning at its header."""
    return content.startswith(_JPEG) and _EXIF not in content and _plain_size(content) is not None


def is_plain_png(content: bytes) -> bool:
    """Whether a file is a PNG with three samples of eight bits and nothing transparent."""
    return content.startswith(_PNG) and content[24:26] == b"\x08\x02" and b"tRNS" not in content


def _plain_size(content: bytes) -> tuple[int, int] | None:
    """Height and width of a JPEG file in YCbCr, RGB or gray; None for any other and a damaged header."""
    try:
        height, width, colours, _ = simplejpeg.decode_jpeg_header(content)
    except ValueError:
        return None
    return (height, width) if colours in ("YCbCr", "Gray", "RGB") else None


def _decode_jpeg(content: bytes, max_pixels: int, at_least: tuple[int, int] | None) -> Pixels | None:
    """Most JPEG files; None for one that has to be looked at more closely: unusual, damaged or too large."""
    size = _plain_size(content)
    if size is None or size[0] * size[1] > max_pixels:
        return None
    orientation = 1
    if _EXIF in content:
        with _opened(content, max_pixels) as image:
            orientation = _exif_orientation(image)
    factor = _reduction(*size, orientation, at_least)
    height, width = (-(-side // factor) for side in size)
    try:
        with _pixels.hold(3 * height * width):
            pixels: Pixels = simplejpeg.decode_jpeg(
                content, "RGB", min_height=height, min_width=width, min_factor=factor
            )
    except ValueError:  # a warning counts as an error there: Pillow decides what can be used all the same
        return None
    return pixels if orientation == 1 else np.array(_turned(Image.fromarray(pixels), orientation))


def _reduction(height: int, width: int, orientation: int, at_least: tuple[int, int] | None) -> int:
    """By how much a JPEG file is scaled down while it is decoded; height and width as stored."""
    if at_least is None:
        return 1
    low, narrow = at_least[::-1] if orientation in _SIDEWAYS else at_least
    return next((f for f in REDUCTIONS if -(-height // f) >= low and -(-width // f) >= narrow), 1)


@contextlib.contextmanager
def _opened(content: bytes, max_pixels: int) -> Iterator[Image.Image]:
    """An opened picture of an accepted size; what goes wrong in the block is the picture's fault."""
    if not content:
        raise PictureError("image_unreadable", "the file is empty")
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            width, height = image.size
            if width * height > max_pixels:
                raise PictureError(
                    "image_too_large", f"{width} x {height} pixels, validate.max_pixels is {max_pixels:,}"
                )
            yield image
    except UnidentifiedImageError:
        raise PictureError("image_unreadable", f"no picture of a known format ({', '.join(FORMATS)})") from None
    except Image.DecompressionBombError:
        limit = min(max_pixels, 2 * (Image.MAX_IMAGE_PIXELS or max_pixels))
        raise PictureError("image_too_large", f"more than {limit:,} pixels, which is as much as is read") from None
    except (OSError, ValueError, SyntaxError, EOFError, struct.error, OverflowError, MemoryError) as error:
        raise PictureError("image_unreadable", str(error) or type(error).__name__) from None


def _turned(picture: Image.Image, orientation: int) -> Image.Image:
    turn = _TURNS.get(orientation)
    return picture if turn is None else picture.transpose(turn)


def _perceptual_hash(picture: Image.Image) -> int:
    small = np.asarray(picture.convert("L").resize(_HASH_SIZE, Image.Resampling.BOX))
    return int.from_bytes(np.packbits(small[:, 1:] < small[:, :-1]).tobytes(), "big")


class PictureFolder:
    """Where the image paths of a table start.

    Args:
        root: A local folder or a remote prefix.
    """

    def __init__(self, root: str) -> None:
        self._root = root
        self._real = "" if is_remote(root) else os.path.realpath(root)
        self._inside: set[str] = set()
        self._ahead: ReadAhead | None = None

    def map(
        self,
        function: Callable[[In], Out],
        items: Iterable[In],
        paths: Callable[[In], Iterable[str]],
        *,
        workers: int,
    ) -> Iterator[Out]:
        """`ordered_map`, while the remote pictures of the items that come next are being read.

        Args:
            function: Called with one item; it may `read` the paths of that item.
            items: Read only as fast as results are taken, and as little ahead as that needs.
            paths: The paths that an item's call is going to read.
            workers: Threads that call `function`.

        Raises:
            Exception: Whatever `function` raised, at the item's turn.
        """
        if self._real or self._ahead is not None:
            yield from ordered_map(function, items, workers=workers)
            return
        with ReadAhead(self._read_remote) as ahead:
            self._ahead = ahead
            try:
                yield from ahead.map(function, items, paths, workers=workers)
            finally:
                self._ahead = None

    def read(self, path: str) -> bytes:
        """The bytes of one picture file.

        Args:
            path: As the table has it, relative to the root; it may not lead out of it, by links either.

        Raises:
            PictureError: It is missing, outside the root, no regular file, or cannot be read.
            StorageError: The store does not answer.
        """
        if self._ahead is not None:
            return self._ahead.read(path)
        if not self._real or is_remote(path):
            return self._read_remote(path)
        try:
            return self._read_local(join(self._real, path))
        except PictureError as error:
            other = self._in_another_form(path) if error.reason == "image_missing" else None
            if other is None:
                raise
            return self._read_local(join(self._real, other))

    def _in_another_form(self, path: str) -> str | None:
        """The same path in the Unicode normal form that the file has, as in archives that macOS made."""
        forms = {unicodedata.normalize(form, path) for form in ("NFC", "NFD")} - {path}
        return next((form for form in sorted(forms) if os.path.lexists(join(self._real, form))), None)

    def sizes(self, paths: Sequence[str]) -> Iterator[int]:
        """The bytes of picture files, for planning; 0 where that is not known.

        Args:
            paths: As the table has them.

        Raises:
            StorageError: The store does not answer.
        """
        if not self._real:
            yield from self._listed_sizes([join(self._root, path) for path in paths])
            return
        for path in paths:
            try:
                yield 0 if is_remote(path) else os.stat(join(self._real, path)).st_size
            except (OSError, ValueError):
                yield 0

    def _listed_sizes(self, places: Sequence[str]) -> Iterator[int]:
        sizes = dict.fromkeys(places, 0)
        with contextlib.suppress(DeniedError):  # objects may be read that may not be listed
            for found in list_objects(self._root):
                if found.place in sizes:
                    sizes[found.place] = found.size
        yield from map(sizes.__getitem__, places)

    def _read_remote(self, path: str, admit: Callable[[int], None] | None = None) -> bytes:
        place = join(self._root, path)
        inside = not is_remote(path) or path.startswith(self._root.rstrip("/") + "/")
        if not inside or not is_remote(place) or ".." in place.split("/"):
            raise PictureError("image_outside_root", f"leads out of {self._root}")
        try:
            return read_bytes(place, admit)
        except FileNotFoundError:
            raise PictureError("image_missing", "no such object") from None
        except DeniedError as error:
            raise PictureError("image_unreadable", error.problems[0].what) from None
        except OSError as error:
            raise PictureError("image_unreadable", str(error)) from None

    def _read_local(self, place: str) -> bytes:
        try:
            folder = os.path.dirname(place)
            if folder not in self._inside or stat.S_ISLNK(os.lstat(place).st_mode):
                place = self._resolved(place)
                self._inside.add(os.path.dirname(place))
            file = os.open(place, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a pipe would make us wait
            try:
                status = os.fstat(file)
                if not stat.S_ISREG(status.st_mode):
                    raise PictureError("image_not_a_file", "is a folder, a pipe or a device")
                return _whole(file, status.st_size)
            finally:
                os.close(file)
        except FileNotFoundError:
            raise PictureError("image_missing", "no such file") from None
        except (OSError, ValueError) as error:
            raise PictureError("image_unreadable", str(error)) from None

    def _resolved(self, place: str) -> str:
        real = os.path.realpath(place)
        if os.path.commonpath([real, self._real]) != self._real:
            raise PictureError("image_outside_root", f"leads to {real}, outside {self._root}")
        return real


def _whole(file: int, size: int) -> bytes:
    """All bytes of an open file, of about the given size."""
    content = os.read(file, size + 1)
    if len(content) == size:
        return content
    parts = [content]
    while parts[-1]:
        parts.append(os.read(file, 2**20))
    return b"".join(parts)


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
    return value if value in range(1, 9) else 1


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
