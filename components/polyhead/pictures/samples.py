"""A file's samples as red, green and blue of 8 bits, and how much of each pixel is transparent."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from polyhead.pictures.png import Png

Pixels = NDArray[np.uint8]
"""An upright picture, (height, width, 3) of red, green and blue or (height, width, 1) of gray, contiguous."""

Colour = tuple[int, int, int]
"""Red, green and blue, 0 to 255 each."""

WHITE: Colour = (255, 255, 255)

DEEP = 16
"""Bits of a sample that has more than 8."""

_DEPTHS = (8, 10, 12, 14, 16)
"""Bits of a sample that cameras and scanners have, as the largest sample of a 16-bit file tells them."""


def in_gray(pixels: Pixels) -> Pixels:
    """(height, width, 3) as (height, width, 1), by the weights of ITU-R BT.601; what is gray keeps its samples."""
    return np.asarray(Image.fromarray(pixels).convert("L"))[..., None]


def significant_range(largest: int, significant: int | None) -> int:
    """The sample of a 16-bit file that becomes 255 if nothing else is given: 2^n - 1, as the package's text has it.

    Args:
        largest: The file's largest sample.
        significant: What its sBIT chunk says, if it has one.
    """
    if significant is not None and 1 <= significant <= DEEP:
        return (1 << significant if largest < 1 << significant else 1 << DEEP) - 1
    return next((1 << depth) - 1 for depth in _DEPTHS if largest < 1 << depth)


def spread(samples: NDArray[np.uint16], low: int, high: int) -> Pixels:
    """Samples as 8 bits, low to high spread over 0 to 255 and rounded to the nearest; the rest is cut off."""
    above = np.clip(samples.astype(np.int32), low, high) - low
    return ((above * 255 + (high - low) // 2) // (high - low)).astype(np.uint8)


def samples_of_16_bits(image: Image.Image, png: Png) -> NDArray[np.uint16]:
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


def alpha_of(samples: NDArray[np.uint8 | np.uint16], png: Png) -> Image.Image:
    """The alpha channel of a PNG file that has none, by its tRNS chunk."""
    if png.indexed:
        alphas = np.full(256, 255, np.uint8)
        alphas[: len(png.transparent)] = png.transparent
        return Image.fromarray(alphas[samples])
    scale = 255 // (2**png.depth - 1) if png.depth < 8 else 1
    clear = np.all(samples.reshape(*samples.shape[:2], -1) == np.multiply(png.transparent, scale), axis=-1)
    return Image.fromarray(np.where(clear, np.uint8(0), np.uint8(255)))


def from_cmyk(image: Image.Image) -> Image.Image:
    """Red is (255 - cyan) (255 - black) / 255, cut off, and so on. Adobe's programs alone store inks inverted."""
    inks = np.asarray(image).astype(np.uint16)  # of JPEG files inverted by Pillow
    paper = 255 - inks if "adobe" in image.info or image.format == "TIFF" else inks
    return Image.fromarray((paper[..., :3] * paper[..., 3:] // 255).astype(np.uint8))
