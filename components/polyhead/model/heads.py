"""One head per target: how many logits, and which loss."""

from __future__ import annotations

import keras

from polyhead.contracts.preprocessing import ClassStatistics, LabelStatistics, TargetStatistics
from polyhead.contracts.targets import RegressionTarget, Target
from polyhead.model.layers import LabelwiseCrossentropy

_REDUCTION = "mean_with_sample_weight"
"""Weighted losses over the sum of the weights: missing targets do not dilute the head's others."""


def head_units(statistics: TargetStatistics) -> int:
    """Logits of a head: one for binary and regression, one per class or label otherwise."""
    if isinstance(statistics, LabelStatistics):
        return len(statistics.labels)
    if isinstance(statistics, ClassStatistics) and statistics.kind == "multiclass":
        return len(statistics.classes)
    return 1


def head_loss(target: Target) -> keras.losses.Loss:
    """The loss of a head over its logits, or over the standardised number for regression."""
    if isinstance(target, RegressionTarget):
        losses = {
            "huber": keras.losses.Huber,
            "mse": keras.losses.MeanSquaredError,
            "mae": keras.losses.MeanAbsoluteError,
        }
        return losses[target.loss](reduction=_REDUCTION)
    if target.kind == "binary":
        return keras.losses.BinaryCrossentropy(from_logits=True, reduction=_REDUCTION)
    if target.kind == "multiclass":
        return keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction=_REDUCTION)
    return LabelwiseCrossentropy(reduction=_REDUCTION)
