"""What the network is fed: inputs, targets and weights, batch by batch."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from polyhead.contracts.preprocessing import Fitted
from polyhead.contracts.shards import ShardManifest
from polyhead.contracts.sizes import SizedConfig
from polyhead.contracts.splits import Split
from polyhead.examples.epochs import Draws
from polyhead.examples.parsing import Parser
from polyhead.examples.reading import batches_in, records, shuffled_records
from polyhead.kinds.graphs import feature_blocks, heads
from polyhead.kinds.protocols.graph import Batch, along
from polyhead.model.transforms import FeatureTransforms, TargetTransforms
from polyhead.train.mixing import Mixing

_PARALLEL_BATCHES = 2
_AHEAD = 2
_MEMORY_BYTES = 512 * 2**20


class Feed:
    """Batches of `(inputs, targets, weights)` from the shards.

    Class weights and missing targets are lowered to one weight per row and head, since Keras takes no
    `class_weight` for several outputs. For training these are divided by what a batch weighs on average, so that a
    head's loss on a batch is the plain sum over its rows. Rows that training draws again weigh as much less as they
    come more often, so no head's loss changes on average; the head by whose classes they are drawn weighs them, here
    and wherever they come once, as much more.

    Args:
        config: Batch size and seed.
        fitted: What was fitted on the train rows.
        manifest: The shards.
        shards_dir: Where they lie.
        splits: What `training` reads. Default: train.
    """

    def __init__(
        self,
        config: SizedConfig,
        fitted: Fitted,
        manifest: ShardManifest,
        shards_dir: Path,
        splits: Sequence[Split] = ("train",),
    ) -> None:
        self._config = config
        self._fitted = fitted
        self._manifest = manifest
        self._directory = shards_dir
        self._splits = tuple(splits)
        self._parse = Parser(fitted)
        self._features = FeatureTransforms(fitted, stored=True)
        self._targets = TargetTransforms(fitted)
        self._transform = tf.function(self._of_batch, autograph=False)
        self._transform_learned = tf.function(self._of_learned, autograph=False)
        self._resampled = next((head for head in heads(fitted) if head.ratio), None)
        self._shares = {head.name: 1 / (config.train.batch_size * head.weight_per_row) for head in heads(fitted)}

    @property
    def steps(self) -> int:
        """Batches of one epoch."""
        rows = self._draws.rows if self._draws else self._manifest.rows_of(*self._splits)
        return batches_in(rows, self._config.train.batch_size)

    @functools.cached_property
    def _draws(self) -> Draws | None:
        """How often the rows come, by the classes of one head."""
        if self._resampled is None:
            return None
        found = []
        for values, weights in self.targets(*self._splits).as_numpy_iterator():
            classes = self._resampled.number(values[self._resampled.name]).numpy().astype(np.int64)
            known = weights[self._resampled.name].reshape(len(classes), -1).max(1) > 0
            found.append(np.where(known, classes, -1))
        return Draws(np.concatenate(found), self._resampled.repeats)

    def training(self, *, epochs_done: int = 0) -> tf.data.Dataset:
        """The rows of all epochs that are left, in another order each epoch, mixed if the config says so.

        Args:
            epochs_done: Epochs to leave out; what comes after them is as if they had been read.
        """
        train = self._config.train
        examples = shuffled_records(
            self._manifest,
            self._directory,
            *self._splits,
            batch_size=train.batch_size,
            seed=train.seed,
            epochs=train.epochs,
            skip=epochs_done * self.steps,
            draws=self._draws,
        )
        rows = self._transformed(examples, self._shares, learned=True)
        if self._draws:
            rows = rows.map(self._evened, num_parallel_calls=_PARALLEL_BATCHES, deterministic=True)
        if train.mixup or train.cutmix:
            rows = rows.enumerate(epochs_done * self.steps).map(
                Mixing(train, feature_blocks(self._fitted)), num_parallel_calls=_PARALLEL_BATCHES, deterministic=True
            )
        return rows.prefetch(_AHEAD)

    def fixed(self, *splits: Split) -> tf.data.Dataset:
        """The rows of some splits in the shards' order."""
        batch_size = max(self._config.train.batch_size, 128)
        examples = records(self._manifest, self._directory, *splits, batch_size=batch_size)
        return self._transformed(examples, learned="train" in splits).prefetch(_AHEAD)

    def targets(self, *splits: Split) -> tf.data.Dataset:
        """`(targets, weights)` of some splits' rows in the shards' order; features are not looked at."""
        batch_size = max(self._config.train.batch_size, 128)
        examples = records(self._manifest, self._directory, *splits, batch_size=batch_size)
        return examples.map(
            lambda batch: self._targets(self._parse.targets(batch)),
            num_parallel_calls=_PARALLEL_BATCHES,
            deterministic=True,
        )

    def is_small(self, split: Split) -> bool:
        """Whether a split's inputs fit into memory beside the model: half a gibibyte, pictures as pixels."""
        pixels = self._manifest.rows[split] * sum(block.unpacked_bytes for block in feature_blocks(self._fitted))
        return pixels + sum(shard.bytes for shard in self._manifest.of(split)) <= _MEMORY_BYTES

    def _transformed(
        self, examples: tf.data.Dataset, shares: Mapping[str, float] | None = None, *, learned: bool
    ) -> tf.data.Dataset:
        """Parsed and transformed batches, weights times the heads' shares, in one go: each further one costs a row.

        Args:
            examples: Serialised.
            shares: By head.
            learned: Whether models learn from these rows.
        """
        made = self._transform_learned if learned else self._transform

        def transform(batch: tf.Tensor) -> tuple[Batch, Batch, Batch]:
            inputs, values, weights = made(batch)
            if shares is not None:
                weights = {name: weight * shares[name] for name, weight in weights.items()}
            return inputs, values, weights

        return examples.map(transform, num_parallel_calls=_PARALLEL_BATCHES, deterministic=True)

    def _evened(self, inputs: Batch, values: Batch, weights: Batch) -> tuple[Batch, Batch, Batch]:
        """Rows that come more often weigh as much less, relative to the rows of an epoch."""
        assert self._draws is not None
        assert self._resampled is not None
        name = self._resampled.name
        often = tf.gather(tf.constant(self._draws.repeats, tf.float32), self._resampled.number(values[name]))
        known = tf.reduce_any(tf.reshape(weights[name] > 0, [tf.shape(often)[0], -1]), 1)
        often = tf.where(known, often, 1.0)
        share = self._draws.rows / self._manifest.rows_of(*self._splits) / often
        return inputs, values, {head: weight * along(share, weight) for head, weight in weights.items()}

    def _of_batch(self, batch: tf.Tensor) -> tuple[Batch, Batch, Batch]:
        features, targets = self._parse.rows(batch)
        values, weights = self._targets(targets)
        return self._features(features), values, weights

    def _of_learned(self, batch: tf.Tensor) -> tuple[Batch, Batch, Batch]:
        keys, features, targets = self._parse(batch)
        values, weights = self._targets(targets)
        return self._features(features, keys), values, weights
