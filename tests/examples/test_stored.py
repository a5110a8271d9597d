"""Files' bytes to what a shard holds: scaled, taken as they are, or encoded anew."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from drawings import encoded, noise
from PIL import Image
from PIL.ExifTags import Base as ExifTag

from polyhead.examples.stored import PictureEncoder, stored_bytes
from polyhead.examples.timing import STAGES, Stopwatch
from polyhead.kinds.features.image.config import Augmentation, ImageFeature
from polyhead.pictures.decode import decode_picture
from polyhead.pictures.resize import resize

LIMIT = 10**7


def smooth(height: int, width: int) -> Image.Image:
    """A picture with structure that JPEG keeps."""
    coarse = np.random.default_rng(height * width).integers(0, 256, (7, 9, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)


def feature(**options: Any) -> ImageFeature:
    return ImageFeature(kind="image", size=(40, 48), **options)


def encode(content: bytes, wanted: ImageFeature, decode: Any = "scaled") -> bytes:
    return PictureEncoder(wanted, decode, max_pixels=LIMIT)(content, Stopwatch())


@pytest.mark.parametrize("store", ["raw", "png", "jpeg"])
def test_a_large_jpeg_is_scaled_while_it_is_decoded(store: Any) -> None:
    """The pixels are those of the decoder's own reduction, resized; full decoding gives others."""
    content = encoded(smooth(333, 401), "JPEG", quality=90)
    image = Image.open(io.BytesIO(content))
    image.draft("RGB", (401 // 8, 333 // 8))
    expected = stored_bytes(resize(np.array(image), (40, 48)), feature(store=store))
    assert image.size == (51, 42)
    assert encode(content, feature(store=store)) == expected
    whole = stored_bytes(resize(decode_picture(content, max_pixels=LIMIT), (40, 48)), feature(store=store))
    assert encode(content, feature(store=store), "full") == whole != expected


def test_nothing_is_scaled_below_the_features_size() -> None:
    """A picture that is less than twice as large one way is decoded whole."""
    content = encoded(smooth(400, 94), "JPEG")
    assert encode(content, feature(), "scaled") == encode(content, feature(), "full")


def test_a_jpeg_of_the_right_size_is_taken_as_it_is() -> None:
    """Neither decoded pixels nor quality change: the shard holds the file."""
    content = encoded(smooth(40, 48), "JPEG", quality=60)
    assert encode(content, feature(store="jpeg")) == content
    gray = encoded(smooth(40, 48).convert("L"), "JPEG")
    assert encode(gray, feature(store="jpeg")) == gray


def test_a_png_of_the_right_size_is_taken_as_it_is() -> None:
    """Where its samples are what the shard would hold."""
    content = encoded(smooth(40, 48), "PNG")
    assert encode(content, feature(store="png")) == content


@pytest.mark.parametrize(
    ("content", "store"),
    [
        (encoded(smooth(40, 48), "PNG"), "jpeg"),
        (encoded(smooth(40, 48), "JPEG"), "png"),
        (encoded(smooth(40, 48).convert("CMYK"), "JPEG"), "jpeg"),
        (encoded(smooth(40, 48).convert("RGBA"), "PNG"), "png"),
        (encoded(smooth(40, 48).convert("P"), "PNG"), "png"),
        (encoded(smooth(40, 48).convert("L"), "PNG"), "png"),
        (encoded(smooth(40, 47), "JPEG"), "jpeg"),
        (encoded(smooth(40, 48), "JPEG", comment=b"x" * 6000), "jpeg"),
    ],
    ids=["png", "jpeg", "cmyk", "transparent", "palette", "gray", "other size", "larger than its pixels"],
)
def test_any_other_file_is_encoded_anew(content: bytes, store: Any) -> None:
    """Another format, other samples, another size, or more bytes than pixels."""
    pixels = resize(decode_picture(content, max_pixels=LIMIT), (40, 48))
    assert encode(content, feature(store=store)) == stored_bytes(pixels, feature(store=store)) != content


def test_a_turned_jpeg_is_encoded_upright() -> None:
    """A file whose pixels lie on their side is not taken as it is, even where it has the right size."""
    exif = Image.Exif()
    exif[ExifTag.Orientation] = 3
    content = encoded(smooth(40, 48), "JPEG", exif=exif)
    stored = encode(content, feature(store="jpeg", quality=100, subsampling=444))
    lying = decode_picture(encoded(smooth(40, 48), "JPEG"), max_pixels=LIMIT)
    assert np.abs(decode_picture(stored, max_pixels=LIMIT).astype(int) - lying[::-1, ::-1]).max() <= 3


def test_colour_subsampling_is_the_features(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pillow reads the same factors from the file."""
    content = encoded(smooth(200, 200), "PNG")
    factors = {}
    for subsampling in (444, 422, 420):
        image = Image.open(io.BytesIO(encode(content, feature(store="jpeg", subsampling=subsampling))))
        factors[subsampling] = [layer[1:3] for layer in image.layer]  # type: ignore[attr-defined]
    assert factors == {444: [(1, 1)] * 3, 422: [(2, 1), (1, 1), (1, 1)], 420: [(2, 2), (1, 1), (1, 1)]}


def test_a_recipe_names_all_that_decides_the_bytes() -> None:
    """The same settings have the same recipe, any other setting another."""
    first = PictureEncoder(feature(), "scaled", max_pixels=LIMIT).recipe
    other = feature(augment=Augmentation(flip=True), tied="a")
    assert PictureEncoder(other, "scaled", max_pixels=LIMIT).recipe == first
    others = {
        PictureEncoder(feature(), "full", max_pixels=LIMIT).recipe,
        PictureEncoder(feature(store="png"), "scaled", max_pixels=LIMIT).recipe,
        PictureEncoder(feature(quality=90), "scaled", max_pixels=LIMIT).recipe,
        PictureEncoder(feature(subsampling=444), "scaled", max_pixels=LIMIT).recipe,
        PictureEncoder(feature(background="black"), "scaled", max_pixels=LIMIT).recipe,
        PictureEncoder(feature(range=(0, 4095)), "scaled", max_pixels=LIMIT).recipe,
        PictureEncoder(ImageFeature(kind="image", size=(48, 40)), "scaled", max_pixels=LIMIT).recipe,
        first,
    }
    assert len(others) == 8


def test_stages_are_measured_and_add_up() -> None:
    """Decoding, resizing and encoding take their time, reading and writing none here."""
    clock = Stopwatch()
    encoder = PictureEncoder(feature(store="jpeg"), "full", max_pixels=LIMIT)
    clock.start()
    encoder(encoded(smooth(900, 1200), "JPEG"), clock)
    assert list(clock.seconds) == list(STAGES)
    assert clock.seconds["read"] == clock.seconds["write"] == 0
    assert min(clock.seconds[stage] for stage in ("decode", "resize", "encode")) > 0
    total = Stopwatch()
    total.add(clock)
    total.add(clock)
    assert total.seconds["decode"] == 2 * clock.seconds["decode"]


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
