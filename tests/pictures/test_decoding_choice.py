"""How pictures are to be decoded, and how near the result is to a careful reference."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from polyhead.kinds.features.image.config import ImageFeature, ImageStatistics
from polyhead.kinds.features.image.table import ImageFit
from polyhead.kinds.fitting.fit import Site
from polyhead.kinds.fitting.sample import SIZE, Sample
from polyhead.pictures.folder import PictureFolder
from polyhead.pictures.quality import psnr


def fitted(folder: Path, paths: Sequence[str | None], **options: Any) -> ImageStatistics:
    fit = ImageFit("photo", ImageFeature(kind="image", size=(32, 32), **options))
    fit.update(pl.Series(paths, dtype=pl.String))
    return fit.finish(Site(folder, PictureFolder(str(folder)), max_pixels=10**7))


@pytest.fixture
def smooth(tmp_path: Path) -> list[str]:
    """Soft pictures, which survive any way of scaling."""
    for i in range(5):
        coarse = np.random.default_rng(i).integers(0, 256, (4, 5, 3), dtype=np.uint8)
        image = Image.fromarray(coarse).resize((320, 240), Image.Resampling.BICUBIC)
        image.save(tmp_path / f"{i}.jpg", quality=95)
    return [f"{i}.jpg" for i in range(5)]


@pytest.fixture
def harsh(tmp_path: Path) -> list[str]:
    """Stripes as fine as a pixel, which scaling in the decoder gets wrong."""
    for i in range(5):
        stripes = np.zeros((250, 330, 3), np.uint8)
        stripes[:, :: 2 + i], stripes[:: 3 + i] = 255, 128
        Image.fromarray(stripes).save(tmp_path / f"h{i}.jpg", quality=100, subsampling=0)
    return [f"h{i}.jpg" for i in range(5)]


def test_soft_pictures_are_scaled_while_decoding(tmp_path: Path, smooth: list[str]) -> None:
    """The quality is stated for the pictures that could be read."""
    (tmp_path / "junk.jpg").write_bytes(b"junk")
    statistics = fitted(tmp_path, [*smooth, None, "junk.jpg", "gone.jpg", None, None])
    assert (statistics.decode, statistics.count, statistics.missing) == ("scaled", 7, 3)
    assert statistics.quality is not None
    assert statistics.quality.sample == 5
    assert 40 <= statistics.quality.lowest <= statistics.quality.median


def test_pictures_that_scaling_would_harm_are_decoded_whole(tmp_path: Path, harsh: list[str]) -> None:
    """Below the floor the feature is decoded at full size, and the stated quality is that of full size."""
    statistics = fitted(tmp_path, harsh)
    assert statistics.decode == "full"
    assert statistics.quality is not None
    assert statistics.quality.median > 45
    low = fitted(tmp_path, harsh, min_psnr=0)
    assert low.decode == "scaled"
    assert low.quality is not None
    assert low.quality.median < 40


def test_full_is_full(tmp_path: Path, smooth: list[str]) -> None:
    """The config's word counts."""
    assert fitted(tmp_path, smooth, decode="full").decode == "full"


def test_without_pictures_nothing_is_stated(tmp_path: Path) -> None:
    """No train row has one that can be read."""
    assert fitted(tmp_path, ["gone.jpg"]).quality is None


def test_psnr_is_its_definition() -> None:
    """10 log10(255^2 / mean squared error): 20 log10(255) for an error of one level, and a cap for none."""
    dark = np.full((4, 4, 3), 10, np.uint8)
    assert psnr(dark, dark + np.uint8(1)) == pytest.approx(48.1308, abs=1e-4)
    assert psnr(dark + np.uint8(245), dark) == pytest.approx(0.3474, abs=1e-4)
    assert psnr(dark, dark) == 99.0


@settings(max_examples=50, deadline=None)
@given(words=st.lists(st.sampled_from([f"picture{i}.jpg" for i in range(80)]), max_size=120), cut=st.integers(0, 120))
def test_the_sample_follows_from_the_paths_alone(words: list[str], cut: int) -> None:
    """In any order, in parts, merged, written and read: the same few different paths."""
    whole, first, second = Sample(), Sample(), Sample()
    whole.update(pl.Series(words, dtype=pl.String))
    first.update(pl.Series(words[:cut][::-1], dtype=pl.String))
    second.update(pl.Series(words[cut:], dtype=pl.String))
    second.merge(Sample.restored(first.state()))
    assert second.words == whole.words
    assert len(whole.words) == min(len(set(words)), SIZE)
    assert set(whole.words) <= set(words)
