"""The head of a number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from polyhead.kinds.protocols.graph import Batch
from polyhead.kinds.targets.graph import NumberHead, interval
from polyhead.kinds.targets.regression.config import RegressionStatistics, RegressionTarget
from polyhead.kinds.targets.regression.scale import SMALLEST

_LOSSES = {
    "huber": keras.losses.Huber,
    "mse": keras.losses.MeanSquaredError,
    "mae": keras.losses.MeanAbsoluteError,
}
_LARGEST_LOG = 700.0
_FORWARD = {
    "log": lambda numbers: tf.math.log(tf.maximum(numbers, SMALLEST)),
    "log1p": tf.math.log1p,
    "sqrt": tf.sqrt,
}
_BACK = {
    "log": lambda learned: tf.exp(tf.minimum(learned, _LARGEST_LOG)),
    "log1p": lambda learned: tf.math.expm1(tf.minimum(learned, _LARGEST_LOG)),
    "sqrt": lambda learned: tf.square(tf.maximum(learned, 0.0)),
}


def standardised(statistics: RegressionStatistics, raw: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Float64 (batch,), NaN where missing, to float32 (batch, 1) and weights, float32 (batch,)."""
    known = tf.math.is_finite(raw)
    filled = tf.where(known, raw, tf.constant(statistics.median, tf.float64))
    scaled = (_learned(statistics, filled) - statistics.mean) / np.sqrt(statistics.variance)
    return tf.cast(scaled, tf.float32)[:, None], tf.cast(known, tf.float32)


def unstandardised(statistics: RegressionStatistics, scaled: tf.Tensor, correction: float = 0.0) -> tf.Tensor:
    """Float64 numbers as the head learns them back on the table's scale, in the same shape.

    Args:
        statistics: Of the train rows.
        scaled: As `standardised` gives them.
        correction: What is added before the transform is undone.
    """
    return _turned_back(statistics, scaled * np.sqrt(statistics.variance) + statistics.mean + correction)


def _learned(statistics: RegressionStatistics, numbers: tf.Tensor) -> tf.Tensor:
    """Float64 numbers on the table's scale to the scale that is learned."""
    if statistics.knots is not None:
        return _between(numbers, statistics.knots.numbers, statistics.knots.scores)
    return _FORWARD.get(statistics.transform, tf.identity)(numbers)


def _turned_back(statistics: RegressionStatistics, learned: tf.Tensor) -> tf.Tensor:
    """The way back; where a transform has no number for what is said, the nearest that it has."""
    if statistics.knots is not None:
        return _between(learned, statistics.knots.scores, statistics.knots.numbers)
    return _BACK.get(statistics.transform, tf.identity)(learned)


def _between(values: tf.Tensor, places: Sequence[float], heights: Sequence[float]) -> tf.Tensor:
    """The line through points, level beyond the first and the last; float64 (batch,)."""
    x, y = (tf.constant(of, tf.float64) for of in (places, heights))
    at = tf.clip_by_value(tf.searchsorted(x, values, side="right") - 1, 0, len(places) - 2)
    low, high = tf.gather(x, at), tf.gather(x, at + 1)
    share = tf.clip_by_value((values - low) / (high - low), 0.0, 1.0)
    return (1 - share) * tf.gather(y, at) + share * tf.gather(y, at + 1)


class RegressionHead(NumberHead[RegressionTarget, RegressionStatistics]):
    """One number, standardised."""

    KIND = "regression"
    LINK = "identity"

    @property
    def rows(self) -> tuple[int, int]:
        """Of the statistics."""
        return self.statistics.count, self.statistics.missing

    def loss(self, reduction: Literal["sum", "none"]) -> keras.losses.Loss:
        """On the standardised number, (batch,)."""
        return _LOSSES[self.target.loss](reduction=reduction)

    def prior_logits(self) -> NDArray[np.float32]:
        """The mean: 0, without row weights."""
        statistics = self.statistics
        centre = statistics.mean if statistics.weighted is None else statistics.weighted.mean
        return np.array([(centre - statistics.mean) / np.sqrt(statistics.variance)], np.float32)

    def learned(self, raw: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Standardised, float32 (batch, 1)."""
        return standardised(self.statistics, raw)

    def answers(self, logits: tf.Tensor, correction: float, thresholds: Sequence[float]) -> Batch:
        """The number on the table's scale, float64 (batch,)."""
        return {self.name: unstandardised(self.statistics, logits[:, 0], correction)}

    @property
    def is_corrected(self) -> bool:
        """Where predictions are to be means."""
        return self.target.predict == "mean"

    def correction(self, residuals: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
        """What makes predictions means, by the rows' weights.

        A head that learns logarithms, of a number or of 1 and a number, says, turned back, about the median of a skewed
        target. Duan's smearing estimate of the mean multiplies that by the mean of exp(residual) over the train rows;
        here is its logarithm. Without a transform it is the mean residual. (N. Duan, Smearing Estimate: A Nonparametric
        Retransformation Method, Journal of the American Statistical Association 78, 1983, 605-610.)
        """
        each = residuals * np.sqrt(self.statistics.variance)
        if self.statistics.transform in ("log", "log1p"):
            return float(np.logaddexp.reduce(each + np.log(weights)) - np.log(weights.sum()))
        return float(np.average(each, weights=weights))

    def strangeness(self, logits: NDArray[np.float64], values: NDArray[Any]) -> NDArray[np.float64]:
        """The distance on the scale that the head learns, in standard deviations, so that of logarithms is a ratio."""
        return np.abs(values.astype(np.float64) - logits)[:, 0]

    def held(self, logits: tf.Tensor, said: Batch, radius: float) -> Batch:
        """The ends of the interval on the table's scale, float64 (batch,) each; `predict: mean` does not move them."""
        ends = (unstandardised(self.statistics, logits[:, 0] + by) for by in (-radius, radius))
        return interval(self.name, said[self.name], *ends)
