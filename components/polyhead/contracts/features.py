"""Feature kinds: what an input column holds and how it is encoded."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from polyhead.contracts.words import Word


class Section(BaseModel):
    """Base of every part of the configuration: unknown keys are errors, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def require_ordered(low: float | None, high: float | None) -> None:
    """Refuse a range without numbers.

    Raises:
        ValueError: The lower end lies above the upper one.
    """
    if low is not None and high is not None and low > high:
        raise ValueError(f"min {low:g} is above max {high:g}")


class FeatureBase(Section):
    """What every feature has."""

    column: str | None = Field(None, description="The table's column. Default: the feature's name.")
    required: bool = Field(False, description="A row without this value is rejected instead of masked. Default: false.")


_COLOURS = {"white": "#ffffff", "black": "#000000"}


def _colour(given: object) -> str:
    """A colour as `#rrggbb`."""
    if given is None:
        raise ValueError("is empty; put a colour that begins with # in quotes, or YAML takes it for a comment")
    if isinstance(given, (list, tuple)):
        levels = [level for level in given if type(level) is int and 0 <= level <= 255]
        if len(given) != 3 or len(levels) != 3:
            raise ValueError("takes three whole numbers from 0 to 255: red, green, blue")
        return "#" + bytes(levels).hex()
    colour = _COLOURS.get(given.lower(), given.lower()) if isinstance(given, str) else ""
    if not re.fullmatch("#[0-9a-f]{6}", colour):
        raise ValueError(f"{given!r} is no colour; write white, black, '#rrggbb' in quotes, or [red, green, blue]")
    return colour


_LEVEL = {"type": "integer", "minimum": 0, "maximum": 255}
_COLOUR_SCHEMA = {
    "anyOf": [
        {"enum": list(_COLOURS)},
        {"type": "string", "pattern": "^#[0-9A-Fa-f]{6}$"},
        {"type": "array", "items": _LEVEL, "minItems": 3, "maxItems": 3},
    ]
}
Colour = Annotated[str, BeforeValidator(_colour), WithJsonSchema(_COLOUR_SCHEMA, mode="validation")]
"""A colour as `#rrggbb`, given as that, as white or black, or as red, green and blue from 0 to 255."""

Sample = Annotated[int, Field(ge=0, le=65535)]
"""A sample of 16 bits."""


class ImageFeature(FeatureBase):
    """A column of image paths, relative to `image_root`."""

    kind: Literal["image"]
    size: tuple[Annotated[int, Field(ge=8, le=1024)], Annotated[int, Field(ge=8, le=1024)]] = Field(
        (128, 128), description="Height and width in pixels that the model sees, 8 to 1024 each."
    )
    store: Literal["raw", "png", "jpeg"] = Field(
        "raw",
        description="How shards hold the resized picture: raw (fastest, lossless), png (smaller, lossless), "
        "jpeg (smallest; what the model trains on differs by the JPEG loss from what serving sees).",
    )
    quality: int = Field(95, ge=1, le=100, description="JPEG quality, for store: jpeg.")
    subsampling: Literal[444, 422, 420] = Field(420, description="JPEG colour subsampling, for store: jpeg.")
    decode: Literal["auto", "full"] = Field(
        "auto",
        description="auto: JPEG files are scaled down while they are decoded, which is faster, unless a sample of the "
        "train rows falls below min_psnr; full: never.",
    )
    min_psnr: float = Field(
        40.0, ge=0, le=99, description="Median quality of the resized pictures, in dB, below which decode is full."
    )
    background: Colour = Field(
        "#ffffff",
        description="What shows where a picture is transparent: white, black, '#rrggbb' in quotes, or [red, green, "
        "blue]. Default: white.",
    )
    range: tuple[Sample, Sample] | None = Field(
        None,
        description="Samples of 16-bit PNG files that become black and white, such as [0, 4095] for a camera of 12 "
        "bits; what lies outside is cut off. Default: from 0 to the most that the bits in use can hold, by the "
        "file's sBIT chunk or its largest sample.",
    )
    flip: bool = Field(False, description="Mirror the picture left to right at random while training.")
    tied: str | None = Field(
        None,
        pattern=r"^[A-Za-z][A-Za-z0-9_]*$",
        description="Image features with the same word here share one encoder, weights included.",
    )

    @property
    def background_colour(self) -> tuple[int, int, int]:
        """The background as red, green and blue, 0 to 255 each."""
        red, green, blue = bytes.fromhex(self.background[1:])
        return red, green, blue

    @field_validator("range")
    @classmethod
    def _rising(cls, value: tuple[int, int] | None) -> tuple[int, int] | None:
        if value is not None and value[0] >= value[1]:
            raise ValueError(f"takes the lower sample first, [{value[0]}, {value[1]}] is not rising")
        return value


class NumericFeature(FeatureBase):
    """A column of numbers."""

    kind: Literal["numeric"]
    min: float | None = Field(None, description="Smallest accepted value; a row below it is rejected.")
    max: float | None = Field(None, description="Largest accepted value; a row above it is rejected.")

    @model_validator(mode="after")
    def _ordered(self) -> NumericFeature:
        require_ordered(self.min, self.max)
        return self


class CategoryFeature(FeatureBase):
    """A column with one of a set of values, spelled as `polyhead.contracts.words` says: 85255.0 is `85255`."""

    kind: Literal["category"]
    allowed: list[Word] | None = Field(
        None, min_length=1, description="Accepted values; a row with another is rejected."
    )
    min_count: int = Field(1, ge=1, description="Train rows a value needs to enter the vocabulary.")
    max_size: int = Field(10_000, ge=1, description="Most values in the vocabulary, the most frequent first.")


class TextFeature(FeatureBase):
    """A column of free text."""

    kind: Literal["text"]
    vectorizer: Literal["tfidf"] = Field("tfidf", description="TF-IDF as scikit-learn defines it.")
    ngrams: int = Field(1, ge=1, le=3, description="Longest run of words that counts as a term, 1 to 3.")
    min_documents: int = Field(2, ge=1, description="Train rows a term must occur in to be kept.")
    max_terms: int = Field(20_000, ge=1, description="Most terms in the vocabulary, the most frequent first.")


Feature = Annotated[
    ImageFeature | NumericFeature | CategoryFeature | TextFeature,
    Field(discriminator="kind"),
]
