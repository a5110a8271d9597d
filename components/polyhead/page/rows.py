"""What is shown of a row beside its prediction."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ShownRow:
    """A row as people know it.

    Attributes:
        values: What it has of the features that are no pictures, as text, in the configuration's order.
        pictures: Its pictures by feature, as JPEG or PNG files of at most 64 pixels a side.
    """

    values: dict[str, str]
    pictures: dict[str, bytes]
