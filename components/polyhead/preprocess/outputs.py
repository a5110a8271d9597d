"""Logits to predictions: the inverse of the target transforms, for evaluation, prediction and serving alike."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from polyhead.contracts.preprocessing import Preprocessing
from polyhead.kinds.targets.classes import ClassStatistics
from polyhead.kinds.targets.multilabel.config import LabelStatistics

Batch = dict[str, tf.Tensor]

PROBABILITIES = "__probabilities"
_HALF = 0.5
_LARGEST_LOG = 700.0


def predictions(preprocessing: Preprocessing, logits: Batch, corrections: Mapping[str, float]) -> Batch:
    """What the heads say, in the table's terms.

    Args:
        preprocessing: The target statistics.
        logits: Float32 (batch, units) by target name.
        corrections: Of `polyhead.contracts.bundle.ModelBundle`.

    Returns:
        By target: the label, string (batch,), for binary and multiclass; 0 or 1 per label, int32 (batch, labels),
        for multilabel; the number on the table's scale, float64 (batch,), for regression. Beside them
        `<target>__probabilities`, float32 (batch, classes), negative before positive for binary; (batch, labels)
        for multilabel.
    """
    outputs: Batch = {}
    for name, statistics in preprocessing.target_statistics.items():
        values = tf.cast(logits[name], tf.float64)
        if isinstance(statistics, ClassStatistics):
            if statistics.kind == "binary":
                positive = tf.sigmoid(values)
                probabilities = tf.concat([1 - positive, positive], 1)
            else:
                probabilities = tf.nn.softmax(values)
            best = tf.argmax(probabilities, 1)
            outputs[name] = tf.gather(tf.constant(statistics.classes), best)
            outputs[name + PROBABILITIES] = tf.cast(probabilities, tf.float32)
        elif isinstance(statistics, LabelStatistics):
            probabilities = tf.sigmoid(values)
            outputs[name] = tf.cast(probabilities >= _HALF, tf.int32)
            outputs[name + PROBABILITIES] = tf.cast(probabilities, tf.float32)
        else:
            number = values[:, 0] * np.sqrt(statistics.variance) + statistics.mean + corrections.get(name, 0.0)
            if statistics.transform == "log":
                number = tf.exp(tf.minimum(number, _LARGEST_LOG))
            outputs[name] = number
    return outputs
