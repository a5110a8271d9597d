"""Serialised examples back into raw features and targets, as TensorFlow operations."""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping

import tensorflow as tf

from polyhead.kinds.union import Feature, Target

Batch = dict[str, tf.Tensor]

_NO_NUMBER = struct.pack("<d", math.nan)


def parse(
    examples: tf.Tensor, features: Mapping[str, Feature], targets: Mapping[str, Target]
) -> tuple[tf.Tensor, Batch, Batch]:
    """Parse a batch of serialised examples.

    Args:
        examples: String (batch,).
        features: The features wanted; others are not parsed.
        targets: The targets wanted.

    Returns:
        Keys, string (batch,); raw features and raw targets by name: float64 (batch,) for numeric and regression
        with NaN where missing; ragged string (batch, None) for multilabel, with int64 `<name>/known` (batch,)
        beside it; string (batch,) with empty where missing for every other kind.
    """
    text = tf.io.FixedLenFeature([], tf.string, "")
    number = tf.io.FixedLenFeature([], tf.string, _NO_NUMBER)
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
    for name, kind in wanted.items():
        if kind is number:
            parsed[name] = tf.io.decode_raw(parsed[name], tf.float64)[:, 0]
    of = {
        group: {name.removeprefix(group): value for name, value in parsed.items() if name.startswith(group)}
        for group in ("feature/", "target/")
    }
    return parsed["key"], of["feature/"], of["target/"]
