"""The head of one of several ordered classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from polyhead.kinds.protocols.graph import Batch
from polyhead.kinds.targets.graph import HALF, SET, ClassHead, ClassTransform
from polyhead.kinds.targets.multilabel.graph import LabelwiseCrossentropy
from polyhead.kinds.targets.ordinal.config import OrdinalTarget


class _StepTransform(ClassTransform):
    """Labels to the steps that their row takes: of step k, whether it is taken, where the row has come that far."""

    def __init__(self, name: str, classes: list[str], weights: list[float]) -> None:
        super().__init__(name, classes, weights, as_column=False)
        self._steps = np.arange(len(classes) - 1, dtype=np.int32)

    def __call__(self, raw: Batch) -> tuple[tf.Tensor, tf.Tensor]:
        number, weights = super().__call__(raw)
        taken = tf.cast(number[:, None] > self._steps, tf.float32)
        return taken, weights[:, None] * tf.cast(number[:, None] >= self._steps, tf.float32)


class OrdinalHead(ClassHead[OrdinalTarget]):
    """A logit for each class but the highest: the log odds of a higher one, given that it is not a lower one.

    Each is learned from the rows that have come that far, and the classes' probabilities are products of them. So they
    are never negative, and a class is never less probable than it and all above it, whatever the logits are. A simple
    model of each step alone is a simple model of the head: the linear one is the continuation-ratio model. (X. Shi, W.
    Cao, S. Raschka, Deep Neural Networks for Rank-Consistent Ordinal Regression Based On Conditional Probabilities,
    Pattern Analysis and Applications 26, 2023, 941-955.)
    """

    KIND = "ordinal"
    LINK = "logistic"
    AS_COLUMN = True

    @property
    def units(self) -> int:
        """One for each class but the highest."""
        return len(self.statistics.classes) - 1

    @property
    def weight_per_row(self) -> float:
        """The sum over steps, its mean over the train rows."""
        mass = self.statistics.mass
        steps = [min(place + 1, self.units) for place in range(len(mass))]
        total = sum(each * weight * taken for each, weight, taken in zip(mass, self.weights, steps, strict=True))
        return total / (sum(self.statistics.counts) + self.statistics.missing)

    def loss(self, reduction: Literal["sum", "none"]) -> LabelwiseCrossentropy:
        """Cross-entropy of each step, (batch, classes - 1); a row's sum is that of its class."""
        return LabelwiseCrossentropy(reduction=reduction)

    def prior_logits(self) -> NDArray[np.float32]:
        """The log odds of each step by the weighted frequencies."""
        shares = self.shares
        above = shares[::-1].cumsum()[::-1][1:]
        return np.asarray(np.log(above / shares[:-1]), np.float32)

    def transform(self) -> _StepTransform:
        """From string (batch,), empty where missing; float32 (batch, classes - 1) both."""
        return _StepTransform(self.name, self.statistics.classes, self.weights)

    def row_weights(self, values: NDArray[Any], weights: NDArray[Any]) -> NDArray[np.float64]:
        """Without the weight of each row's class, which is as many steps above the lowest as the row has taken."""
        of_class = np.array(self.weights, np.float32)[self.number(values).numpy()][:, None]
        found: NDArray[np.float64] = np.divide(weights, of_class, out=np.zeros(weights.shape), where=of_class > 0)
        return found

    @property
    def is_calibrated(self) -> bool:
        """Where classes weigh and come alike: the logits that weights shift are not those of the classes."""
        return self.target.class_weight is None and not self.ratio

    def chosen(self, probabilities: tf.Tensor, thresholds: Sequence[float]) -> tf.Tensor:
        """The number of the median class, int64 (batch,): the lowest that half of the probability does not exceed."""
        del thresholds
        below = tf.cumsum(probabilities, 1)[:, :-1]
        return tf.reduce_sum(tf.cast(below < HALF, tf.int64), 1)

    def number(self, values: Any) -> tf.Tensor:
        """How many steps each row takes."""
        return tf.cast(tf.reduce_sum(values, 1), tf.int32)

    def held(self, logits: tf.Tensor, said: Batch, radius: float) -> Batch:
        """As for classes without an order, and every class between two of the set."""
        near = tf.cast(super().held(logits, said, radius)[self.name + SET], tf.int32)
        return {self.name + SET: (tf.cumsum(near, 1) > 0) & (tf.cumsum(near, 1, reverse=True) > 0)}

    def probabilities(self, logits: tf.Tensor) -> tf.Tensor:
        """Float64 (batch, classes); what the classes' weights have shifted is taken out."""
        reached = tf.exp(tf.cumsum(tf.math.log_sigmoid(logits), 1))
        one = tf.ones_like(logits[:, :1])
        found = tf.concat([one, reached], 1) * tf.concat([tf.sigmoid(-logits), one], 1) / np.exp(self.log_weights)
        return found / tf.reduce_sum(found, 1, keepdims=True)
