"""Pictures at the feature's size."""

from __future__ import annotations

import numpy as np
import pytest
from drawings import noise
from PIL import Image

from polyhead.pictures.resize import resize


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
