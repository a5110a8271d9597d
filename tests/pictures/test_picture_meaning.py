"""One picture, one meaning: what a file shows is what Pillow composes of its samples, upright and over the background.

That the serving graph shows the same is in `tests/pictures/test_picture_graph.py`.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from strategies import Picture, colours, pictures

from polyhead.contracts.config import parse_config
from polyhead.pictures.decode import decode_picture
from polyhead.pictures.resize import resize
from polyhead.preprocess import step as preprocess
from polyhead.shard import step as shard
from polyhead.validate import step as validate

LIMIT = 10_000
CONFIG = """
table: t.csv
features:
  photo: {{kind: image, size: [24, 16], background: {background}}}
targets:
  price: {{kind: regression}}
split: {{column: part}}
validate: {{images: decode}}
"""


@settings(max_examples=400, deadline=None)
@given(picture=pictures, background=colours)
def test_a_picture_is_what_it_shows(picture: Picture, background: tuple[int, int, int]) -> None:
    """For every format, sample, transparency and orientation."""
    pixels = decode_picture(picture.content, max_pixels=LIMIT, background=background)
    assert np.array_equal(pixels, picture.over(background)), picture.kind


@settings(max_examples=12, deadline=None)
@given(shown=st.lists(pictures, min_size=6, max_size=12), background=colours)
def test_every_step_sees_what_a_picture_shows(shown: list[Picture], background: tuple[int, int, int]) -> None:
    """Validation's miniature is that of the picture over white, the shard's pixels are those over the background."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for place, picture in enumerate(shown):
            (folder / f"{place}").write_bytes(picture.content)
        rows = "".join(f"{place},{place % 3},train\n" for place in range(len(shown)))
        (folder / "t.csv").write_text(f"photo,price,part\n{rows}")
        config = parse_config(CONFIG.format(background=list(background)))
        validate.run(config=config, table=str(folder / "t.csv"), out=folder / "V")
        preprocess.run(config=config, data=folder / "V", out=folder / "P")
        shard.run(config=config, data=folder / "V", preprocessing=folder / "P", out=folder / "S")
        stored = b"".join(path.read_bytes() for path in folder.glob("S/*.tfrecord"))
        hashes = pl.read_parquet(folder / "V" / "clean.parquet")["photo__picture"].struct.field("perceptual_hash")
    for picture, told in zip(shown, hashes, strict=True):
        assert told == difference_hash(picture.over((255, 255, 255))), picture.kind
        assert resize(picture.over(background), (24, 16)).tobytes() in stored, picture.kind


def difference_hash(pixels: Any) -> int:
    """Where a gray 9 x 8 miniature gets darker from left to right, row by row."""
    small = np.asarray(Image.fromarray(pixels).convert("L").resize((9, 8), Image.Resampling.BOX)).astype(int)
    return int("".join("01"[int(step < 0)] for step in np.diff(small, axis=1).ravel()), 2)
