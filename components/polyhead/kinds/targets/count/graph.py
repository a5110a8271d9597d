"""The head of a count."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

import keras
import numpy as np
import tensorflow as tf
from keras import ops
from numpy.typing import NDArray

from polyhead.kinds.protocols.graph import Batch
from polyhead.kinds.targets.count.config import CountStatistics, CountTarget
from polyhead.kinds.targets.count.deviance import ANSCOMBE
from polyhead.kinds.targets.graph import HIGH, LOW, NumberHead

_LARGEST_LOG = 700.0
_LARGEST_SINE = 350.0
_ROUNDING = 1e-5
"""Share by which a bound may miss a whole number that it stands for: the radius is that of a whole number."""


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


@keras.saving.register_keras_serializable("polyhead")
class NegativeBinomialDeviance(keras.losses.Loss):  # type: ignore[misc]
    """That of `polyhead.kinds.targets.count.deviance`.

    Args:
        dispersion: Above 0.
        unit: What counts as 1.
        reduction: As in Keras.
        name: Likewise.

    Input shape:
        Counts and logarithms of their means, `(batch, 1)`.
    """

    def __init__(
        self,
        dispersion: float,
        unit: float,
        reduction: Literal["sum", "none"],
        name: str = "negative_binomial_deviance",
    ) -> None:
        super().__init__(name=name, reduction=reduction)
        self.dispersion, self.unit = dispersion, unit

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Losses `(batch,)`, at least 0 but for rounding."""
        log_dispersion = math.log(self.dispersion)
        of_mean, of_count = y_pred + log_dispersion, ops.log(ops.maximum(y_true, 1.0)) + log_dispersion
        there = ops.cast(y_true > 0, y_pred.dtype)
        short = y_true * (ops.softplus(-of_mean) - ops.softplus(-of_count))
        more = there * ops.softplus(of_count) - ops.softplus(of_mean)
        return ops.mean(2 * (short - more / self.dispersion) / self.unit, axis=-1)

    def get_config(self) -> dict[str, Any]:
        """Arguments for loading."""
        return {**super().get_config(), "dispersion": self.dispersion, "unit": self.unit}


class CountHead(NumberHead[CountTarget, CountStatistics]):
    """The logarithm of the mean of a distribution of counts."""

    KIND = "count"
    LINK = "log"

    @property
    def rows(self) -> tuple[int, int]:
        """Of the statistics."""
        return self.statistics.count, self.statistics.missing

    @property
    def dispersion(self) -> float:
        """What the head learns by: 0 for Poisson's distribution."""
        return self.statistics.dispersion if self.target.distribution == "negative_binomial" else 0.0

    def loss(self, reduction: Literal["sum", "none"]) -> keras.losses.Loss:
        """The deviance, (batch,), in units of the train rows' from their mean, so that heads are alike in size."""
        if self.dispersion:
            return NegativeBinomialDeviance(self.dispersion, self.statistics.dispersed_deviance, reduction)
        return PoissonDeviance(self.statistics.deviance, reduction)

    def prior_logits(self) -> NDArray[np.float32]:
        """The logarithm of the mean, by row weights."""
        return np.array([np.log(self.statistics.centre)], np.float32)

    def learned(self, raw: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """As it is, float32 (batch, 1)."""
        known = tf.math.is_finite(raw)
        return tf.cast(tf.where(known, raw, 0.0), tf.float32)[:, None], tf.cast(known, tf.float32)

    def numbers(self, values: NDArray[Any]) -> NDArray[np.float64]:
        """Counts over their mean."""
        return super().numbers(values) / self.statistics.centre

    def answers(self, logits: tf.Tensor, correction: float, thresholds: Sequence[float]) -> Batch:
        """The mean, float64 (batch,)."""
        return {self.name: tf.exp(tf.minimum(logits[:, 0], _LARGEST_LOG))}

    def strangeness(self, logits: NDArray[np.float64], values: NDArray[Any]) -> NDArray[np.float64]:
        """The distance of count and mean on a scale on which counts of any mean scatter alike.

        That is the root for Poisson's distribution, and with a dispersion the inverse hyperbolic sine of the root of
        dispersion times count, over the root of the dispersion. (F. J. Anscombe, The Transformation of Poisson,
        Binomial and Negative-Binomial Data, Biometrika 35, 1948, 246-254.)
        """
        counts, means = (
            self._even(tf.constant(of, tf.float64)).numpy()
            for of in (values.astype(np.float64), np.exp(np.minimum(logits, _LARGEST_LOG)))
        )
        found: NDArray[np.float64] = np.abs(counts - means)[:, 0]
        return found

    def held(self, logits: tf.Tensor, said: Batch, radius: float) -> Batch:
        """The lowest and the highest whole number, float64 (batch,) each; the one next to the mean without any."""
        middle = self._even(said[self.name])
        least, most = self._back(tf.maximum(middle - radius, 0.0)), self._back(middle + radius)
        low = tf.math.ceil(least - _ROUNDING * (1 + tf.abs(least)))
        high = tf.math.floor(most + _ROUNDING * (1 + most))
        nearest = tf.math.round(said[self.name])
        empty = low > high
        return {
            self.name + LOW: tf.where(empty, nearest, tf.maximum(low, 0.0)),
            self.name + HIGH: tf.where(empty, nearest, high),
        }

    def _even(self, counts: tf.Tensor) -> tf.Tensor:
        """Counts on the scale on which they scatter alike."""
        root = tf.sqrt(counts + ANSCOMBE)
        if not self.dispersion:
            return root
        stretch = math.sqrt(self.dispersion)
        return tf.asinh(stretch * root) / stretch

    def _back(self, evens: tf.Tensor) -> tf.Tensor:
        """The way back."""
        if self.dispersion:
            stretch = math.sqrt(self.dispersion)
            evens = tf.sinh(tf.minimum(stretch * evens, _LARGEST_SINE)) / stretch
        return tf.square(evens) - ANSCOMBE
