"""Whether two pictures show the same, by their pixels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from polyhead.pictures.decode import decode_picture

SIDE = 16
"""Pixels of a miniature, both ways."""

EXPLAINED = 0.95
"""Share of one miniature's variance that the other one must explain."""

LARGEST = 50.0
"""Levels of 255 that any sample may be off."""

_GAIN = (0.5, 2.0)
_SHIFT = 1.5
_FLAT, _SAME_FLAT = 3.0, 8.0
_BLOCK = 256
_AT_LEAST = (2 * SIDE, 2 * SIDE)
_STEPS = ((np.arange(SIDE) - (SIDE - 1) / 2) / (SIDE / 2)).astype(np.float32)
_RIDGE = np.array([0, 1e-6, 1e-3, 1e-3, 1e-3, 1e-3])

Miniatures = NDArray[np.uint8]
Places = NDArray[np.int64]


def miniature(content: bytes, *, max_pixels: int) -> Miniatures:
    """What is compared of a picture.

    Args:
        content: A file's bytes.
        max_pixels: Largest height times width that is decoded.

    Returns:
        uint8 (16, 16, 3), RGB, upright, scaled with antialiasing.

    Raises:
        PictureError: As `decode_picture`.
    """
    pixels = decode_picture(content, max_pixels=max_pixels, at_least=_AT_LEAST)
    return np.asarray(Image.fromarray(pixels).resize((SIDE, SIDE), Image.Resampling.BILINEAR))


def show_the_same(miniatures: Miniatures, first: Places, second: Places) -> NDArray[np.bool_]:
    """Which pairs of pictures are the same but for size, compression, brightness, contrast and a narrow margin.

    The second miniature is fitted by the first one: brightness and contrast, and to first order (as Lucas and Kanade do
    for a single step) a shift and a scale along each axis. A pair is the same where that explains 95 % of the variance
    and leaves no sample off by more than 50 levels, with a contrast of 0.5 to 2 and no edge moved by more than 1.5
    pixels. Flat pictures, of one colour, are the same where their colours are.

    Args:
        miniatures: uint8 (n, 16, 16, 3).
        first: The place in `miniatures` of one of each pair.
        second: Of the other.
    """
    parts = [np.empty(0, np.bool_)]
    for start in range(0, len(first), _BLOCK):
        pairs = (miniatures[places[start : start + _BLOCK]].astype(np.float32) for places in (first, second))
        parts.append(_same(*pairs))
    return np.concatenate(parts)


def _same(first: NDArray[np.float32], second: NDArray[np.float32]) -> NDArray[np.bool_]:
    down, across = np.gradient(first, axis=(1, 2))
    basis = np.stack(
        [
            np.ones_like(first),
            first,
            across,
            down,
            across * _STEPS[None, None, :, None],
            down * _STEPS[None, :, None, None],
        ],
        axis=1,
    )
    inner = slice(1, -1)  # at the border a gradient sees one side only
    known = basis[:, :, inner, inner].reshape(len(first), 6, -1)
    wanted = second[:, inner, inner].reshape(len(first), -1)
    products = np.matmul(known, known.transpose(0, 2, 1)).astype(np.float64)
    products += np.diag(_RIDGE * known.shape[2])
    weights = np.linalg.solve(products, np.matmul(known, wanted[..., None]).astype(np.float64))
    missed = wanted - np.matmul(weights.transpose(0, 2, 1).astype(np.float32), known)[:, 0]
    variance = wanted.var(axis=1)
    gain, shift = weights[:, 1, 0], np.abs(weights[:, 2:, 0]).max(axis=1)
    fitted = (
        ((missed**2).mean(axis=1) <= (1 - EXPLAINED) * variance)
        & (np.abs(missed).max(axis=1) <= LARGEST)
        & (gain >= _GAIN[0])
        & (gain <= _GAIN[1])
        & (shift <= _SHIFT)
    )
    flat = (first.std(axis=(1, 2)).max(axis=1) < _FLAT) & (second.std(axis=(1, 2)).max(axis=1) < _FLAT)
    alike = np.abs(first.mean(axis=(1, 2)) - second.mean(axis=(1, 2))).max(axis=1) <= _SAME_FLAT
    found: NDArray[np.bool_] = np.where(flat, alike, fitted)
    return found
