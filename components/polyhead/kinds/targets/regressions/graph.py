"""The head of several numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import keras
import numpy as np
import tensorflow as tf
from keras import ops
from numpy.typing import NDArray

from polyhead.kinds.entries import entry_name
from polyhead.kinds.protocols.graph import Batch, Head, Held
from polyhead.kinds.targets.graph import interval
from polyhead.kinds.targets.regression.config import Loss
from polyhead.kinds.targets.regression.graph import standardised, unstandardised
from polyhead.kinds.targets.regressions.config import RegressionsStatistics, RegressionsTarget


@keras.saving.register_keras_serializable("polyhead")
class EachNumber(keras.losses.Loss):  # type: ignore[misc]  # Keras is untyped
    """A loss of each number by itself, so that each has a weight of its own.

    Args:
        loss: mse: the square of the error; mae: its magnitude; huber: half its square up to 1, then its magnitude less
            one half.
        reduction: As in Keras.
        name: Likewise.

    Input shape:
        True and predicted numbers and sample weights, `(batch, numbers)` each.
    """

    def __init__(self, loss: Loss, reduction: Literal["sum", "none"], name: str = "each_number") -> None:
        super().__init__(name=name, reduction=reduction)
        self.loss = loss

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Losses `(batch, numbers)`."""
        error = ops.abs(y_true - y_pred)
        if self.loss == "mse":
            return ops.square(error)
        if self.loss == "mae":
            return error
        return ops.where(error <= 1, 0.5 * ops.square(error), error - 0.5)

    def get_config(self) -> dict[str, Any]:
        """Arguments for loading."""
        return {**super().get_config(), "loss": self.loss}


class _NumbersTransform(tf.Module):  # type: ignore[misc]  # TensorFlow is untyped
    """Numbers on the table's scale to transformed and standardised ones, each on its own scale."""

    def __init__(self, name: str, statistics: RegressionsStatistics) -> None:
        super().__init__()
        self._name = name
        self._statistics = statistics

    def __call__(self, raw: Batch) -> tuple[tf.Tensor, tf.Tensor]:
        columns = tf.unstack(raw[self._name], axis=1)
        found = [standardised(of, column) for of, column in zip(self._statistics.each, columns, strict=True)]
        return tf.concat([number for number, _ in found], 1), tf.stack([known for _, known in found], 1)


class RegressionsHead(Head[RegressionsTarget, RegressionsStatistics]):
    """An output for each number, standardised."""

    KIND = "regressions"
    LINK = "identity"
    DTYPE = tf.float64

    def entries(self, held: Held) -> dict[str, Any]:
        """The bytes of each target's numbers, empty where it has none."""
        columns = len(held[self.KIND])
        return {entry_name("target", self.KIND): tf.io.FixedLenFeature([columns], tf.string, [""] * columns)}

    def parsed(self, parsed: Batch, held: Held) -> Batch:
        """Float64 (batch, numbers), NaN where missing."""
        content = parsed[entry_name("target", self.KIND)][:, held[self.KIND].index(self.name)]
        missing = np.full(self.units, np.nan, "<f8").tobytes()
        numbers = tf.io.decode_raw(tf.where(tf.equal(content, ""), missing, content), tf.float64)
        return {self.name: tf.ensure_shape(numbers, [None, self.units])}

    @property
    def units(self) -> int:
        """One for each number."""
        return len(self.statistics.each)

    @property
    def weight_per_row(self) -> float:
        """The known numbers of a train row, on average."""
        rows = self.statistics.count + self.statistics.missing
        return sum(each.count for each in self.statistics.each) / rows

    def loss(self, reduction: Literal["sum", "none"]) -> EachNumber:
        """Of each standardised number, (batch, numbers)."""
        return EachNumber(self.target.loss, reduction)

    def prior_logits(self) -> NDArray[np.float32]:
        """The means: 0, without row weights."""
        found = [
            ((of.mean if of.weighted is None else of.weighted.mean) - of.mean) / np.sqrt(of.variance)
            for of in self.statistics.each
        ]
        return np.array(found, np.float32)

    def transform(self) -> _NumbersTransform:
        """From float64 (batch, numbers), NaN where missing; values and weights are float32 (batch, numbers)."""
        return _NumbersTransform(self.name, self.statistics)

    def answers(self, logits: tf.Tensor, correction: float, thresholds: Sequence[float]) -> Batch:
        """The numbers on the table's scale, float64 (batch, numbers)."""
        each = zip(self.statistics.each, tf.unstack(logits, axis=1), strict=True)
        return {self.name: tf.stack([unstandardised(of, number) for of, number in each], 1)}

    def strangeness(self, logits: NDArray[np.float64], values: NDArray[Any]) -> NDArray[np.float64]:
        """The distance of each number on the scale that it is learned on, (rows, numbers)."""
        return np.abs(values.astype(np.float64) - logits)

    def held(self, logits: tf.Tensor, said: Batch, radius: Sequence[float]) -> Batch:
        """The ends of each number's interval on the table's scale, float64 (batch, numbers) each."""
        ends = (
            [
                unstandardised(of, number + sign * by)
                for of, number, by in zip(self.statistics.each, tf.unstack(logits, axis=1), radius, strict=True)
            ]
            for sign in (-1.0, 1.0)
        )
        return interval(self.name, said[self.name], *(tf.stack(end, 1) for end in ends))
