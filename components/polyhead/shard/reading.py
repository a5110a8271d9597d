"""Shards back into batches, with TensorFlow's own reader and parser."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import tensorflow as tf

from polyhead.contracts.config import Split
from polyhead.contracts.features import Feature
from polyhead.contracts.shards import Shard, ShardManifest
from polyhead.contracts.targets import Target
from polyhead.errors import ArtifactError
from polyhead.storage.artifact import sha256_of

Batch = dict[str, tf.Tensor]

_CACHE_BYTES = 512 * 2**20
_SHUFFLE_BYTES = 1024 * 2**20


def shard_paths(manifest: ShardManifest, directory: Path, split: Split) -> list[str]:
    """The files of one split.

    Raises:
        ArtifactError: A file is missing or is not the one that the manifest names; all of them at once.
    """
    shards = manifest.of(split)
    wrong = [
        shard.path
        for shard in shards
        if not (directory / shard.path).is_file() or sha256_of(directory / shard.path) != shard.sha256
    ]
    if wrong:
        raise ArtifactError(
            f"{', '.join(wrong)}: missing, or changed after the manifest was written",
            where=str(directory),
            hint="run polyhead shard again",
        )
    return [str(directory / shard.path) for shard in shards if shard.rows]


def fits_memory(shards: Sequence[Shard]) -> bool:
    """Whether shards are small enough to be kept in memory: half a gibibyte at most."""
    return sum(shard.bytes for shard in shards) <= _CACHE_BYTES


def records(manifest: ShardManifest, directory: Path, split: Split, *, batch_size: int) -> tf.data.Dataset:
    """Serialised examples of one split in the shards' order, string (batch,)."""
    rows = sum(shard.rows for shard in manifest.of(split))
    return _batched(tf.data.TFRecordDataset(shard_paths(manifest, directory, split)), rows, batch_size)


def shuffled_records(
    manifest: ShardManifest, directory: Path, split: Split, *, batch_size: int, seed: int
) -> tf.data.Dataset:
    """Serialised examples of one split, in another order each time it is read; string (batch,).

    Files that fit half a gibibyte are kept in memory. Rows lie in the shards in hashed order already, so the
    shuffle buffer, a gibibyte at most, decides only how much two epochs differ.
    """
    shards = manifest.of(split)
    size, rows = sum(shard.bytes for shard in shards), sum(shard.rows for shard in shards)
    data = tf.data.TFRecordDataset(shard_paths(manifest, directory, split))
    if fits_memory(shards):
        data = data.cache()
    buffer = max(1, min(rows, rows * _SHUFFLE_BYTES // max(size, 1)))
    return _batched(data.shuffle(buffer, seed=seed, reshuffle_each_iteration=True), rows, batch_size)


def parse(
    examples: tf.Tensor, features: Mapping[str, Feature], targets: Mapping[str, Target]
) -> tuple[tf.Tensor, Batch, Batch]:
    """Parse a batch of serialised examples.

    Args:
        examples: String (batch,).
        features: The features wanted; others are not parsed.
        targets: The targets wanted.

    Returns:
        Keys, string (batch,); raw features and raw targets by name: float32 (batch,) for numeric and regression
        with NaN where missing; ragged string (batch, None) for multilabel, with int64 `<name>/known` (batch,)
        beside it; string (batch,) with empty where missing for every other kind.
    """
    text = tf.io.FixedLenFeature([], tf.string, "")
    number = tf.io.FixedLenFeature([], tf.float32, float("nan"))
    wanted: dict[str, object] = {"key": text}
    for name, feature in features.items():
        wanted[f"feature/{name}"] = number if feature.kind == "numeric" else text
    for name, target in targets.items():
        if target.kind == "multilabel":
            wanted[f"target/{name}"] = tf.io.RaggedFeature(tf.string)
            wanted[f"target/{name}/known"] = tf.io.FixedLenFeature([], tf.int64, 0)
        else:
            wanted[f"target/{name}"] = number if target.kind == "regression" else text
    parsed = tf.io.parse_example(examples, wanted)
    of = {
        group: {name.removeprefix(group): value for name, value in parsed.items() if name.startswith(group)}
        for group in ("feature/", "target/")
    }
    return parsed["key"], of["feature/"], of["target/"]


def batches_of(examples: Sequence[bytes], batch_size: int) -> tf.data.Dataset:
    """Serialised examples that are in memory already, string (batch,)."""
    return _batched(tf.data.Dataset.from_tensor_slices(list(examples)), len(examples), batch_size)


def _batched(data: tf.data.Dataset, rows: int, batch_size: int) -> tf.data.Dataset:
    """Batches of a known number, in a fixed order and with fixed parallelism.

    Autotuning is off because it can stall for seconds when an iterator is dropped.
    """
    data = data.batch(batch_size).apply(tf.data.experimental.assert_cardinality(-(-rows // batch_size)))
    options = tf.data.Options()
    options.deterministic = True
    options.autotune.enabled = False
    return data.with_options(options)
