"""Columns of paths of pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import polars as pl

from polyhead.kinds.coercion import TEXTS, Coercion, Source, cut_cells, path_coercion
from polyhead.kinds.features.image.backbone.file import keep_backbone
from polyhead.kinds.features.image.config import ImageFeature, ImageStatistics, PictureFeature, PictureStatistics
from polyhead.kinds.fields import Field
from polyhead.kinds.fitting.fit import Fit, Site
from polyhead.kinds.fitting.looks import Looks
from polyhead.kinds.fitting.quantiles import Quantiles
from polyhead.kinds.fitting.sample import Sample
from polyhead.kinds.guessing.columns import Column
from polyhead.kinds.guessing.guess import ADDRESS, LIST, MOSTLY, SEPARATORS, Guess, Rank
from polyhead.kinds.protocols.table import FeatureTable
from polyhead.pictures.dicom import reads_dicom
from polyhead.pictures.heic import reads_heic
from polyhead.pictures.looks import LOOKS, looks_of
from polyhead.pictures.quality import choose_decoding

_ENDINGS = "jpe?g|jfif|png|webp|bmp|gif|tiff?|avif"


def _formats() -> str:
    """A pattern of how the path of a picture ends that is read here."""
    others = [ending for ending, is_read in (("dcm", reads_dicom()), ("hei[cf]", reads_heic())) if is_read]
    return rf"(?i)\.(?:{'|'.join([_ENDINGS, *others])})$"


S = TypeVar("S", bound=PictureStatistics)


class PicturesFit(Fit[S]):
    """A sample of pictures, which shows how they can be decoded.

    Args:
        name: The feature.
        feature: The size and the decoding that the configuration asks for.
    """

    def __init__(self, name: str, feature: PictureFeature) -> None:
        super().__init__(name)
        self._feature = feature
        self.paths = Sample()

    def looks(self, site: Site) -> Looks:
        """Of a sample of pictures their size, and the brightness and contrast of their pixels."""
        found = looks_of(self.paths.words, site.pictures, max_pixels=site.max_pixels)
        seen = [one for one in found if one is not None]
        numbers = {name: Quantiles() for name in LOOKS}
        for name, quantiles in numbers.items():
            if seen:
                quantiles.update(np.array([one[name] for one in seen]))
        return Looks(numbers, sampled=len(found), unreadable=len(found) - len(seen))

    def found(self, site: Site) -> dict[str, Any]:
        """What `PictureStatistics` has of all rows seen; the sample's pictures are read now, the backbone is kept.

        Raises:
            DataError: The backbone cannot be used.
            StorageError: A store does not give it, or a picture.
        """
        encoder, size = self._feature.encoder, self._feature.size
        backbone = None if encoder is None else keep_backbone(encoder, size, site)
        decode, quality = choose_decoding(self.paths.words, self._feature, site.pictures, max_pixels=site.max_pixels)
        return {
            "count": self.known,
            "missing": self.missing,
            "decode": decode,
            "quality": quality,
            "backbone": backbone,
        }


class ImageFit(PicturesFit[ImageStatistics]):
    """Of one picture a row."""

    def _take(self, known: pl.Series) -> None:
        self.paths.update(known)

    def finish(self, site: Site) -> ImageStatistics:
        """As `found` says.

        Raises:
            DataError: The backbone cannot be used.
            StorageError: A store does not give it, or a picture.
        """
        return ImageStatistics(**self.found(site))


def cut_paths(column: Column) -> tuple[str, int] | None:
    """What separates the paths of pictures in a column's cells, and how many a cell has at most.

    Args:
        column: As read.

    Returns:
        The separator is empty where the cells are lists. None where the cells do not have several paths.
    """
    dtype = column.series.dtype
    if isinstance(dtype, (pl.List, pl.Array)):
        lists = column.series.cast(pl.List(dtype.inner))
        if column.holds_pictures:
            return "", int(lists.list.len().max() or 0)  # type: ignore[arg-type]
        return ("", most) if dtype.inner in TEXTS and (most := _most_paths(lists.cast(pl.List(pl.String)))) else None
    if dtype not in TEXTS or column.words is None:
        return None
    for separator in SEPARATORS:
        most = _most_paths(cut_cells(column.known, separator))
        if most > 1:
            is_list = column.share(LIST) > MOSTLY
            return "" if is_list else separator, most
    return None


def _most_paths(lists: pl.Series) -> int:
    """The most paths of pictures that one of some lists has; 0 where not nearly all items are such paths."""
    paths = lists.explode(empty_as_null=False, keep_nulls=False).drop_nulls().str.strip_chars()
    fine = paths.str.contains(_formats()) & ~paths.str.contains(ADDRESS)
    return int(lists.list.len().max() or 0) if len(paths) and fine.mean() > MOSTLY else 0  # type: ignore[arg-type, operator]


class ImageTable(FeatureTable[ImageFeature]):
    """Paths of pictures, spelled as they are."""

    single = False

    def coercion(self, source: Source, member: ImageFeature) -> Coercion:
        """A path, as it is."""
        del member
        return path_coercion(source)

    def guess(self, column: Column) -> Guess | None:
        """Pictures in the cells, or paths that end as those of pictures do."""
        if cut_paths(column) is not None:
            return None
        if column.holds_pictures:
            return Guess("image", why="pictures inside the table", rank=Rank.TYPE)
        if column.share(_formats()) > MOSTLY and column.share(ADDRESS) <= 1 - MOSTLY:
            return Guess("image", why="paths of pictures", rank=Rank.PLACES)
        return None

    def field(self, feature: ImageFeature, statistics: ImageStatistics, directory: Path) -> Field:
        """A file of a format that the served graph decodes."""
        return Field("picture", hint="JPEG, PNG, GIF or 24-bit BMP")

    def fit(self, name: str, member: ImageFeature) -> ImageFit:
        """An empty sample of pictures."""
        return ImageFit(name, member)
