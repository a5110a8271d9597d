"""Pictures: a column of paths."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field, WithJsonSchema, field_validator, model_validator

from polyhead.contracts.artifact import InnerPath, Record
from polyhead.contracts.section import Data, Fit, Model, Section
from polyhead.errors import InvalidValueError
from polyhead.kinds.base import Conflict, FeatureBase
from polyhead.kinds.entries import entry_name

_COLOURS = {"white": "#ffffff", "black": "#000000"}


def _colour(given: object) -> str:
    """A colour as `#rrggbb`."""
    if given is None:
        raise InvalidValueError(
            "invalid-colour", "is empty; put a colour that begins with # in quotes, or YAML takes it for a comment"
        )
    if isinstance(given, (list, tuple)):
        levels = [level for level in given if type(level) is int and 0 <= level <= 255]
        if len(given) != 3 or len(levels) != 3:
            raise InvalidValueError("invalid-colour", "must be three whole numbers from 0 to 255: red, green, blue")
        return "#" + bytes(levels).hex()
    colour = _COLOURS.get(given.lower(), given.lower()) if isinstance(given, str) else ""
    if not re.fullmatch("#[0-9a-f]{6}", colour):
        raise InvalidValueError(
            "invalid-colour",
            f"{given!r} is not a colour; write white, black, '#rrggbb' in quotes, or [red, green, blue]",
        )
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

Sample = Annotated[int, Field(ge=-32768, le=65535)]
"""A sample of 16 bits, with a sign or without."""


_STORED_SHARE = {"raw": 1.0, "png": 0.6, "jpeg": 0.25}

KERAS_FILE = ".keras"
IMAGENET = "imagenet"

_WORTHWHILE = 96
"""Pixels below which a pretrained network sees little: alone, photos of 64, 128 and 224 gave R² 0.43, 0.55 and 0.61."""


class Encoder(Section):
    """A pretrained network that sees the pictures, in place of one that is trained from scratch."""

    backbone: Fit[str] = Field(
        min_length=1,
        description="A .keras file of a network without its head, whose input is pixels from 0 to 255: relative to the "
        "table's folder, or gs://, s3://, minio://. Or a name in keras.applications, such as EfficientNetV2B0.",
    )
    weights: Fit[str | None] = Field(
        None,
        description="Of a backbone from keras.applications: imagenet, which Keras fetches from the network, or a "
        "weights file, placed like backbone. Default: imagenet.",
    )
    train: Model[Literal["frozen", "top", "all"]] = Field(
        "frozen",
        description="frozen: its features are computed once, by encode, and an epoch costs nothing; top: once the "
        "heads are trained, its last layers are too, at a lower rate; all: every layer is.",
    )

    @property
    def is_file(self) -> bool:
        """Whether the backbone is a file; otherwise it is a name in keras.applications."""
        return self.backbone.endswith(KERAS_FILE)

    @model_validator(mode="after")
    def _one_source(self) -> Encoder:
        if self.is_file and self.weights is not None:
            raise InvalidValueError("conflicting-keys", f"a {KERAS_FILE} file has its own weights: leave weights out")
        if not self.is_file and not self.backbone.isalnum():
            raise InvalidValueError(
                "invalid-format",
                f"received {self.backbone!r}: write a {KERAS_FILE} file or a name in keras.applications",
            )
        return self


class Augmentation(Section):
    """What is changed at random in a picture whenever training sees it. Amounts are the largest; 0 changes nothing."""

    flip: bool = Field(
        False,
        description="Mirror left to right, half of the time; not where that changes the meaning, as of digits, "
        "writing, arrows or left and right hands.",
    )
    shift: float = Field(
        0.0, ge=0, le=0.5, description="Move by up to this share of the height and of the width, in whole pixels."
    )
    rotate: float = Field(0.0, ge=0, le=180, description="Turn by up to this many degrees, either way.")
    zoom: float = Field(0.0, ge=0, lt=1, description="Enlarge or shrink by up to this share.")
    crop: float = Field(
        0.0, ge=0, lt=1, description="Cut away up to this share of the height and the width, and enlarge the rest."
    )
    brightness: float = Field(
        0.0, ge=0, le=1, description="Lighten or darken by up to this share of the way from black to white."
    )
    contrast: float = Field(
        0.0, ge=0, le=1, description="Multiply the distance from the picture's mean by 1 plus or minus up to this."
    )
    colour: float = Field(
        0.0,
        ge=0,
        le=1,
        description="Multiply each of red, green and blue, and how far they are from grey, by 1 plus or minus up to "
        "this.",
    )
    noise: float = Field(
        0.0, ge=0, le=1, description="Standard deviation of what is added to each sample, from 0 to black to white."
    )
    erase: float = Field(0.0, ge=0, lt=1, description="Cover a rectangle of up to this share of the picture with grey.")


NO_AUGMENTATION = Augmentation()
_NONE = "none"
_GIVEN = Augmentation | Literal["none"] | None


def _nothing(given: object) -> object:
    return {} if given == _NONE else given


def _augmented(body: Mapping[str, Any]) -> dict[str, Any]:
    """The options of augmentation that an unchecked body gives, by their place in it."""
    given = _nothing(body.get("augment") or {})
    options = {**NO_AUGMENTATION.model_dump(), **given} if isinstance(given, Mapping) else {}
    return {f"augment.{key}": value for key, value in options.items()}


class PictureFeature(FeatureBase):
    """What every feature of pictures has."""

    PICTURES: ClassVar[bool] = True
    MODALITY: ClassVar[str] = "all pictures"

    kind: Data[str]
    size: Data[tuple[Annotated[int, Field(ge=8, le=1024)], Annotated[int, Field(ge=8, le=1024)]]] = Field(
        (128, 128), description="Height and width in pixels that the model sees, 8 to 1024 each."
    )
    fit: Data[Literal["stretch", "crop", "pad"]] = Field(
        "stretch",
        description="How a picture of another aspect ratio becomes one of that size. stretch: its ratio is not kept; "
        "crop: the ends of its longer side are cut off, the centre is kept; pad: all of it is kept, with bars of the "
        "background beside it.",
    )
    channels: Data[Literal["rgb", "grey"]] = Field(
        "rgb",
        description="rgb: red, green and blue; grey: one channel, a third of the memory, 0.299 red + 0.587 green + "
        "0.114 blue of what has colours. An encoder sees a grey picture as three equal channels.",
    )
    store: Data[Literal["raw", "png", "jpeg"]] = Field(
        "raw",
        description="How shards hold the resized picture: raw (fastest, lossless), png (smaller, lossless), "
        "jpeg (smallest; what the model trains on differs by the JPEG loss from what serving sees).",
    )
    quality: Data[int] = Field(95, ge=1, le=100, description="JPEG quality, for store: jpeg.")
    subsampling: Data[Literal[444, 422, 420]] = Field(420, description="JPEG colour subsampling, for store: jpeg.")
    decode: Fit[Literal["auto", "full"]] = Field(
        "auto",
        description="auto: JPEG files are scaled down while they are decoded, which is faster, unless a sample of the "
        "train rows falls below min_psnr; full: never.",
    )
    min_psnr: Fit[float] = Field(
        40.0, ge=0, le=99, description="Median quality of the resized pictures, in dB, below which decode is full."
    )
    background: Data[Colour] = Field(
        "#ffffff",
        description="What shows where a picture is transparent, and beside it with fit: pad; white, black, '#rrggbb' "
        "in quotes, or [red, green, blue]. Default: white.",
    )
    range: Data[tuple[Sample, Sample] | None] = Field(
        None,
        description="Samples of 16-bit PNG and TIFF files that become black and white, such as [0, 4095] for a "
        "camera of 12 bits; what lies outside is cut off. Default: from 0 to the most that the bits in use can hold, "
        "by the file's sBIT chunk or its largest sample. Of DICOM files in grey, of any depth, in the units after "
        "rescaling, such as [-160, 240] in Hounsfield units. Default: the file's first VOI LUT, or its first window, "
        "or all that BitsStored can hold.",
    )
    on_missing: Data[Literal["reject", "mask"]] = Field(
        "reject",
        description="What becomes of a row whose picture's file is not there. reject: it is set aside; mask: it is "
        "kept, as if it named no picture, and the cell is in rejected.parquet as masked_image_missing.",
    )
    on_corrupt: Data[Literal["reject", "mask"]] = Field(
        "reject",
        description="What becomes of a row whose picture cannot be read: the file is damaged, empty or no picture. "
        "reject or mask, as for on_missing; its reason is masked_image_unreadable.",
    )
    augment: Model[Annotated[Augmentation | None, BeforeValidator(_nothing, json_schema_input_type=_GIVEN)]] = Field(
        None,
        description="What training changes at random in the pictures of train rows; none or {}: nothing. Default: "
        "shift: 0.1 where more than 1,000 train rows have a picture and a network is trained from scratch, and flip: "
        "true where mirrored ones still tell the targets; otherwise nothing.",
    )
    tied: Model[str | None] = Field(
        None,
        pattern=r"^[A-Za-z][A-Za-z0-9_]*$",
        description="Image features with the same word here share one encoder, weights included.",
    )
    encoder: Fit[Encoder | None] = Field(
        None, description="A pretrained network that sees the pictures. Default: one that is trained from scratch."
    )

    @property
    def augmentation(self) -> Augmentation:
        """What training changes, as far as the configuration says it: where it leaves that open, nothing."""
        return self.augment or NO_AUGMENTATION

    @property
    def is_gray(self) -> bool:
        """Whether the model sees one channel."""
        return self.channels == "grey"

    @property
    def colours(self) -> str:
        """What the decoder and the encoder of JPEG files call the channels."""
        return "GRAY" if self.is_gray else "RGB"

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels of what the model sees."""
        return (*self.size, 1 if self.is_gray else 3)

    def picture_entries(self, name: str) -> list[str]:
        """The entries of an example that hold a row's pictures, in order.

        Args:
            name: The feature's.
        """
        return [entry_name("feature", self.kind, name)]

    def masks(self, reason: str) -> bool:
        """As `on_missing` and `on_corrupt` say; any other fault is the row's."""
        return {"image_missing": self.on_missing, "image_unreadable": self.on_corrupt}.get(reason) == "mask"

    @property
    def stored_bytes(self) -> int:
        """The picture as `store` keeps it."""
        height, width = self.size
        return int(height * width * self.shape[2] * _STORED_SHARE[self.store])

    @property
    def files(self) -> list[str]:
        """The backbone, or its weights."""
        if self.encoder is None:
            return []
        named = self.encoder.backbone if self.encoder.is_file else self.encoder.weights
        return [named] if named and named != IMAGENET else []

    @property
    def is_encoded(self) -> bool:
        """Whether the encoder is frozen."""
        return self.encoder is not None and self.encoder.train == "frozen"

    @property
    def advice(self) -> list[str]:
        """Pictures that are too small for a pretrained network."""
        if self.encoder is None or min(self.size) >= _WORTHWHILE:
            return []
        return [f"{min(self.size)} pixels are worth almost nothing to a pretrained network: set size to 128 or more"]

    @model_validator(mode="after")
    def _agreeing(self) -> Self:
        if self.is_encoded and self.augmentation != NO_AUGMENTATION:
            raise InvalidValueError(
                "conflicting-keys", "a frozen encoder sees each picture once: leave augment out, or train: top or all"
            )
        if self.is_gray and self.augmentation.colour:
            raise InvalidValueError(
                "conflicting-keys", "augment.colour changes nothing in grey pictures: leave it out, or channels: grey"
            )
        if self.required and "mask" in (self.on_missing, self.on_corrupt):
            raise InvalidValueError(
                "conflicting-keys",
                "required rejects rows without a picture: leave it out, or on_missing and on_corrupt",
            )
        return self

    @property
    def background_colour(self) -> tuple[int, int, int]:
        """The background as red, green and blue, 0 to 255 each."""
        red, green, blue = bytes.fromhex(self.background[1:])
        return red, green, blue

    @classmethod
    def conflicts(cls, bodies: Mapping[str, Mapping[str, Any]]) -> Iterator[Conflict]:
        """Tied features that differ in what their encoder needs."""
        first: dict[str, tuple[str, Mapping[str, Any]]] = {}
        for name, body in bodies.items():
            if not isinstance(body.get("tied"), str):
                continue
            needed = {"size": body.get("size", list(cls.model_fields["size"].default)), "encoder": body.get("encoder")}
            needed["channels"] = body.get("channels", cls.model_fields["channels"].default)
            needed |= _augmented(body)
            other, expected = first.setdefault(body["tied"], (name, needed))
            for key, value in needed.items():
                if value != expected.get(key, value):
                    what = f"is tied to '{other}' but has {key} {value} instead of {expected[key]}"
                    yield Conflict(name, key, "tied-images-differ", what, "tied images share one encoder")

    @property
    def tie(self) -> str:
        """The word of `tied`."""
        return self.tied or ""

    @field_validator("range")
    @classmethod
    def _rising(cls, value: tuple[int, int] | None) -> tuple[int, int] | None:
        if value is not None and value[0] >= value[1]:
            raise InvalidValueError(
                "invalid-range", f"must have the lower sample first, received [{value[0]}, {value[1]}]"
            )
        return value


class ImageFeature(PictureFeature):
    """A column of image paths, relative to `image_root`."""

    kind: Data[Literal["image"]]


class PictureQuality(Record):
    """How near the pixels that the model sees are to those of a careful reference, over a sample of train rows.

    The reference decodes at full size and resizes with Pillow's antialiased bilinear filter. The ratio is
    10 log10(255^2 / mean squared error) over a picture's samples, before a shard's JPEG encoding; 99 where the two
    are equal.

    Attributes:
        sample: Pictures compared.
        median: Median peak signal-to-noise ratio, dB.
        lowest: The lowest, dB.
    """

    sample: int
    median: float
    lowest: float


class Backbone(Record):
    """A pretrained network's file, as `preprocess` keeps it.

    Attributes:
        path: Relative to the artifact.
        sha256: Digest of the file, weights included.
        width: Numbers in the vector that it makes of a picture.
    """

    path: InnerPath
    sha256: str
    width: int


class PictureStatistics(Record):
    """How pictures are decoded; their samples are scaled by a constant.

    Attributes:
        decode: scaled: JPEG files are scaled down to a half, a quarter or an eighth while they are decoded, where
            that is still as large as the feature's size. full: never.
        quality: None where no train row has a readable picture.
        backbone: None where the encoder is trained from scratch.
    """

    kind: str
    count: int
    missing: int
    decode: Literal["scaled", "full"]
    quality: PictureQuality | None
    backbone: Backbone | None = None

    @property
    def pictures(self) -> int:
        """How many pictures the train rows have."""
        return self.count


class ImageStatistics(PictureStatistics):
    """Of a column with one picture a row."""

    kind: Literal["image"] = "image"


def pictured(
    features: Mapping[str, object], statistics: Mapping[str, object]
) -> dict[str, tuple[PictureFeature, PictureStatistics]]:
    """The features of pictures and how these are decoded, by name."""
    return {
        name: (feature, of)
        for name, feature in features.items()
        if isinstance(feature, PictureFeature) and isinstance(of := statistics[name], PictureStatistics)
    }
