"""Pictures at the feature's size."""

from __future__ import annotations

import numpy as np
import pytest
from drawings import noise
from PIL import Image, ImageOps

from polyhead.pictures.resize import fitted, resize


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


@pytest.mark.parametrize("shape", [(200, 300), (60, 20), (12, 12), (18, 216)])
def test_padding_keeps_all_of_a_picture(shape: tuple[int, int]) -> None:
    """Its ratio is kept, and bars of the background are on both sides, as Pillow pads."""
    picture = noise(*shape)
    ours = fitted(picture, (32, 24), "pad", (1, 2, 3)).astype(int)
    theirs = ImageOps.pad(Image.fromarray(picture), (24, 32), Image.Resampling.BILINEAR, (1, 2, 3))
    assert np.abs(ours - np.asarray(theirs, int)).max() <= 1


@pytest.mark.parametrize("shape", [(200, 300), (60, 20), (12, 12), (320, 240), (9, 300)])
def test_cropping_keeps_the_centre_of_a_picture(shape: tuple[int, int]) -> None:
    """Its ratio is kept to a pixel, and the ends of its longer side are cut off."""
    picture = noise(*shape)
    height, width = min(shape[0], round(shape[1] * 32 / 24)), min(shape[1], round(shape[0] * 24 / 32))
    top, left = (shape[0] - height) // 2, (shape[1] - width) // 2
    box = Image.fromarray(picture).crop((left, top, left + width, top + height))
    ours = fitted(picture, (32, 24), "crop").astype(int)
    assert np.abs(ours - np.asarray(box.resize((24, 32), Image.Resampling.BILINEAR), int)).max() <= 1


def test_what_a_wide_picture_shows() -> None:
    """Red, green and blue side by side: stretched, only the middle, and all between bars."""
    picture = np.zeros((10, 30, 3), np.uint8)
    for third in range(3):
        picture[:, 10 * third : 10 * third + 10, third] = 255
    assert (fitted(picture, (10, 10), "crop") == (0, 255, 0)).all()
    padded = fitted(picture, (30, 30), "pad", (7, 8, 9))
    assert (padded[:10] == (7, 8, 9)).all()
    assert (padded[10:20] == picture).all()
    assert (padded[20:] == (7, 8, 9)).all()
    assert (fitted(picture, (10, 30), "pad") == picture).all()
    assert np.array_equal(fitted(picture, (10, 10), "stretch"), resize(picture, (10, 10)))


def test_a_line_a_pixel_wide_fits() -> None:
    """However long: a pixel of it at least is shown."""
    line = np.full((1, 5000, 3), 9, np.uint8)
    assert (fitted(line, (8, 8), "crop") == 9).all()
    assert (fitted(line, (8, 8), "pad") == 9).sum() == 3 * 8
