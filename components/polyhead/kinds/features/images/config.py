"""Several pictures in a cell."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from polyhead.contracts.section import Data, Model
from polyhead.kinds.entries import entry_name
from polyhead.kinds.features.image.config import PictureFeature, PictureStatistics


class ImagesFeature(PictureFeature):
    """A column whose cells have any number of image paths, relative to `image_root`: one encoder sees each picture.

    A cell is a list, or text with a separator between the paths. A cell without a path is missing.
    """

    SEVERAL: ClassVar[bool] = True

    kind: Data[Literal["images"]]
    separator: Data[str] = Field("|", min_length=1, description="What separates the paths of a text cell.")
    max_pictures: Data[int] = Field(
        8,
        ge=2,
        le=64,
        description="Pictures of a cell that the model sees, 2 to 64: the first ones. Of a cell with more, the others "
        "are left out, and it is in rejected.parquet as masked_too_many_pictures. Training takes time for so many "
        "pictures a row, whether they are there or not.",
    )
    pool: Model[Literal["mean", "attention"]] = Field(
        "mean",
        description="How the vectors of a row's pictures become one. mean: their mean; attention: their mean by "
        "weights that are learned from the vectors, for rows of which one picture says more than the others.",
    )

    def picture_entries(self, name: str) -> list[str]:
        """One for each picture that a row may have."""
        return [entry_name("feature", self.kind, f"{name}/{at}") for at in range(self.max_pictures)]

    @property
    def stored_bytes(self) -> int:
        """As many pictures as a row may have."""
        return self.max_pictures * super().stored_bytes


class ImagesStatistics(PictureStatistics):
    """Of a column with any number of pictures a row.

    Attributes:
        total: Pictures of the train rows, those beyond `max_pictures` left out.
    """

    kind: Literal["images"] = "images"
    total: int

    @property
    def pictures(self) -> int:
        """How many pictures the train rows have."""
        return self.total
