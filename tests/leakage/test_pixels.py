"""Pictures are the same after what people do to copies, and others are not."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from polyhead.leakage.pixels import miniature, show_the_same


def drawing(seed: int, side: int = 96) -> Image.Image:
    """A picture of smooth random colours, at several scales."""
    random = np.random.default_rng(seed)
    pixels = np.full((side, side, 3), 128.0)
    for cells, height in ((3, 60), (6, 40), (12, 25)):
        coarse = Image.fromarray(random.integers(0, 256, (cells, cells, 3), dtype=np.uint8))
        pixels += (np.asarray(coarse.resize((side, side), Image.Resampling.BICUBIC), float) - 128) / 128 * height
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def png(picture: Image.Image) -> bytes:
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def jpeg(picture: Image.Image, quality: int) -> bytes:
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=quality)
    return file.getvalue()


def cropped(picture: Image.Image, share: float) -> Image.Image:
    wide, high = round(picture.width * share), round(picture.height * share)
    return picture.crop((wide, high, picture.width - wide, picture.height - high))


def same(first: bytes, second: bytes) -> bool:
    both = np.stack([miniature(content, max_pixels=10**6) for content in (first, second)])
    there, back = show_the_same(both, np.array([0, 1]), np.array([1, 0]))
    assert there == back
    return bool(there)


COPIES: dict[str, Callable[[Image.Image], bytes]] = {
    "itself": png,
    "smaller": lambda picture: png(picture.resize((41, 37))),
    "larger": lambda picture: png(picture.resize((300, 200))),
    "saved again": lambda picture: jpeg(picture, 40),
    "brighter": lambda picture: png(ImageEnhance.Brightness(picture).enhance(1.2)),
    "less contrast": lambda picture: png(ImageEnhance.Contrast(picture).enhance(0.7)),
    "cropped": lambda picture: png(cropped(picture, 0.03)),
    "cropped and smaller": lambda picture: jpeg(cropped(picture, 0.02).resize((50, 50)), 60),
}
OTHERS: dict[str, Callable[[Image.Image], bytes]] = {
    "of another seed": lambda _: png(drawing(99)),
    "mirrored": lambda picture: png(picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)),
    "with other colours": lambda picture: png(Image.merge("RGB", picture.split()[::-1])),
    "the negative": lambda picture: png(Image.eval(picture, lambda level: 255 - level)),
    "with a spot": lambda picture: png(_spotted(picture)),
    "of one colour": lambda picture: png(Image.new("RGB", picture.size, (128, 128, 128))),
}


def _spotted(picture: Image.Image) -> Image.Image:
    spotted = picture.copy()
    spotted.paste((255, 255, 255) if sum(picture.getpixel((48, 48))) < 384 else (0, 0, 0), (40, 40, 58, 58))  # type: ignore[arg-type]
    return spotted


@pytest.mark.parametrize("name", COPIES)
def test_a_copy_shows_the_same(name: str) -> None:
    assert all(same(png(drawing(seed)), COPIES[name](drawing(seed))) for seed in range(5))


@pytest.mark.parametrize("name", OTHERS)
def test_another_picture_does_not(name: str) -> None:
    assert not any(same(png(drawing(seed)), OTHERS[name](drawing(seed))) for seed in range(5))


def test_pictures_of_one_colour_are_the_same_where_the_colour_is() -> None:
    grey, darker, red = ((130, 130, 130), (126, 127, 126), (160, 120, 120))
    one, near, other = (png(Image.new("RGB", (20, 20), colour)) for colour in (grey, darker, red))
    assert (same(one, near), same(one, other)) == (True, False)
