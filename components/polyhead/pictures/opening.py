"""A picture file's header read, its size accepted, its samples ready to be decoded: by Pillow, pillow-heif, pydicom."""

from __future__ import annotations

import contextlib
import io
import re
import struct
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image, UnidentifiedImageError, features
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.TiffImagePlugin import TiffImageFile

from polyhead.pictures.dicom import DicomFile, is_dicom
from polyhead.pictures.failures import PictureError
from polyhead.pictures.gif import check_gif
from polyhead.pictures.heic import FORMAT, is_heic, opened_heic
from polyhead.pictures.orientation import exif_orientation
from polyhead.pictures.png import SIGNATURE, Png, read_png
from polyhead.pictures.samples import DEEP, Colour, alpha_of, from_cmyk, samples_of_16_bits, significant_range, spread
from polyhead.pictures.tiff import is_deep, is_inverted, samples_of_tiff

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", *(("AVIF",) if features.check("avif") else ()))
"""What Pillow reads: AVIF only where the installed one does."""

_GIF = (b"GIF87a", b"GIF89a")
_WEBP_HEADER = 30
_DECODING = 24
"""Bytes a pixel that decoders take at most: coefficients of a progressive JPEG file, a WEBP file's two canvases."""

# The size is checked below against the config's own limit, before anything is decoded.
warnings.simplefilter("ignore", Image.DecompressionBombWarning)
warnings.filterwarnings("ignore", module=r"PIL\.TiffImagePlugin")  # damaged EXIF counts as none


@dataclass(frozen=True)
class OpenedPicture:
    """A picture whose header was read.

    Attributes:
        image: Its samples, of a PNG file without what the file says of transparency.
        orientation: By its EXIF block, 1 to 8.
        png: What a PNG file says beside its samples.
        content: The file's bytes.
    """

    image: Image.Image
    orientation: int
    png: Png | None
    content: bytes

    def rgb(self, background: Colour, sample_range: tuple[int, int] | None) -> Image.Image:
        """Decode it, as stored and not yet turned: samples of 8 bits, nothing transparent any more."""
        if isinstance(self.image, DicomFile):
            return self.image.rgb(sample_range)
        colours, alpha = self._from_16_bits(sample_range) if self._is_deep else self._from_8_bits()
        if alpha is None:
            return colours
        shown = Image.new("RGB", colours.size, background)
        shown.paste(colours, mask=alpha)
        return shown

    @property
    def _is_deep(self) -> bool:
        if isinstance(self.image, TiffImageFile):
            return is_deep(self.image)
        return self.png is not None and self.png.depth == DEEP

    def _from_8_bits(self) -> tuple[Image.Image, Image.Image | None]:
        image = self.image
        frame = image.tile[0].extents if isinstance(image, GifImageFile) and image.tile else None
        image.load()
        if image.mode == "CMYK":
            return from_cmyk(image), None
        if self.png is not None and self.png.transparent:
            samples = image if image.mode in ("RGB", "P") else image.convert("L")
            return image.convert("RGB"), alpha_of(np.asarray(samples), self.png)
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

    def _from_16_bits(self, sample_range: tuple[int, int] | None) -> tuple[Image.Image, Image.Image | None]:
        png, inverted = self.png, False
        if isinstance(self.image, TiffImageFile):
            samples, inverted = samples_of_tiff(self.image, self.content), is_inverted(self.image)
        elif png is not None:
            samples = samples_of_16_bits(self.image, png)
        has_alpha = samples.shape[2] in (2, 4)
        colours = samples[..., : -1 if has_alpha else None]
        alpha = None
        if has_alpha:
            alpha = Image.fromarray(spread(samples[..., -1], 0, 2**DEEP - 1))
        elif png is not None and png.transparent:
            alpha = alpha_of(samples, png)
        low, high = sample_range or (0, significant_range(int(colours.max()), png.significant if png else None))
        narrow = spread(colours, low, high)
        narrow = 255 - narrow if inverted else narrow
        return Image.fromarray(np.broadcast_to(narrow, (*narrow.shape[:2], 3)).copy()), alpha


@contextlib.contextmanager
def opened_picture(content: bytes, max_pixels: int) -> Iterator[OpenedPicture]:
    """An opened picture of an accepted size; what goes wrong in the block is its fault, unless memory is short."""
    if not content:
        raise PictureError("image_unreadable", "the file is empty, 0 bytes")
    pixels = _webp_pixels(content)
    try:
        png = read_png(content) if content.startswith(SIGNATURE) else None
        if content.startswith(_GIF):
            check_gif(content)
        with _opened(content if png is None else png.pixels) as image:
            width, height = image.size
            pixels = width * height
            if pixels > max_pixels:
                raise PictureError(
                    "image_too_large", f"{width} x {height} pixels, validate.max_pixels is {max_pixels:,}"
                )
            _insist_on_rows(image, len(content))
            if isinstance(image, TiffImageFile):
                is_deep(image)  # refuses what is no picture
            exif = image.info.get("exif", b"") if png is None else png.exif
            yield OpenedPicture(image, exif_orientation(exif), png, content)
    except UnidentifiedImageError:
        raise PictureError("image_unreadable", _what_else(content)) from None
    except Image.DecompressionBombError:
        limit = min(max_pixels, 2 * (Image.MAX_IMAGE_PIXELS or max_pixels))
        raise PictureError("image_too_large", f"more than {limit:,} pixels, the most that is read") from None
    except (OSError, ValueError, SyntaxError, EOFError, struct.error, OverflowError, RuntimeError) as error:
        if "memory" in str(error):  # so some of Pillow's decoders say it; others say that the file is broken
            raise MemoryError from None
        _insist_on_memory(min(pixels, max_pixels))
        raise PictureError("image_unreadable", str(error) or type(error).__name__) from None


def _opened(content: bytes) -> Image.Image:
    """A file whose header was read."""
    if is_heic(content):
        return opened_heic(content)
    return DicomFile(io.BytesIO(content)) if is_dicom(content) else Image.open(io.BytesIO(content), formats=FORMATS)


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


_AVIF = "a damaged AVIF file"
if "AVIF" not in FORMATS:
    _AVIF = "an AVIF file, which the installed Pillow does not read (a newer one does: pip install -U pillow)"

_OTHERS = (
    (rb"II\*\0|MM\0\*", "a TIFF file that is damaged, or not of up to 16 bits in gray or colour"),
    (rb"[\x02\x08]\0[\0-\x70]\0", "a DICOM file without its preamble and file meta information"),
    (rb"....ftypavi[fs]", _AVIF),
    (rb"....ftyp", "a video"),
    (rb"%PDF-", "a PDF file"),
    (rb"PK\x03\x04", "a ZIP file"),
    (rb"\s*(?:<\?xml[^>]*>\s*)?<svg", "an SVG drawing"),
    (rb"\s*<(?:!doctype html|html)", "a web page, as a download that failed leaves it"),
    (rb"version https://git-lfs", "a Git LFS pointer: run git lfs pull"),
)


def _what_else(content: bytes) -> str:
    """What a file is that is not a picture in a known format."""
    found = (words for pattern, words in _OTHERS if re.match(pattern, content, re.IGNORECASE | re.DOTALL))
    known = ", ".join((*FORMATS, FORMAT, "DICOM"))
    words = next(found, "")
    return f"is {words}; save it as one of: {known}" if words else f"is not a picture in a known format ({known})"
