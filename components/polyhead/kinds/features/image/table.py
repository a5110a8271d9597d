"""Columns of paths of pictures."""

from __future__ import annotations

from polyhead.kinds.coercion import Coercion, Source, path_coercion
from polyhead.kinds.features.image.config import ImageFeature
from polyhead.kinds.guessing.columns import Column
from polyhead.kinds.guessing.guess import ADDRESS, MOSTLY, Guess, Rank
from polyhead.kinds.protocols.table import FeatureTable

_FORMATS = r"(?i)\.(?:jpe?g|jfif|png|webp|bmp|gif)$"  # how the path of a picture ends that Polyhead reads


class ImageTable(FeatureTable[ImageFeature]):
    """Paths of pictures, spelled as they are."""

    single = False
    pictures = True

    def coercion(self, source: Source, member: ImageFeature) -> Coercion:
        del member
        return path_coercion(source)

    def guess(self, column: Column) -> Guess | None:
        if column.share(_FORMATS) > MOSTLY and column.share(ADDRESS) <= 1 - MOSTLY:
            return Guess("image", why="paths of pictures", rank=Rank.PLACES)
        return None
