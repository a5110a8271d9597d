"""The head of one of two labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from polyhead.kinds.base import Decide
from polyhead.kinds.targets.binary.config import BinaryTarget
from polyhead.kinds.targets.graph import HALF, ClassHead
from polyhead.kinds.targets.losses import FocusedAnswer


class BinaryHead(ClassHead[BinaryTarget]):
    """One logit: the log odds of the positive label. Probabilities have the negative label first."""

    KIND = "binary"
    LINK = "logistic"
    AS_COLUMN = True

    @property
    def units(self) -> int:
        """One."""
        return 1

    def loss(self, reduction: Literal["sum", "none"]) -> keras.losses.Loss:
        """Cross-entropy, (batch,)."""
        smoothing, focal = self.target.label_smoothing, self.target.focal
        if smoothing or focal:
            return FocusedAnswer(smoothing, focal, reduction)
        return self.log_loss(reduction)

    def log_loss(self, reduction: Literal["sum", "none"]) -> keras.losses.Loss:
        """Cross-entropy, (batch,)."""
        return keras.losses.BinaryCrossentropy(from_logits=True, reduction=reduction)

    def prior_logits(self) -> NDArray[np.float32]:
        """The log odds of the weighted frequencies."""
        return np.asarray(np.log(self.shares[1:] / self.shares[:1]), np.float32)

    def shift(self) -> NDArray[np.float64]:
        """The logarithm of the weights' ratio."""
        return self.log_weights[1:] - self.log_weights[:1]

    @property
    def decide(self) -> Decide:
        """The target's."""
        return self.target.decide

    def chosen(self, probabilities: tf.Tensor, thresholds: Sequence[float]) -> tf.Tensor:
        """The positive label from its threshold on."""
        (threshold,) = thresholds or (HALF,)
        return tf.cast(probabilities[:, 1] >= threshold, tf.int64)

    def probabilities(self, logits: tf.Tensor) -> tf.Tensor:
        """Float64 (batch, 2)."""
        positive = tf.sigmoid(logits)
        return tf.concat([1 - positive, positive], 1)
