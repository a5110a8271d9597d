"""HEIC files: written by pillow-heif, read to what was written, upright, or refused with what to do."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pillow_heif
import pytest
from drawings import encoded, gradient
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps
from PIL.ExifTags import Base as ExifTag

from polyhead.pictures.decode import decode_picture
from polyhead.pictures.facts import examine_picture
from polyhead.pictures.failures import PictureError
from polyhead.validate import step

LIMIT = 1_000_000


def heic(image: Image.Image, **options: Any) -> bytes:
    """A file without loss."""
    pillow_heif.register_heif_opener()
    return encoded(image, "HEIF", quality=-1, chroma=444, matrix_coefficients=0, **options)


def refusal(content: bytes, **options: Any) -> PictureError:
    with pytest.raises(PictureError) as caught:
        decode_picture(content, **{"max_pixels": LIMIT, **options})
    return caught.value


def test_what_was_written_is_what_is_read() -> None:
    """What is transparent over the background."""
    assert np.array_equal(decode_picture(heic(gradient()), max_pixels=LIMIT), np.asarray(gradient()))
    clear = gradient()
    clear.putalpha(Image.fromarray(np.arange(16 * 24, dtype=np.uint8).reshape(16, 24)))
    expected = Image.alpha_composite(Image.new("RGBA", clear.size, (9, 80, 200)), clear).convert("RGB")
    shown = decode_picture(heic(clear), max_pixels=LIMIT, background=(9, 80, 200)).astype(int)
    assert abs(shown - np.asarray(expected)).max() <= 1  # Pillow's two ways to compose round apart


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_it_is_upright_by_its_orientation(orientation: int) -> None:
    """Turned once, by the file's own property: its EXIF block, where phones write the same, does not count."""
    exif = Image.Exif()
    exif[ExifTag.Orientation] = orientation
    image = gradient()
    image.info["exif"] = exif.tobytes()
    expected = np.asarray(ImageOps.exif_transpose(image))
    content = heic(gradient(), exif=exif.tobytes())
    assert np.array_equal(decode_picture(content, max_pixels=LIMIT), expected)


def test_facts_are_those_of_the_header() -> None:
    found = examine_picture(heic(gradient()), max_pixels=LIMIT, decode=True)
    assert (found.width, found.height, found.format, found.mode, found.orientation) == (24, 16, "HEIC", "RGB", 1)
    same = examine_picture(encoded(gradient(), "PNG"), max_pixels=LIMIT, decode=True)
    assert found.perceptual_hash == same.perceptual_hash
    assert refusal(heic(gradient()), max_pixels=100).reason == "image_too_large"


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), max_size=4), st.integers(0, 600))
def test_any_damage_gives_a_picture_or_a_reason(edits: list[tuple[int, int]], cut: int) -> None:
    content = bytearray(heic(gradient()))
    content = content[: max(1, len(content) - cut)]
    for at, byte in edits:
        content[at % len(content)] = byte
    try:
        assert decode_picture(bytes(content), max_pixels=LIMIT).dtype == np.uint8
        reason = ""
    except PictureError as error:
        reason = error.reason
    assert reason in ("", "image_unreadable", "image_too_large")


def test_without_the_extra_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    content = heic(gradient())
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    error = refusal(content)
    assert (error.reason, "polyhead[heic]" in error.detail) == ("image_needs_package", True)


def test_a_table_of_them_is_that_of_the_same_pictures(tiny: Any) -> None:
    """As shards have it, whose bytes are those of PNG files."""
    from polyhead.contracts.config import load_config
    from polyhead.preprocess import step as preprocess_step
    from polyhead.shard import step as shard_step

    shards = []
    for kind in ("png", "heic"):
        data = tiny(rows=20)
        for path in (data.folder / "images").iterdir():
            with Image.open(path) as image:
                drawn = image.convert("RGB")
            if kind == "heic":
                path.write_bytes(heic(drawn))
        config, folder = load_config(data.config), data.folder
        report = step.run(config=config, table=str(data.table), out=folder / "V")
        assert report.rows_rejected == 0
        preprocess_step.run(config=config, data=folder / "V", out=folder / "P")
        shard_step.run(config=config, data=folder / "V", preprocessing=folder / "P", out=folder / "S")
        shards.append([path.read_bytes() for path in sorted((folder / "S").glob("*.tfrecord"))])
    assert shards[0] == shards[1]
