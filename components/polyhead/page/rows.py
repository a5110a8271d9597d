"""Rows of the table as the report shows them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class ShownRow:
    """What a row looks like.

    Attributes:
        values: Of a few features, as text by name.
        pictures: Of its picture features, JPEG files of at most 64 pixels by name.
    """

    values: Mapping[str, str] = field(default_factory=dict)
    pictures: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class MappedRow:
    """A row with pictures, and on which parts of them a head's answer rests.

    Attributes:
        key: Of the row.
        is_best: Whether it is among those that are predicted best; else among the worst.
        true: As text.
        predicted: Likewise.
        pictures: Of its picture features by name, JPEG files of at most 64 pixels: the picture, and the map over it.
    """

    key: str
    is_best: bool
    true: str
    predicted: str
    pictures: Mapping[str, tuple[bytes, bytes]]
