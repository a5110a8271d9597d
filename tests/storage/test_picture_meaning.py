"""One picture, one meaning: what a file shows is what Pillow composes of its samples, upright and over the background.

That the serving graph shows the same is in `tests/preprocess/test_picture_graph.py`.
"""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings

from polyhead.storage.pictures import decode_picture, examine_picture
from tests.strategies import Picture, colours, pictures

LIMIT = 10_000


@settings(max_examples=400, deadline=None)
@given(picture=pictures, background=colours)
def test_a_picture_is_what_it_shows(picture: Picture, background: tuple[int, int, int]) -> None:
    """For every format, sample, transparency and orientation."""
    pixels = decode_picture(picture.content, max_pixels=LIMIT, background=background)
    assert np.array_equal(pixels, picture.over(background)), picture.kind
