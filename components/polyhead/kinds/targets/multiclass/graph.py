"""The head of one of several classes."""

from __future__ import annotations

from typing import Any, Literal

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from polyhead.kinds.targets.graph import ClassHead, commonest
from polyhead.kinds.targets.losses import FocusedClasses
from polyhead.kinds.targets.multiclass.config import MulticlassTarget


class MulticlassHead(ClassHead[MulticlassTarget]):
    """A logit for each class."""

    KIND = "multiclass"
    LINK = "softmax"
    AS_COLUMN = False

    @property
    def units(self) -> int:
        """One for each class."""
        return len(self.statistics.classes)

    def loss(self, reduction: Literal["sum", "none"]) -> keras.losses.Loss:
        """Cross-entropy, (batch,)."""
        smoothing, focal = self.target.label_smoothing, self.target.focal
        if smoothing or focal:
            return FocusedClasses(smoothing, focal, reduction)
        return self.log_loss(reduction)

    def log_loss(self, reduction: Literal["sum", "none"]) -> keras.losses.Loss:
        """Cross-entropy, (batch,)."""
        return keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction=reduction)

    def prior_logits(self) -> NDArray[np.float32]:
        """The logarithms of the weighted frequencies."""
        return np.asarray(np.log(self.shares), np.float32)

    @property
    def told(self) -> list[int]:
        """The 16 commonest classes."""
        return commonest(self.statistics.counts)

    def numbers(self, values: NDArray[Any]) -> NDArray[np.float64]:
        """Whether a row has each class, 1 or 0."""
        has: NDArray[np.bool_] = np.equal(values[:, None], np.arange(self.units))
        return has.astype(np.float64)

    def shift(self) -> NDArray[np.float64]:
        """The logarithms of the weights."""
        return self.log_weights

    def probabilities(self, logits: tf.Tensor) -> tf.Tensor:
        """Float64 (batch, classes)."""
        return tf.nn.softmax(logits)
