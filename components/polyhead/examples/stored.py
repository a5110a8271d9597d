"""Picture files as an example holds them: decoded, at the feature's size, and in its encoding."""

from __future__ import annotations

import hashlib
import io
from importlib.metadata import version
from typing import Literal

import simplejpeg
import xxhash
from PIL import Image

from polyhead import __version__
from polyhead.examples.timing import Stopwatch
from polyhead.kinds.features.image.config import PictureFeature
from polyhead.pictures.decode import DEFINITION, decode_picture, is_plain_jpeg, is_plain_png
from polyhead.pictures.resize import fitted
from polyhead.pictures.samples import Pixels

PictureName = int
"""128 bits of what was stored: a file's content and how it was turned into bytes."""

_LIBRARIES = ("simplejpeg", "pillow", "cykooz.resizer")


def picture_name(recipe: str, content_hash: str) -> PictureName:
    """The name of what a recipe makes of a file.

    Args:
        recipe: `PictureEncoder.recipe`.
        content_hash: `polyhead.pictures.facts.content_hash` of the file.
    """
    return xxhash.xxh3_128_intdigest(f"{recipe}{content_hash}".encode())


class PictureEncoder:
    """Files' bytes to what a shard holds of them, for one image feature.

    Args:
        feature: The feature.
        decode: Whether JPEG files are scaled down while they are decoded; as `preprocess` chose.
        max_pixels: Largest picture that is decoded.

    Attributes:
        recipe: Names everything but the file that decides the result, in hexadecimal.
    """

    def __init__(self, feature: PictureFeature, decode: Literal["scaled", "full"], *, max_pixels: int) -> None:
        self._feature = feature
        self._at_least = feature.size if decode == "scaled" else None
        self._max_pixels = max_pixels
        makers = [__version__, *map(version, _LIBRARIES)]
        stored = [feature.size, feature.store, feature.quality, feature.subsampling]
        decides = [*stored, decode, max_pixels, DEFINITION, feature.background, feature.range, makers]
        decides += [chosen for chosen in (feature.fit, feature.channels) if chosen not in ("stretch", "rgb")]
        self.recipe = hashlib.blake2b(repr(decides).encode(), digest_size=16).hexdigest()

    def __call__(self, content: bytes, clock: Stopwatch) -> bytes:
        """What a shard holds of a picture.

        A file that is what is wanted already, of the right size and upright, is taken as it is.

        Args:
            content: The file's bytes.
            clock: Measures decode, resize and encode.

        Raises:
            PictureError: It cannot be decoded.
        """
        pixels = decode_picture(
            content,
            max_pixels=self._max_pixels,
            at_least=self._at_least,
            background=self._feature.background_colour,
            sample_range=self._feature.range,
            gray=self._feature.is_gray,
        )
        clock.lap("decode")
        if self._is_wanted(content, pixels):
            return content
        pixels = fitted(pixels, self._feature.size, self._feature.fit, self._feature.background_colour)
        clock.lap("resize")
        stored = stored_bytes(pixels, self._feature)
        clock.lap("encode")
        return stored

    def _is_wanted(self, content: bytes, pixels: Pixels) -> bool:
        if pixels.shape[:2] != self._feature.size or len(content) > pixels.size:
            return False
        store, gray = self._feature.store, self._feature.is_gray
        if store == "jpeg":
            return is_plain_jpeg(content, gray=gray)
        return store == "png" and is_plain_png(content, gray=gray)


def stored_bytes(picture: Pixels, feature: PictureFeature) -> bytes:
    """A resized picture as a shard holds it: raw row-major samples, PNG, or JPEG."""
    if feature.store == "raw":
        return picture.tobytes()
    if feature.store == "jpeg":
        encoded: bytes = simplejpeg.encode_jpeg(picture, feature.quality, feature.colours, str(feature.subsampling))
        return encoded
    buffer = io.BytesIO()
    Image.fromarray(picture[..., 0] if feature.is_gray else picture).save(buffer, "PNG", compress_level=3)
    return buffer.getvalue()
