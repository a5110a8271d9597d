"""The fitted statistics as graph operations: what turns a batch of raw rows into what the model sees.

This is the only form of every transform. Training and evaluation map it over the shards, serving carries it in
its graph. A missing number is NaN and any other missing value is empty.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from polyhead.contracts.preprocessing import Fitted
from polyhead.kinds.entries import raw_weight
from polyhead.kinds.graphs import feature_blocks, heads
from polyhead.kinds.protocols.graph import Batch, along


class FeatureTransforms(tf.Module):  # type: ignore[misc]  # TensorFlow is untyped
    """All features of a row: raw values to the core model's inputs.

    Args:
        fitted: What was fitted on the train rows.
        stored: True for values of shards, False for those of raw rows: pictures are the bytes of files then, and words
            are spelled as their writers like.
    """

    def __init__(self, fitted: Fitted, *, stored: bool) -> None:
        super().__init__()
        self._blocks = feature_blocks(fitted)
        self._transforms = [block.transform(fitted.directory, stored=stored) for block in self._blocks]
        self._names = list(fitted.features)

    def raw_spec(self) -> dict[str, tf.TensorSpec]:
        """What a raw batch looks like, by feature."""
        specs = {name: block.raw_spec(name) for block in self._blocks for name in block.names}
        return {name: specs[name] for name in self._names}

    def joined(self, raw: Batch) -> dict[str, Any]:
        """A raw batch by feature name as blocks by kind."""
        return {block.KIND: block.joined(raw) for block in self._blocks}

    def failed(self, blocks: Mapping[str, Any], inputs: Batch) -> Batch:
        """Which values cannot be read, as `<feature>__failed`, bool (batch,).

        Args:
            blocks: Raw blocks by kind, not of shards.
            inputs: What was made of them.
        """
        return {
            f"{name}__failed": values
            for block in self._blocks
            for name, values in block.failed(blocks[block.KIND], inputs).items()
        }

    def __call__(self, blocks: Mapping[str, Any], keys: tf.Tensor | None = None) -> Batch:
        """Raw blocks by kind to the inputs of the network that `polyhead.model.build.build_core` makes.

        Args:
            blocks: As `polyhead.examples.parsing.Parser` gives them.
            keys: Of train rows, which the network learns from: no row sees what its own targets have told. Default:
                the rows are others.
        """
        inputs: Batch = {}
        for block, transform in zip(self._blocks, self._transforms, strict=True):
            raw = blocks[block.KIND]
            inputs |= transform(raw) if keys is None or not block.averaged else transform(raw, keys)
        return inputs


class TargetTransforms(tf.Module):  # type: ignore[misc]
    """All targets of a row: raw labels to what the losses compare, and each row's weight in each head's loss.

    A missing target has weight 0 in its own head and touches no other. A head's row weights multiply its weights, as
    shares of their mean over the train rows.

    Args:
        fitted: What was fitted on the train rows.
    """

    def __init__(self, fitted: Fitted) -> None:
        super().__init__()
        self._transforms = {head.name: head.transform() for head in heads(fitted)}
        self._mean_weights = {name: mean for name, mean in fitted.held.mean_weights.items() if name in fitted.targets}

    def __call__(self, raw: Batch) -> tuple[Batch, Batch]:
        """Raw targets to values and weights.

        Returns:
            Values: float32 (batch, 1) for binary and regression (standardised, transformed), int32 (batch,) for
            multiclass, float32 (batch, labels) for multilabel. Weights: float32 (batch,), (batch, labels) for
            multilabel.
        """
        values: Batch = {}
        weights: Batch = {}
        for name, transform in self._transforms.items():
            values[name], weights[name] = transform(raw)
            if name in self._mean_weights:
                rows = tf.cast(raw[raw_weight(name)] / self._mean_weights[name], tf.float32)
                weights[name] *= along(rows, weights[name])
        return values, weights
