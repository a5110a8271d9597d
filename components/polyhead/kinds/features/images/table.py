"""Columns of cells with several paths of pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from polyhead.kinds.coercion import Coercion, Source, paths_coercion
from polyhead.kinds.features.image.table import PicturesFit, cut_paths
from polyhead.kinds.features.images.config import ImagesFeature, ImagesStatistics
from polyhead.kinds.fields import Field
from polyhead.kinds.fitting.fit import Site
from polyhead.kinds.fitting.moments import Moments
from polyhead.kinds.guessing.columns import Column
from polyhead.kinds.guessing.guess import Guess, Rank
from polyhead.kinds.protocols.table import FeatureTable

_MOST = ImagesFeature.model_fields["max_pictures"].default
_SEPARATOR = ImagesFeature.model_fields["separator"].default


class ImagesFit(PicturesFit[ImagesStatistics]):
    """A sample of pictures, and how many there are.

    Args:
        name: The feature.
        feature: The size and the decoding that the configuration asks for.
    """

    def __init__(self, name: str, feature: ImagesFeature) -> None:
        super().__init__(name, feature)
        self.each = Moments()

    def _take(self, known: pl.Series) -> None:
        self.paths.update(known.explode())
        self.each.update(known.list.len().to_numpy().astype(np.float64))

    def finish(self, site: Site) -> ImagesStatistics:
        """As of one picture a row, and the number of pictures.

        Raises:
            DataError: The backbone cannot be used.
            StorageError: A store does not give it, or a picture.
        """
        total = round(self.each.count * self.each.mean_and_variance()[0]) if self.each.count else 0
        return ImagesStatistics(total=total, **self.found(site))


class ImagesTable(FeatureTable[ImagesFeature]):
    """Lists of paths of pictures, spelled and ordered as they are."""

    single = False

    def coercion(self, source: Source, member: ImagesFeature) -> Coercion:
        """The first paths of a cell."""
        return paths_coercion(source, member.separator, member.max_pictures)

    def guess(self, column: Column) -> Guess | None:
        """Lists of paths that end as those of pictures do or of pictures themselves, also as text with a mark."""
        cut = cut_paths(column)
        if cut is None:
            return None
        separator, most = cut
        options: dict[str, object] = {} if separator in ("", _SEPARATOR) else {"separator": separator}
        if most < _MOST:
            options["max_pictures"] = max(2, most)
        between = f" with {separator!r} between them" if separator else ""
        why = f"paths of pictures, several in a cell{between}, up to {most}"
        if most > _MOST:
            why += f": the first {_MOST} are used"
        return Guess("images", options, why, rank=Rank.PLACES if separator else Rank.TYPE)

    def field(self, feature: ImagesFeature, statistics: ImagesStatistics, directory: Path) -> Field:
        """One file of a format that the served graph decodes."""
        return Field("pictures", hint="one JPEG, PNG, GIF or 24-bit BMP; requests may have several")

    def fit(self, name: str, member: ImagesFeature) -> ImagesFit:
        """An empty sample of pictures."""
        return ImagesFit(name, member)
