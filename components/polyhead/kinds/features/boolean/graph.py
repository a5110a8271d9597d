"""Yes and no in the graph: the words' meanings as standardised numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from polyhead.kinds.booleans import MEANINGS, TRUE
from polyhead.kinds.features.boolean.config import BooleanFeature, BooleanStatistics
from polyhead.kinds.features.graph import NumberBlock, Scaling
from polyhead.kinds.strings import lookup_table, respelled, stripped

_UNKNOWN = -1


class BooleanTransform(tf.Module):  # type: ignore[misc]  # TensorFlow is untyped
    """A word to 1 for yes and 0 for no, standardised, as `Scaling` has it, and 1 if it is missing.

    A word that means neither is missing.

    Args:
        columns: Statistics of each column.
        stored: Whether values come from shards and are spelled as they should be.
    """

    def __init__(self, columns: Sequence[BooleanStatistics], *, stored: bool = False) -> None:
        super().__init__()
        self._stored = stored
        self._table = lookup_table({word: int(meaning == TRUE) for word, meaning in MEANINGS.items()}, _UNKNOWN)
        share = np.array([[of.true / max(1, of.count)] for of in columns])
        lowest, highest = (share == 1).astype(np.float64), (share > 0).astype(np.float64)
        self._scaling = Scaling(share, np.sqrt(share * (1 - share)), lowest, highest)

    def __call__(self, values: tf.Tensor) -> tf.Tensor:
        """String (batch, columns), empty where missing, to float32 (batch, columns, 2)."""
        words = values if self._stored else tf.strings.lower(respelled(stripped(values)))
        meanings = self._table.lookup(words)
        numbers = tf.where(meanings == _UNKNOWN, tf.constant(np.nan, tf.float64), tf.cast(meanings, tf.float64))
        return self._scaling(tf.expand_dims(numbers, 2))


class BooleanBlock(NumberBlock[BooleanFeature, BooleanStatistics]):
    """All columns of yes and no."""

    KIND = "boolean"
    DTYPE = tf.string
    IS_SLICED = True
    PARTS = TREE_PARTS = 1

    def scaled(self, *, stored: bool) -> BooleanTransform:
        """`BooleanTransform` of all columns."""
        return BooleanTransform(list(self.statistics.values()), stored=stored)
