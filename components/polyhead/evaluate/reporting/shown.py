"""What the worst rows look like: their pictures, small, and some of their values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from polyhead.contracts.evaluation import HeadReport
from polyhead.kinds.protocols.report import ListedRows
from polyhead.kinds.reports import REPORTS
from polyhead.kinds.tables import feature_table
from polyhead.kinds.union import Feature
from polyhead.page.rows import ShownRow
from polyhead.page.tables import short
from polyhead.pictures.thumbnails import thumbnail

MOST_VALUES = 6
_LONGEST_VALUE = 80


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


@dataclass(frozen=True)
class Listed:
    """The rows that a head predicts worst and best; None where that cannot be said."""

    worst: ListedRows | None
    best: ListedRows | None


def listed_rows(heads: Mapping[str, HeadReport], predictions: pl.DataFrame) -> dict[str, Listed]:
    """By head with known targets, the rows that it predicts worst and best.

    Args:
        heads: Of the report.
        predictions: As for the page.
    """
    found = {}
    for name, head in heads.items():
        if head.n:
            facet, known = REPORTS[head.kind], known_rows(name, head.classes, predictions)
            found[name] = Listed(facet.worst(head, known), facet.best(head, known))
    return found


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
