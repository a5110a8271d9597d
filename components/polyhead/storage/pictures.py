"""Picture files in: safely found, examined, decoded, turned upright, over one background, RGB.

JPEG files are decoded by libjpeg-turbo at a half, a quarter or an eighth of their size where that is still as large
as wanted, any other file by Pillow. The serving graph repeats all of it in TensorFlow operations
(`polyhead.preprocess.picture_graph`); the two agree to the last bit on every format that the graph takes.

What a file's pixels are, everywhere:

1. The first picture of the file, at full depth. A file that is cut off is no picture.
2. Samples of 16 bits become 8: `sample_range` or, without one, 0 to 2^n - 1 is spread over 0 to 255, rounded to the
   nearest. n is what a PNG's sBIT chunk says if all samples fit into that many bits, and 16 if they do not; without
   that chunk it is the smallest of 8, 10, 12, 14 and 16 that holds the file's largest sample, alpha left aside.
3. What is transparent shows the background: (alpha * colour + (255 - alpha) * background) / 255, rounded.
4. The picture is turned by the EXIF orientation of JPEG, PNG (`eXIf`) and WEBP files.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import re
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
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile

from polyhead.errors import DeniedError, StorageError, machine_fault
from polyhead.storage.ahead import ReadAhead
from polyhead.storage.gif import check_gif
from polyhead.storage.objects import list_objects, read_bytes
from polyhead.storage.parallel import Budget, ordered_map
from polyhead.storage.places import is_remote, join
from polyhead.storage.png import SIGNATURE, Png, read_png

Pixels = NDArray[np.uint8]
"""An upright RGB picture, (height, width, 3), contiguous."""

Colour = tuple[int, int, int]
"""Red, green and blue, 0 to 255 each."""

In = TypeVar("In")
Out = TypeVar("Out")

DEFINITION = 2
"""Raised whenever a file's pixels become others than they were."""

WHITE: Colour = (255, 255, 255)
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
_GIF = (b"GIF87a", b"GIF89a")
_DEEP = 16
_DEPTHS = (8, 10, 12, 14, 16)
"""Bits of a sample that cameras and scanners have, as the largest sample of a 16-bit file tells them."""
_HASH_SIZE = (9, 8)
_WEBP_HEADER = 30
_DECODING = 24
"""Bytes a pixel that decoders take at most: coefficients of a progressive JPEG file, a WEBP file's two canvases."""

_pixels = Budget(512 * 2**20)
"""Bytes of pixels that all threads together may be decoding; a picture larger than that is decoded alone."""

# The size is checked below against the config's own limit, before anything is decoded.
warnings.simplefilter("ignore", Image.DecompressionBombWarning)
warnings.filterwarnings("ignore", module=r"PIL\.TiffImagePlugin")  # damaged EXIF counts as none


class PictureError(Exception):
    """A picture that cannot be used, on any machine.

    Attributes:
        reason: A word for counting: image_missing, image_web_address, image_outside_root, image_not_a_file,
            image_unreadable, image_too_large, image_changed.
        detail: One line for a person.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


@contextlib.contextmanager
def work_on(path: str) -> Iterator[None]:
    """Name the picture when the machine fails in the block, where it is read, decoded or encoded.

    Args:
        path: As the table has it.

    Raises:
        MachineError: Memory, file handles, the disk or the network are to blame, and not the picture.
    """
    try:
        yield
    except (MemoryError, OSError) as error:
        fault = machine_fault(error, path)
        if fault is None:
            raise
        raise fault from None


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
    with _opened(content, max_pixels) as opened:
        # Decoding changes what Pillow says of an image, so the header's words are taken first.
        image = opened.image
        size, image_format, mode = image.size, image.format, image.mode
        perceptual = _perceptual_hash(_turned(opened.rgb(WHITE, None), opened.orientation)) if decode else None
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


def decode_picture(
    content: bytes,
    *,
    max_pixels: int,
    at_least: tuple[int, int] | None = None,
    background: Colour = WHITE,
    sample_range: tuple[int, int] | None = None,
) -> Pixels:
    """Decode the bytes of one picture.

    Args:
        content: A file's bytes.
        max_pixels: Largest height times width that is decoded.
        at_least: Height and width that are needed. A JPEG file is then decoded at the smallest of a half, a quarter
            and an eighth of its size that is as large as that both ways. Default: full size.
        background: What shows where the picture is transparent. Default: white.
        sample_range: Samples of 16 bits that become 0 and 255; what lies outside is cut off. Default: by the file.

    Returns:
        uint8 (height, width, 3), RGB, upright.

    Raises:
        PictureError: It is damaged, of an unknown format, or too large.
        MemoryError: There is no room for its pixels.
    """
    if content.startswith(_JPEG):
        pixels = _decode_jpeg(content, max_pixels, at_least)
        if pixels is not None:
            return pixels
    with _opened(content, max_pixels) as opened:
        image = opened.image
        if image.format in ("JPEG", "MPO"):
            factor = _reduction(image.height, image.width, opened.orientation, at_least)
            if factor > 1:
                image.draft(None, (image.width // factor, image.height // factor))
        with _pixels.hold(3 * image.height * image.width):
            return np.array(_turned(opened.rgb(background, sample_range), opened.orientation))


def is_plain_jpeg(content: bytes) -> bool:
    """Whether a file is an upright JPEG in YCbCr or gray that decodes without a warning at its header."""
    return content.startswith(_JPEG) and _EXIF not in content and _plain_size(content) is not None


def is_plain_png(content: bytes) -> bool:
    """Whether a file is an upright PNG with three samples of eight bits and nothing transparent."""
    plain = content.startswith(SIGNATURE) and content[24:26] == b"\x08\x02"
    return plain and b"tRNS" not in content and b"eXIf" not in content


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
        with _opened(content, max_pixels) as opened:
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
    return pixels if orientation == 1 else np.array(_turned(Image.fromarray(pixels), orientation))


def _reduction(height: int, width: int, orientation: int, at_least: tuple[int, int] | None) -> int:
    """By how much a JPEG file is scaled down while it is decoded; height and width as stored."""
    if at_least is None:
        return 1
    low, narrow = at_least[::-1] if orientation in _SIDEWAYS else at_least
    return next((f for f in REDUCTIONS if -(-height // f) >= low and -(-width // f) >= narrow), 1)


@dataclass(frozen=True)
class _Opened:
    """A picture whose header was read.

    Attributes:
        image: Its samples, of a PNG file without what the file says of transparency.
        orientation: By its EXIF block, 1 to 8.
        png: What a PNG file says beside its samples.
    """

    image: Image.Image
    orientation: int
    png: Png | None

    def rgb(self, background: Colour, sample_range: tuple[int, int] | None) -> Image.Image:
        """Decode it, as stored and not yet turned: samples of 8 bits, nothing transparent any more."""
        if self.png is not None and self.png.depth == _DEEP:
            colours, alpha = self._from_16_bits(self.png, sample_range)
        else:
            colours, alpha = self._from_8_bits()
        if alpha is None:
            return colours
        shown = Image.new("RGB", colours.size, background)
        shown.paste(colours, mask=alpha)
        return shown

    def _from_8_bits(self) -> tuple[Image.Image, Image.Image | None]:
        image = self.image
        frame = image.tile[0].extents if isinstance(image, GifImageFile) and image.tile else None
        image.load()
        if image.mode == "CMYK":
            return _from_cmyk(image), None
        if self.png is not None and self.png.transparent:
            samples = image if image.mode in ("RGB", "P") else image.convert("L")
            return image.convert("RGB"), _alpha(np.asarray(samples), self.png)
        if "transparency" in image.info or "A" in image.getbands():
            image = image if image.mode == "RGBA" else image.convert("RGBA")
            colours, alpha = image.convert("RGB"), image.getchannel("A")
        else:
            colours, alpha = image.convert("RGB"), None
        if frame is not None and frame != (0, 0, *image.size):
            outside = Image.new("L", image.size, 0)  # a GIF's first picture may leave a part of the screen free
            outside.paste(255 if alpha is None else alpha.crop(frame), frame)
            alpha = outside
        return colours, alpha

    def _from_16_bits(self, png: Png, sample_range: tuple[int, int] | None) -> tuple[Image.Image, Image.Image | None]:
        samples = _samples_of_16_bits(self.image, png)
        colours = samples[..., : -1 if png.samples in (2, 4) else None]
        alpha = None
        if png.samples in (2, 4):
            alpha = Image.fromarray(spread(samples[..., -1], 0, 2**_DEEP - 1))
        elif png.transparent:
            alpha = _alpha(samples, png)
        low, high = sample_range or (0, significant_range(int(colours.max()), png.significant))
        narrow = spread(colours, low, high)
        return Image.fromarray(np.broadcast_to(narrow, (*narrow.shape[:2], 3)).copy()), alpha


@contextlib.contextmanager
def _opened(content: bytes, max_pixels: int) -> Iterator[_Opened]:
    """An opened picture of an accepted size; what goes wrong in the block is its fault, short memory apart."""
    if not content:
        raise PictureError("image_unreadable", "the file is empty, 0 bytes")
    pixels = _webp_pixels(content)
    try:
        png = read_png(content) if content.startswith(SIGNATURE) else None
        if content.startswith(_GIF):
            check_gif(content)
        with Image.open(io.BytesIO(content if png is None else png.pixels), formats=FORMATS) as image:
            width, height = image.size
            pixels = width * height
            if pixels > max_pixels:
                raise PictureError(
                    "image_too_large", f"{width} x {height} pixels, validate.max_pixels is {max_pixels:,}"
                )
            _insist_on_rows(image, len(content))
            exif = image.info.get("exif", b"") if png is None else png.exif
            yield _Opened(image, _exif_orientation(exif), png)
    except UnidentifiedImageError:
        raise PictureError("image_unreadable", _what_else(content)) from None
    except Image.DecompressionBombError:
        limit = min(max_pixels, 2 * (Image.MAX_IMAGE_PIXELS or max_pixels))
        raise PictureError("image_too_large", f"more than {limit:,} pixels, which is as much as is read") from None
    except (OSError, ValueError, SyntaxError, EOFError, struct.error, OverflowError) as error:
        if "memory" in str(error):  # so some of Pillow's decoders say it; others say that the file is broken
            raise MemoryError from None
        _insist_on_memory(min(pixels, max_pixels))
        raise PictureError("image_unreadable", str(error) or type(error).__name__) from None


def _insist_on_memory(pixels: int) -> None:
    """See whether there was room to decode a picture, before its file is blamed for a failure.

    Raises:
        MemoryError: There is none.
    """
    np.empty(_DECODING * pixels, np.uint8)


def _webp_pixels(content: bytes) -> int:
    """Height times width of a WEBP file, whose decoder needs room before it tells them; 0 of others."""
    if content[:4] != b"RIFF" or content[8:15] != b"WEBPVP8" or len(content) < _WEBP_HEADER:
        return 0
    if content[15:16] == b"X":
        return (1 + int.from_bytes(content[24:27], "little")) * (1 + int.from_bytes(content[27:30], "little"))
    if content[15:16] == b"L":
        sides = int.from_bytes(content[21:25], "little")
        return (1 + (sides & 0x3FFF)) * (1 + (sides >> 14 & 0x3FFF))
    width, height = struct.unpack("<HH", content[26:30])
    return int(width & 0x3FFF) * int(height & 0x3FFF)


def _insist_on_rows(image: Image.Image, size: int) -> None:
    """Refuse a BMP file of a size that lacks a part of its rows: Pillow does not miss what fills up the last one."""
    if isinstance(image, BmpImageFile) and image.tile and image.tile[0].codec_name == "raw":
        tile = image.tile[0]
        row = tile.args[1] if isinstance(tile.args, tuple) else 0  # bytes, filled up to a multiple of four
        if tile.offset + row * image.height > size:
            raise ValueError("the file is cut off in its last rows")


_OTHERS = (
    (rb"II\*\0|MM\0\*", "a TIFF file"),
    (rb"....ftyp(?:heic|heix|mif1|msf1|hevc)", "a HEIC file"),
    (rb"....ftypavi[fs]", "an AVIF file"),
    (rb"....ftyp", "a video"),
    (rb"%PDF-", "a PDF file"),
    (rb"PK\x03\x04", "a ZIP file"),
    (rb"\s*(?:<\?xml[^>]*>\s*)?<svg", "an SVG drawing"),
    (rb"\s*<(?:!doctype html|html)", "a web page, as a download that failed leaves it"),
    (rb"version https://git-lfs", "a Git LFS pointer: run git lfs pull"),
)


def _what_else(content: bytes) -> str:
    """What a file is that is no picture of a known format."""
    found = (words for pattern, words in _OTHERS if re.match(pattern, content, re.IGNORECASE | re.DOTALL))
    known = ", ".join(FORMATS)
    words = next(found, "")
    return f"is {words}; save it as one of: {known}" if words else f"no picture of a known format ({known})"


def _turned(picture: Image.Image, orientation: int) -> Image.Image:
    turn = _TURNS.get(orientation)
    return picture if turn is None else picture.transpose(turn)


def _perceptual_hash(picture: Image.Image) -> int:
    small = np.asarray(picture.convert("L").resize(_HASH_SIZE, Image.Resampling.BOX))
    return int.from_bytes(np.packbits(small[:, 1:] < small[:, :-1]).tobytes(), "big")


_ADDRESS = re.compile(r"(?:[a-z][a-z0-9+.-]*:/?/|data:)", re.IGNORECASE)
_WINDOWS = re.compile(r"[A-Za-z]:|\\\\")
_ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif")


def _web_address(path: str) -> PictureError:
    if path[:5].lower() == "data:":
        return PictureError("image_web_address", "is a picture written as text; save it as a file and write its path")
    if path[:5].lower() == "file:":
        return PictureError("image_web_address", "is a file: address; write the path alone, relative to image_root")
    return PictureError("image_web_address", "is a web address; download the picture and write the file's path")


def _why_missing(path: str) -> str:
    """What the path alone tells; empty where it looks like any other."""
    if _WINDOWS.match(path):
        return "is a path of a Windows machine; write paths relative to image_root, with / between folders"
    if "\\" in path:
        return f"has backslashes; write / between folders: {path.replace(chr(92), '/')}"
    if path != path.strip():
        return "no such file: the path begins or ends with a space"
    return ""


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
            PictureError: It is missing, outside the root, no regular file, or has a name that no file can have.
            MachineError: The machine cannot read it.
            StorageError: The store does not answer, or does not give it.
        """
        if self._ahead is not None:
            return self._ahead.read(path)
        if not self._real or is_remote(path):
            return self._read_remote(path)
        try:
            return self._read_local(path)
        except PictureError as error:
            other = self._in_another_form(path) if error.reason == "image_missing" else None
            if other is None:
                raise
            return self._read_local(other)

    def _in_another_form(self, path: str) -> str | None:
        """The same path in the Unicode normal forms that its folders and its file have, each its own."""
        if path.isascii():
            return None
        there = [""]
        for part in path.split("/"):
            forms = dict.fromkeys([part, *(unicodedata.normalize(form, part) for form in ("NFC", "NFD"))])
            places = [f"{place}{form}" for place in there for form in forms]
            there = [f"{place}/" for place in places if os.path.lexists(join(self._real, place or "/"))]
        return there[0].rstrip("/") if there else None

    def sizes(self, paths: Sequence[str]) -> Iterator[int]:
        """The bytes of picture files, for planning; 0 where that is not known.

        Args:
            paths: As the table has them.

        Raises:
            MachineError: The machine cannot look.
            StorageError: The store does not answer.
        """
        if not self._real:
            yield from self._listed_sizes([join(self._root, path) for path in paths])
            return
        for path in paths:
            try:
                yield 0 if is_remote(path) else os.stat(join(self._real, path)).st_size
            except (OSError, ValueError) as error:
                fault = machine_fault(error, path)
                if fault is not None:
                    raise fault from None
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
        if _ADDRESS.match(path) and not is_remote(path):
            raise _web_address(path)
        if not inside or not is_remote(place) or ".." in place.split("/"):
            raise PictureError("image_outside_root", f"leads out of {self._root}; write paths relative to image_root")
        try:
            return read_bytes(place, admit)
        except DeniedError as error:
            hint = f"{error.problems[0].hint}; some stores answer so for a missing object where nobody may list them"
            raise DeniedError(error.problems[0].what, where=place, hint=hint) from None
        except FileNotFoundError as error:
            if error.filename is not None:  # a file of ours that the client needs
                raise StorageError(f"needs {error.filename}, which is missing", where=place) from None
            raise PictureError("image_missing", _why_missing(path) or "no such object below image_root") from None
        except OSError as error:
            raise (
                machine_fault(error, place) or PictureError("image_unreadable", error.strerror or str(error))
            ) from None

    def _read_local(self, path: str) -> bytes:
        place = join(self._real, path)
        try:
            folder = os.path.dirname(place)
            if folder not in self._inside or stat.S_ISLNK(os.lstat(place).st_mode):
                place = self._resolved(place)
                self._inside.add(os.path.dirname(place))
            file = os.open(place, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a pipe would make us wait
            try:
                status = os.fstat(file)
                if not stat.S_ISREG(status.st_mode):
                    what = "a folder" if stat.S_ISDIR(status.st_mode) else "a pipe or a device"
                    raise PictureError("image_not_a_file", f"is {what}; name a file")
                return _whole(file, status.st_size)
            finally:
                os.close(file)
        except (OSError, ValueError) as error:
            raise (machine_fault(error, path) or self._refusal(path, error)) from None

    def _refusal(self, path: str, error: OSError | ValueError) -> PictureError:
        """What is wrong with a path that no file can be read from."""
        if _ADDRESS.match(path):
            return _web_address(path)
        if isinstance(error, FileNotFoundError | NotADirectoryError):
            return PictureError("image_missing", _why_missing(path) or self._what_is_there(path))
        words = {errno.ELOOP: "is a link that leads to itself", errno.ENXIO: "is a socket or a device; name a file"}
        code = error.errno if isinstance(error, OSError) else None
        return PictureError("image_unreadable", words.get(code or 0, "is a name that no file can have"))

    def _what_is_there(self, path: str) -> str:
        """What stands beside a place where a file is missing."""
        stem = os.path.splitext(path)[0]
        folder = os.path.dirname(path)
        if folder and not os.path.isdir(join(self._real, folder)):
            return f"no such file: there is no folder {folder} below image_root"
        names = (stem + ending for lower in _ENDINGS for ending in (lower, lower.upper()))
        there = next((name for name in names if os.path.isfile(join(self._real, name))), "")
        return f"no such file, but there is {there}" if there else "no such file below image_root"

    def _resolved(self, place: str) -> str:
        real = os.path.realpath(place)
        if os.path.commonpath([real, self._real]) != self._real:
            raise PictureError(
                "image_outside_root", f"leads to {real}, outside {self._root}; write paths relative to image_root"
            )
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


def _exif_orientation(block: bytes) -> int:
    """The orientation in an EXIF block, 1 where there is none. What XMP says of it is not asked."""
    exif = Image.Exif()
    try:
        exif.load(block)
        value = exif.get(_ORIENTATION, 1)
    except (SyntaxError, ValueError, KeyError, OSError, struct.error):
        return 1
    return value if value in range(1, 9) else 1


def significant_range(largest: int, significant: int | None) -> int:
    """The sample of a 16-bit file that becomes 255 where nobody says so: 2^n - 1, as the module's text has it.

    Args:
        largest: The file's largest sample.
        significant: What its sBIT chunk says, if it has one.
    """
    if significant is not None and 1 <= significant <= _DEEP:
        return (1 << significant if largest < 1 << significant else 1 << _DEEP) - 1
    return next((1 << depth) - 1 for depth in _DEPTHS if largest < 1 << depth)


def spread(samples: NDArray[np.uint16], low: int, high: int) -> Pixels:
    """Samples as 8 bits, low to high spread over 0 to 255 and rounded to the nearest; the rest is cut off."""
    above = np.clip(samples, low, high).astype(np.uint32) - low
    return ((above * 255 + (high - low) // 2) // (high - low)).astype(np.uint8)


def _samples_of_16_bits(image: Image.Image, png: Png) -> NDArray[np.uint16]:
    """(height, width, samples). Pillow has no 16-bit mode but for gray, so it is asked for the bytes."""
    if png.samples == 1:
        return np.asarray(image, dtype=np.uint16)[..., None]
    if png.samples == 2:
        with Image.open(io.BytesIO(png.as_rgba()), formats=["PNG"]) as four:
            return np.asarray(four).view(">u2").astype(np.uint16)
    high = np.asarray(image).astype(np.uint16)
    with Image.open(io.BytesIO(png.pixels), formats=["PNG"]) as again:
        # The samples are big-endian; an unpacker for little-endian ones takes their other byte.
        again.tile = [tile._replace(args=f"{again.mode};16L") for tile in again.tile]
        samples: NDArray[np.uint16] = np.bitwise_or(high << 8, np.asarray(again), dtype=np.uint16)
        return samples


def _alpha(samples: NDArray[np.uint8 | np.uint16], png: Png) -> Image.Image:
    """The alpha channel of a PNG file that has none, by its tRNS chunk."""
    if png.indexed:
        alphas = np.full(256, 255, np.uint8)
        alphas[: len(png.transparent)] = png.transparent
        return Image.fromarray(alphas[samples])
    scale = 255 // (2**png.depth - 1) if png.depth < 8 else 1
    clear = np.all(samples.reshape(*samples.shape[:2], -1) == np.multiply(png.transparent, scale), axis=-1)
    return Image.fromarray(np.where(clear, np.uint8(0), np.uint8(255)))


def _from_cmyk(image: Image.Image) -> Image.Image:
    """Red is (255 - cyan) (255 - black) / 255, cut off, and so on. Adobe's programs alone store inks inverted."""
    inks = np.asarray(image).astype(np.uint16)  # inverted by Pillow
    paper = 255 - inks if "adobe" in image.info else inks
    return Image.fromarray((paper[..., :3] * paper[..., 3:] // 255).astype(np.uint8))
