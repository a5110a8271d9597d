"""The head of several quantiles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import keras
import numpy as np
import tensorflow as tf
from keras import ops
from numpy.typing import NDArray

from polyhead.kinds.protocols.graph import Batch
from polyhead.kinds.targets.graph import NumberHead, interval
from polyhead.kinds.targets.quantile.config import QuantileStatistics, QuantileTarget
from polyhead.kinds.targets.regression.graph import standardised, unstandardised

QUANTILES = "__quantiles"
"""Behind a target's name: its quantiles."""


@keras.saving.register_keras_serializable("polyhead")
class Pinball(keras.losses.Loss):  # type: ignore[misc]  # Keras is untyped
    """The mean over levels of what is least for the quantile: the level of the distance above, the rest of it below.

    Args:
        levels: Of the quantiles.
        reduction: As in Keras.
        name: Likewise.

    Input shape:
        The number, repeated, and its quantiles, `(batch, levels)`.
    """

    def __init__(self, levels: Sequence[float], reduction: Literal["sum", "none"], name: str = "pinball") -> None:
        super().__init__(name=name, reduction=reduction)
        self.levels = list(levels)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Losses `(batch,)`."""
        above, levels = y_true - y_pred, np.array(self.levels, np.float32)
        return ops.mean(ops.maximum(levels * above, (levels - 1) * above), axis=-1)

    def get_config(self) -> dict[str, Any]:
        """Arguments for loading."""
        return {**super().get_config(), "levels": self.levels}


class QuantileHead(NumberHead[QuantileTarget, QuantileStatistics]):
    """A quantile for each level, standardised, each learned by itself.

    What is said is sorted, so quantiles never cross. That brings them nearer to the true ones, and never makes the
    pinball loss larger. (V. Chernozhukov, I. Fernández-Val, A. Galichon, Quantile and Probability Curves Without
    Crossing, Econometrica 78, 2010, 1093-1125.) So each logit is that of a quantile regression, which the simple models
    are too, and their average is one of quantiles; increments over the lowest one would be neither.
    """

    KIND = "quantile"
    LINK = "identity"

    @property
    def units(self) -> int:
        """One for each level."""
        return len(self.levels)

    @property
    def levels(self) -> list[float]:
        """Those of the train rows' quantiles."""
        return self.statistics.levels

    @property
    def rows(self) -> tuple[int, int]:
        """Of the statistics."""
        return self.statistics.scale.count, self.statistics.scale.missing

    def loss(self, reduction: Literal["sum", "none"]) -> Pinball:
        """The mean pinball loss on the standardised number, (batch,)."""
        return Pinball(self.levels, reduction)

    def prior_logits(self) -> NDArray[np.float32]:
        """The train rows' quantiles, by row weights."""
        quantiles, _ = standardised(self.statistics.scale, tf.constant(self.statistics.centres, tf.float64))
        return np.asarray(quantiles, np.float32)[:, 0]

    def learned(self, raw: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Standardised, once for each level, float32 (batch, levels)."""
        number, weights = standardised(self.statistics.scale, raw)
        return tf.repeat(number, len(self.levels), 1), weights

    @property
    def told(self) -> list[int]:
        """The number, which is the same for all levels."""
        return [0]

    def answers(self, logits: tf.Tensor, correction: float, thresholds: Sequence[float]) -> Batch:
        """The quantile next to the median, float64 (batch,), and all of them, ascending, float64 (batch, levels)."""
        quantiles = unstandardised(self.statistics.scale, tf.sort(logits, 1))
        return {self.name: quantiles[:, self.statistics.middle], self.name + QUANTILES: quantiles}

    @property
    def confidence(self) -> float | None:
        """What lies between the outermost levels; None of one."""
        return round(self.levels[-1] - self.levels[0], 9) if len(self.levels) > 1 else None

    def strangeness(self, logits: NDArray[np.float64], values: NDArray[Any]) -> NDArray[np.float64]:
        """How far outside of the outermost quantiles, below 0 inside, on the scale that the head learns.

        (Y. Romano, E. Patterson, E. Candès, Conformalized Quantile Regression, NeurIPS 2019.)
        """
        true = values[:, 0].astype(np.float64)
        found: NDArray[np.float64] = np.maximum(logits.min(1) - true, true - logits.max(1))
        return found

    def held(self, logits: tf.Tensor, said: Batch, radius: float) -> Batch:
        """The outermost quantiles, moved apart or together to hold what they should, float64 (batch,) each."""
        low, high = tf.reduce_min(logits, 1) - radius, tf.reduce_max(logits, 1) + radius
        return interval(
            self.name, said[self.name], *(unstandardised(self.statistics.scale, end) for end in (low, high))
        )
