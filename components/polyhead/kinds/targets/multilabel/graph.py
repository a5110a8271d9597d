"""The head of any number of labels at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import keras
import numpy as np
import tensorflow as tf
from keras import ops
from numpy.typing import NDArray

from polyhead.kinds.base import Decide
from polyhead.kinds.entries import entry_name
from polyhead.kinds.protocols.graph import Batch, Head, Held
from polyhead.kinds.targets.graph import HALF, PROBABILITIES, SMALLEST_SHARE, commonest
from polyhead.kinds.targets.losses import FocusedLabels
from polyhead.kinds.targets.multilabel.config import LabelStatistics, MultilabelTarget


@keras.saving.register_keras_serializable("polyhead")
class LabelwiseCrossentropy(keras.losses.Loss):  # type: ignore[misc]  # Keras is untyped
    """Binary cross-entropy of every label by itself, so that weights can be given per row and label.

    Input shape:
        True 0/1 and logits `(batch, labels)`; sample weights `(batch, labels)`.
    """

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Losses `(batch, labels)`."""
        return ops.binary_crossentropy(y_true, y_pred, from_logits=True)


class _LabelTransform(tf.Module):  # type: ignore[misc]  # TensorFlow is untyped
    """Sets of labels to 0 or 1 for each label."""

    def __init__(self, name: str, labels: list[str], positive: list[float], negative: list[float]) -> None:
        super().__init__()
        self._name = name
        self._labels = labels
        self._positive = np.array(positive, np.float32)
        self._negative = np.array(negative, np.float32)

    def __call__(self, raw: Batch) -> tuple[tf.Tensor, tf.Tensor]:
        sets, known = raw[self._name], raw[f"{self._name}/known"]
        present = tf.stack([tf.reduce_any(sets == label, axis=1) for label in self._labels], 1)
        weights = tf.where(present, self._positive, self._negative) * tf.cast(known, tf.float32)[:, None]
        return tf.cast(present, tf.float32), weights


class MultilabelHead(Head[MultilabelTarget, LabelStatistics]):
    """A logit for each label, each by itself."""

    KIND = "multilabel"
    LINK = "logistic"

    def entries(self, held: Held) -> dict[str, Any]:  # each column has entries of its own
        """The labels, and whether the set is known."""
        name = entry_name("target", self.KIND, self.name)
        return {name: tf.io.RaggedFeature(tf.string), f"{name}/known": tf.io.FixedLenFeature([], tf.int64, 0)}

    def parsed(self, parsed: Batch, held: Held) -> Batch:
        """Ragged string (batch, None), and int64 (batch,) under `<name>/known`."""
        name = entry_name("target", self.KIND, self.name)
        return {self.name: parsed[name], f"{self.name}/known": parsed[f"{name}/known"]}

    @property
    def units(self) -> int:
        """One for each label."""
        return len(self.statistics.labels)

    @property
    def weights(self) -> tuple[list[float], list[float]]:
        """The loss weights of each label, of rows that have it and of rows that lack it."""
        return self.statistics.weights(self.target.weighing)

    @property
    def weight_per_row(self) -> float:
        """The sum over labels, its mean over the train rows."""
        statistics = self.statistics
        each = zip(statistics.mass, *self.weights, strict=True)
        total = sum(mass * positive + (statistics.rows - mass) * negative for mass, positive, negative in each)
        return total / (statistics.rows + statistics.missing)

    def loss(self, reduction: Literal["sum", "none"]) -> keras.losses.Loss:
        """Cross-entropy of each label, (batch, labels)."""
        smoothing, focal = self.target.label_smoothing, self.target.focal
        if smoothing or focal:
            return FocusedLabels(smoothing, focal, reduction)
        return self.log_loss(reduction)

    def log_loss(self, reduction: Literal["sum", "none"]) -> keras.losses.Loss:
        """Cross-entropy of each label, (batch, labels)."""
        return LabelwiseCrossentropy(reduction=reduction)

    def prior_logits(self) -> NDArray[np.float32]:
        """The log odds of each label's weighted frequency."""
        mass = np.array(self.statistics.mass)
        positive, negative = map(np.array, self.weights)
        positive, negative = mass * positive, (self.statistics.rows - mass) * negative
        odds = np.maximum(positive, SMALLEST_SHARE) / np.maximum(negative, SMALLEST_SHARE)
        return np.asarray(np.log(odds), np.float32)

    def transform(self) -> _LabelTransform:
        """From ragged string (batch, None), and int64 (batch,) under `<name>/known`; float32 (batch, labels) both."""
        return _LabelTransform(self.name, self.statistics.labels, *self.weights)

    def row_weights(self, values: NDArray[Any], weights: NDArray[Any]) -> NDArray[np.float64]:
        """Without the weights of the labels that a row has, and of those that it lacks."""
        positive, negative = (np.array(of, np.float32) for of in self.weights)
        of_label = np.where(values > 0, positive, negative)
        found: NDArray[np.float64] = np.divide(weights, of_label, out=np.zeros(weights.shape), where=of_label > 0)
        return found

    @property
    def told(self) -> list[int]:
        """The 16 commonest labels."""
        return commonest(self.statistics.counts)

    @property
    def is_calibrated(self) -> bool:
        """Always."""
        return True

    def shift(self) -> NDArray[np.float64]:
        """The logarithm of each label's weights' ratio; 0 for a label that all train rows have, or none."""
        positive, negative = map(np.array, self.weights)
        both = (positive > 0) & (negative > 0)
        return np.log(np.where(both, positive, 1.0)) - np.log(np.where(both, negative, 1.0))

    @property
    def decide(self) -> Decide:
        """The target's."""
        return self.target.decide

    def answers(self, logits: tf.Tensor, correction: float, thresholds: Sequence[float]) -> Batch:
        """0 or 1 for each label, int32 (batch, labels), and float32 (batch, labels)."""
        probabilities = tf.sigmoid(logits)
        chosen = tf.cast(probabilities >= np.array(thresholds or [HALF] * self.units), tf.int32)
        return {self.name: chosen, self.name + PROBABILITIES: tf.cast(probabilities, tf.float32)}
