"""Logits to predictions: the inverse of the target transforms, for evaluation, prediction and serving alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import tensorflow as tf

from polyhead.contracts.preprocessing import Fitted
from polyhead.kinds.graphs import heads
from polyhead.kinds.protocols.graph import Batch


def predictions(
    fitted: Fitted,
    logits: Batch,
    corrections: Mapping[str, float],
    thresholds: Mapping[str, Sequence[float]],
    radii: Mapping[str, float | Sequence[float]],
) -> Batch:
    """What the heads say, in the table's terms.

    Args:
        fitted: The targets and their statistics.
        logits: Float32 (batch, units) by target name; heads without logits say nothing.
        corrections: Of `polyhead.contracts.bundle.ModelBundle`.
        thresholds: Likewise.
        radii: Likewise; a head without one has neither an interval nor a set.

    Returns:
        By target: the label, string (batch,), for binary, multiclass and ordinal; 0 or 1 per label, int32
        (batch, labels), for multilabel; the number on the table's scale, float64 (batch,), for regression, count and
        quantile. Beside them `<target>__probabilities`, float32 (batch, classes), negative before positive for binary;
        (batch, labels) for multilabel; and `<target>__quantiles`, float64 (batch, levels). What the true value lies in
        as often as `confidence` asks: of a number `<target>__low` and `<target>__high`, float64 (batch,), of several
        (batch, numbers); of classes `<target>__set`, bool (batch, classes), which has one class at least.
    """
    outputs: Batch = {}
    for head in heads(fitted):
        name = head.name
        if name in logits:
            said = tf.cast(logits[name], tf.float64)
            answers = head.answers(said, corrections.get(name, 0.0), thresholds.get(name, ()))
            outputs |= answers
            if name in radii:
                outputs |= head.held(said, answers, radii[name])
    return outputs
