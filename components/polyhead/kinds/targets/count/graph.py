"""The head of a count."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import keras
import numpy as np
import tensorflow as tf
from keras import ops
from numpy.typing import NDArray

from polyhead.kinds.protocols.graph import Batch, Head
from polyhead.kinds.targets.count.config import CountStatistics, CountTarget
from polyhead.kinds.targets.graph import HIGH, LOW

_LARGEST_LOG = 700.0
_ANSCOMBE = 3 / 8
_ROUNDING = 1e-6


@keras.saving.register_keras_serializable("polyhead")
class PoissonDeviance(keras.losses.Loss):  # type: ignore[misc]  # Keras is untyped
    """The deviance of Poisson's distribution: twice what the log likelihood lacks to that of a perfect prediction.

    Args:
        unit: What counts as 1.
        reduction: As in Keras.
        name: Likewise.

    Input shape:
        Counts and logarithms of their means, `(batch, 1)`.
    """

    def __init__(self, unit: float, reduction: Literal["sum", "none"], name: str = "poisson_deviance") -> None:
        super().__init__(name=name, reduction=reduction)
        self.unit = unit

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Losses `(batch,)`, at least 0."""
        short = ops.log(ops.maximum(y_true, 1.0)) - y_pred  # log(true / mean), without a difference of large numbers
        found = ops.where(y_true > 0, y_true * (short + ops.expm1(-short)), ops.exp(y_pred))
        return ops.mean(2 * found / self.unit, axis=-1)

    def get_config(self) -> dict[str, Any]:
        """Arguments for loading."""
        return {**super().get_config(), "unit": self.unit}


class _CountTransform(tf.Module):  # type: ignore[misc]  # TensorFlow is untyped
    """Counts as they are; a missing one has weight 0."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name

    def __call__(self, raw: Batch) -> tuple[tf.Tensor, tf.Tensor]:
        known = tf.math.is_finite(raw[self._name])
        counts = tf.where(known, raw[self._name], 0.0)
        return tf.cast(counts, tf.float32)[:, None], tf.cast(known, tf.float32)


class CountHead(Head[CountTarget, CountStatistics]):
    """The logarithm of the mean of a Poisson distribution."""

    KIND = "count"
    LINK = "log"
    DTYPE = tf.float64

    @property
    def units(self) -> int:
        """One."""
        return 1

    @property
    def weight_per_row(self) -> float:
        """The share of train rows with a number."""
        return self.statistics.count / (self.statistics.count + self.statistics.missing)

    def loss(self, reduction: Literal["sum", "none"]) -> PoissonDeviance:
        """Poisson deviance, (batch,), in units of the train rows' from their mean, so that heads are alike in size."""
        return PoissonDeviance(self.statistics.deviance, reduction)

    def prior_logits(self) -> NDArray[np.float32]:
        """The logarithm of the mean, by row weights."""
        return np.array([np.log(self.statistics.centre)], np.float32)

    def transform(self) -> _CountTransform:
        """From float64 (batch,), NaN where missing, to float32 (batch, 1)."""
        return _CountTransform(self.name)

    def numbers(self, values: NDArray[Any]) -> NDArray[np.float64]:
        """Counts over their mean."""
        return super().numbers(values) / self.statistics.centre

    def answers(self, logits: tf.Tensor, correction: float, thresholds: Sequence[float]) -> Batch:
        """The mean, float64 (batch,)."""
        return {self.name: tf.exp(tf.minimum(logits[:, 0], _LARGEST_LOG))}

    def strangeness(self, logits: NDArray[np.float64], values: NDArray[Any]) -> NDArray[np.float64]:
        """The distance of count and mean on a scale on which counts of any mean scatter alike.

        (F. J. Anscombe, The Transformation of Poisson, Binomial and Negative-Binomial Data, Biometrika 35, 1948,
        246-254.)
        """
        means = np.exp(np.minimum(logits, _LARGEST_LOG))
        found: NDArray[np.float64] = np.sqrt(values.astype(np.float64) + _ANSCOMBE) - np.sqrt(means + _ANSCOMBE)
        return np.abs(found)[:, 0]

    def held(self, logits: tf.Tensor, said: Batch, radius: float) -> Batch:
        """The lowest and the highest whole number, float64 (batch,) each; the one next to the mean without any."""
        root = tf.sqrt(said[self.name] + _ANSCOMBE)
        low = tf.math.ceil(tf.square(tf.maximum(root - radius, 0.0)) - _ANSCOMBE - _ROUNDING)
        high = tf.math.floor(tf.square(root + radius) - _ANSCOMBE + _ROUNDING)
        nearest = tf.math.round(said[self.name])
        empty = low > high
        return {
            self.name + LOW: tf.where(empty, nearest, tf.maximum(low, 0.0)),
            self.name + HIGH: tf.where(empty, nearest, high),
        }
