"""Serialised examples back into raw features and targets, as TensorFlow operations."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from polyhead.contracts.preprocessing import Fitted
from polyhead.kinds.entries import KEY_ENTRY
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

    def __call__(self, examples: tf.Tensor) -> tuple[tf.Tensor, dict[str, Any], Batch]:
        """Parse a batch.

        Args:
            examples: String (batch,).

        Returns:
            Keys, string (batch,). Raw features by kind, as `FeatureBlock.joined` gives them: (batch, columns) of the
            kind's `DTYPE`, float64 and NaN where missing, or string and empty where missing; by name, string (batch,),
            for image. Raw targets by name: float64 (batch,) for regression; ragged string
            (batch, None) for multilabel, with int64 `<name>/known` (batch,) beside it; string (batch,) for the others.
        """
        wanted = {KEY_ENTRY: tf.io.FixedLenFeature([], tf.string), **self._feature_entries(), **self._target_entries()}
        parsed = tf.io.parse_example(examples, wanted)
        features = {block.KIND: block.parsed(parsed, self._features) for block in self._blocks}
        return parsed[KEY_ENTRY], features, self._targets_of(parsed)

    def targets(self, examples: tf.Tensor) -> Batch:
        """The targets alone."""
        return self._targets_of(tf.io.parse_example(examples, self._target_entries()))

    def _feature_entries(self) -> dict[str, Any]:
        return {entry: how for block in self._blocks for entry, how in block.entries(self._features).items()}

    def _target_entries(self) -> dict[str, Any]:
        return {entry: how for head in self._heads for entry, how in head.entries(self._targets).items()}

    def _targets_of(self, parsed: Batch) -> Batch:
        return {name: value for head in self._heads for name, value in head.parsed(parsed, self._targets).items()}
