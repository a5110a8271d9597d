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
