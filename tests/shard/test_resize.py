"""Pictures at the feature's size, and the bytes that a shard holds of them."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from polyhead.kinds.features.image.config import ImageFeature
from polyhead.shard.pictures import resize, stored_bytes
from polyhead.storage.pictures import Pixels


def noise(height: int, width: int) -> Pixels:
    return np.random.default_rng(height * width).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize("shape", [(200, 300), (31, 7), (8, 500), (1, 1), (64, 33)])
def test_resizing_is_antialiased_bilinear(shape: tuple[int, int]) -> None:
    """Any size agrees with Pillow's antialiased bilinear filter to one level, the rounding of its fixed point."""
    picture = noise(*shape)
    ours = resize(picture, (32, 24)).astype(int)
    theirs = np.asarray(Image.fromarray(picture).resize((24, 32), Image.Resampling.BILINEAR), int)
    assert ours.shape == (32, 24, 3)
    assert np.abs(ours - theirs).max() <= 1


def test_the_right_size_stays_untouched() -> None:
    """A picture that has the feature's size already keeps every pixel."""
    picture = noise(20, 30)
    assert (resize(picture, (20, 30)) == picture).all()


def test_a_flat_colour_stays_that_colour() -> None:
    """Resizing neither darkens nor tints."""
    for level in (0, 1, 127, 128, 254, 255):
        small = resize(np.full((61, 97, 3), (level, 255 - level, 7), np.uint8), (16, 16))
        assert (small == (level, 255 - level, 7)).all()


def test_raw_is_the_rows_of_pixels() -> None:
    """store: raw holds red, green, blue of every pixel, row by row."""
    picture = noise(10, 8)
    feature = ImageFeature(kind="image", size=(10, 8), store="raw")
    assert np.frombuffer(stored_bytes(picture, feature), np.uint8).tolist() == picture.ravel().tolist()


def test_png_is_lossless_and_jpeg_obeys_its_quality() -> None:
    """store: png decodes to the same pixels; store: jpeg is a JPEG that shrinks with its quality."""
    picture = noise(40, 48)
    png = stored_bytes(picture, ImageFeature(kind="image", size=(40, 48), store="png"))
    assert (np.asarray(Image.open(io.BytesIO(png))) == picture).all()
    high, low = (
        stored_bytes(picture, ImageFeature(kind="image", size=(40, 48), store="jpeg", quality=quality))
        for quality in (95, 20)
    )
    assert Image.open(io.BytesIO(high)).format == "JPEG"
    assert len(low) < len(high)
