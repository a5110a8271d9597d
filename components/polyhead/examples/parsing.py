"""Serialised examples back into raw features and targets, as TensorFlow operations."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from polyhead.contracts.preprocessing import Fitted
from polyhead.kinds.base import weights_of
from polyhead.kinds.entries import KEY_ENTRY, WEIGHT_ENTRY, raw_weight
from polyhead.kinds.examples import names_by_kind
from polyhead.kinds.graphs import feature_blocks, heads
from polyhead.kinds.protocols.graph import Batch


class Parser:
    """Parses batches of serialised examples.

    Args:
        fitted: What the examples hold, and which of it is wanted; the rest is not parsed.
    """

    def __init__(self, fitted: Fitted) -> None:
        self._blocks = feature_blocks(fitted)
        self._heads = heads(fitted)
        self._features = names_by_kind(fitted.held.features)
        self._targets = names_by_kind(fitted.held.targets)
        columns = weights_of(fitted.held.targets)
        self._columns = len(columns)
        self._weights = {
            name: columns.index(target.weight) for name, target in fitted.targets.items() if target.weight is not None
        }

    def __call__(self, examples: tf.Tensor) -> tuple[tf.Tensor, dict[str, Any], Batch]:
        """Parse a batch.

        Args:
            examples: String (batch,).

        Returns:
            Keys, string (batch,). Raw features by kind, as `FeatureBlock.joined` gives them: (batch, columns) of the
            kind's `DTYPE`, float64 and NaN where missing, or string and empty where missing; float32 (batch, columns,
            length of the longest) and NaN where missing for vector; ragged string (batch, columns, None), one empty
            string where missing, for multicategory; by name, string (batch,), for image. Raw targets by
            name: float64 (batch,) for regression; ragged string (batch, None) for multilabel, with int64 `<name>/known`
            (batch,) beside it; string (batch,) for the others. Row weights as `<name>/weight`, float64 (batch,).
        """
        parsed = tf.io.parse_example(examples, {KEY_ENTRY: tf.io.FixedLenFeature([], tf.string), **self._entries()})
        return parsed[KEY_ENTRY], *self._rows_of(parsed)

    def rows(self, examples: tf.Tensor) -> tuple[dict[str, Any], Batch]:
        """The same without keys."""
        return self._rows_of(tf.io.parse_example(examples, self._entries()))

    def targets(self, examples: tf.Tensor) -> Batch:
        """The targets alone."""
        return self._targets_of(tf.io.parse_example(examples, self._target_entries()))

    def _entries(self) -> dict[str, Any]:
        entries = {entry: how for block in self._blocks for entry, how in block.entries(self._features).items()}
        return entries | self._target_entries()

    def _target_entries(self) -> dict[str, Any]:
        entries = {entry: how for head in self._heads for entry, how in head.entries(self._targets).items()}
        if self._weights:
            even = np.ones(self._columns).astype("<f8").tobytes()
            entries[WEIGHT_ENTRY] = tf.io.FixedLenFeature([], tf.string, even)
        return entries

    def _rows_of(self, parsed: Batch) -> tuple[dict[str, Any], Batch]:
        features = {block.KIND: block.parsed(parsed, self._features) for block in self._blocks}
        return features, self._targets_of(parsed)

    def _targets_of(self, parsed: Batch) -> Batch:
        raw = {name: value for head in self._heads for name, value in head.parsed(parsed, self._targets).items()}
        if self._weights:
            weights = tf.ensure_shape(tf.io.decode_raw(parsed[WEIGHT_ENTRY], tf.float64), [None, self._columns])
            raw |= {raw_weight(name): weights[:, place] for name, place in self._weights.items()}
        return raw
