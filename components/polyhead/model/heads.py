"""One head per target: how many logits, and which loss."""

from __future__ import annotations

from typing import Literal

import keras

from polyhead.kinds.targets.classes import ClassStatistics
from polyhead.kinds.targets.multilabel.config import LabelStatistics
from polyhead.kinds.targets.regression.config import RegressionTarget
from polyhead.kinds.union import Target, TargetStatistics
from polyhead.model.layers import LabelwiseCrossentropy


def head_units(statistics: TargetStatistics) -> int:
    """Logits of a head: one for binary and regression, one per class or label otherwise."""
    if isinstance(statistics, LabelStatistics):
        return len(statistics.labels)
    if isinstance(statistics, ClassStatistics) and statistics.kind == "multiclass":
        return len(statistics.classes)
    return 1


def weight_per_row(target: Target, statistics: TargetStatistics) -> float:
    """The weight of all known targets in a head's loss over the number of train rows, known or not.

    A head's loss is the mean over all train rows by these weights, over rows and labels for multilabel. A batch of n
    rows counts for its weighted losses over n times this number, whatever weights happen to be in it. So what a batch
    adds to the gradient is, on average, the gradient of that loss at any batch size. Divided by its own weights, a
    batch without a rare class would count as much as one with it.
    """
    if isinstance(statistics, ClassStatistics):
        weights = statistics.weights(target.weighing)
        total = sum(count * weight for count, weight in zip(statistics.counts, weights, strict=True))
        return total / (sum(statistics.counts) + statistics.missing)
    if isinstance(statistics, LabelStatistics):
        each = zip(statistics.counts, *statistics.weights(target.weighing), strict=True)
        total = sum(count * positive + (statistics.rows - count) * negative for count, positive, negative in each)
        return total / (statistics.rows + statistics.missing)
    return statistics.count / (statistics.count + statistics.missing)


def head_loss(target: Target, reduction: Literal["sum", "none"]) -> keras.losses.Loss:
    """The loss of a head over its logits, or over the standardised number for regression.

    Args:
        target: Its kind and settings.
        reduction: sum: of all rows, each times its weight. none: of each row, `(batch,)`; `(batch, labels)` for
            multilabel.
    """
    if isinstance(target, RegressionTarget):
        losses = {
            "huber": keras.losses.Huber,
            "mse": keras.losses.MeanSquaredError,
            "mae": keras.losses.MeanAbsoluteError,
        }
        return losses[target.loss](reduction=reduction)
    if target.kind == "binary":
        return keras.losses.BinaryCrossentropy(from_logits=True, reduction=reduction)
    if target.kind == "multiclass":
        return keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction=reduction)
    return LabelwiseCrossentropy(reduction=reduction)
