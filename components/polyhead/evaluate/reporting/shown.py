"""What the worst rows look like: their pictures, small, and some of their values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
import simplejpeg
from numpy.typing import NDArray
from PIL import Image

from polyhead.contracts.evaluation import HeadReport
from polyhead.kinds.reports import REPORTS
from polyhead.kinds.tables import feature_table
from polyhead.kinds.union import Feature
from polyhead.page.rows import ShownRow
from polyhead.page.tables import short

THUMBNAIL = 64
"""Pixels of a picture's longer side."""

MOST_VALUES = 6
_LONGEST_VALUE = 80
_QUALITY = 80


def known_rows(name: str, classes: Sequence[str], predictions: pl.DataFrame) -> pl.DataFrame:
    """Rows whose target is known, under fixed names: key, truth, predicted, then p0, p1, … by class."""
    columns = [
        predictions.get_column("key").cast(pl.String).alias("key"),
        predictions.get_column(f"{name}.true").alias("truth"),
        predictions.get_column(f"{name}.predicted").alias("predicted"),
    ]
    for position, label in enumerate(classes):
        columns.append(predictions.get_column(f"{name}.probability.{label}").alias(f"p{position}"))
    return pl.DataFrame(columns).filter(pl.col("truth").is_not_null())


def worst_rows(heads: Mapping[str, HeadReport], predictions: pl.DataFrame) -> dict[str, int]:
    """The rows that the report lists as predicted worst, by key: their places in the table."""
    shown: dict[str, None] = {}
    for name, head in heads.items():
        if head.n:
            worst = REPORTS[head.kind].worst(head, known_rows(name, head.classes, predictions))
            shown |= dict.fromkeys(row.key for row in (worst.rows if worst else []))
    return {key: place for place, key in enumerate(predictions["key"].to_list()) if key in shown}


def shown_rows(
    keys: Sequence[str],
    features: Mapping[str, Feature],
    values: Mapping[str, Any],
    pictures: Mapping[str, Sequence[NDArray[np.uint8] | None]],
) -> dict[str, ShownRow]:
    """What some rows look like.

    Args:
        keys: Of the rows.
        features: Of the model, by name.
        values: Of the rows, by the name of a feature; the first six are shown, by the features' order.
        pictures: Of the rows, uint8 (height, width, channels), by the name of a feature.

    Returns:
        By key. Values that are missing are left out, as are pictures.
    """
    chosen = [name for name in features if name in values][:MOST_VALUES]
    found = {}
    for row, key in enumerate(keys):
        texts = {name: feature_table(features[name]).spelled(values[name][row]) for name in chosen}
        small = {name: thumbnail(picture) for name, of in pictures.items() if (picture := of[row]) is not None}
        found[key] = ShownRow({name: short(text, _LONGEST_VALUE) for name, text in texts.items() if text}, small)
    return found


def thumbnail(pixels: NDArray[np.uint8]) -> bytes:
    """A picture, uint8 (height, width, 1 or 3), as a JPEG file of at most 64 by 64 pixels."""
    small = np.ascontiguousarray(shrunk(pixels))
    return encoded(small[..., None] if small.ndim == 2 else small)


def shrunk(pixels: NDArray[np.uint8]) -> Image.Image:
    """The same as a picture in memory, gray or coloured."""
    image = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
    image.thumbnail((THUMBNAIL, THUMBNAIL))
    return image


def encoded(small: NDArray[np.uint8]) -> bytes:
    """Pixels, uint8 (height, width, 1 or 3), as a JPEG file."""
    is_gray = small.shape[2] == 1
    content: bytes = simplejpeg.encode_jpeg(small, _QUALITY, "GRAY" if is_gray else "RGB", "Gray" if is_gray else "420")
    return content
