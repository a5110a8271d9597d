"""One row of the clean table as one example."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from polyhead.contracts.features import Feature, ImageFeature
from polyhead.contracts.targets import Target
from polyhead.contracts.validation import KEY
from polyhead.shard.example import Value, encode_example
from polyhead.shard.pictures import resize, stored_bytes
from polyhead.storage.pictures import PictureError, PictureFolder, decode_picture


class RowError(Exception):
    """A row whose picture cannot be read.

    Attributes:
        name: The feature.
        path: The picture's path, as the table has it.
        cause: Why.
    """

    def __init__(self, name: str, path: str, cause: PictureError) -> None:
        super().__init__(f"{name}: {cause}")
        self.name = name
        self.path = path
        self.cause = cause


def row_example(
    row: Mapping[str, Any],
    features: Mapping[str, Feature],
    targets: Mapping[str, Target],
    *,
    root: PictureFolder,
    max_pixels: int,
) -> bytes | RowError:
    """One row as a serialised example, or why it cannot be one; arguments as of the two functions below."""
    try:
        entries = feature_entries(row, features, root=root, max_pixels=max_pixels)
    except RowError as error:
        return error
    return encode_example({**entries, **target_entries(row, targets)})


def feature_entries(
    row: Mapping[str, Any], features: Mapping[str, Feature], *, root: PictureFolder, max_pixels: int
) -> dict[str, Value]:
    """The `feature/…` entries of one row, missing values left out.

    Args:
        row: Canonical values by feature name; None where missing.
        features: The features wanted.
        root: Where image paths start.
        max_pixels: Largest picture that is decoded.

    Raises:
        RowError: A picture cannot be read.
    """
    entries: dict[str, Value] = {}
    for name, feature in features.items():
        value = row[name]
        if value is None:
            continue
        if isinstance(feature, ImageFeature):
            try:
                picture = decode_picture(root.read(value), max_pixels=max_pixels)
            except PictureError as error:
                raise RowError(name, value, error) from None
            entries[f"feature/{name}"] = stored_bytes(resize(picture, feature.size), feature)
        else:
            entries[f"feature/{name}"] = value if isinstance(value, float) else value.encode()
    return entries


def target_entries(row: Mapping[str, Any], targets: Mapping[str, Target]) -> dict[str, Value]:
    """The `key` and `target/…` entries of one row, missing values left out."""
    entries: dict[str, Value] = {"key": row[KEY].encode()}
    for name, target in targets.items():
        value = row[name]
        if value is None:
            continue
        if target.kind == "multilabel":
            entries[f"target/{name}"] = [label.encode() for label in value]
            entries[f"target/{name}/known"] = 1
        else:
            entries[f"target/{name}"] = value if isinstance(value, float) else value.encode()
    return entries
