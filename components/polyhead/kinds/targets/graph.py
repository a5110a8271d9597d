"""What the heads of several kinds share."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from polyhead.kinds.base import TargetBase
from polyhead.kinds.protocols.graph import MOST_TOLD, AStatistics, ATarget, Batch, Head
from polyhead.kinds.strings import lookup_table
from polyhead.kinds.targets.classes import ClassStatistics

PROBABILITIES = "__probabilities"
"""Behind a target's name: its probabilities."""

LOW, HIGH = "__low", "__high"
"""Behind a target's name: the ends of its interval."""

SET = "__set"
"""Behind a target's name: which classes are in its set."""

_ROUNDING = 1e-6
"""What probabilities may differ by that are computed elsewhere, so that a set is the same everywhere."""

HALF = 0.5
"""The threshold of a head that has none of its own."""

SMALLEST_SHARE = 1e-6
"""Below it a class counts as if it had that share of the train rows."""


def commonest(counts: Sequence[int]) -> list[int]:
    """The places of the 16 largest counts, in order."""
    return sorted(np.argsort(-np.array(counts), kind="stable")[:MOST_TOLD].tolist())


def interval(name: str, said: tf.Tensor, low: tf.Tensor, high: tf.Tensor) -> Batch:
    """The ends of an interval of the target `name`, (batch, …) each, moved so far that what is said lies within."""
    return {name + LOW: tf.minimum(low, said), name + HIGH: tf.maximum(high, said)}


class NumberTransform(tf.Module):  # type: ignore[misc]  # TensorFlow is untyped
    """Numbers of the table to what a head learns.

    Args:
        name: The target.
        learned: From float64 (batch,), NaN where missing, to values and weights, (batch, …) and (batch,).
    """

    def __init__(self, name: str, learned: Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]) -> None:
        super().__init__()
        self._name = name
        self._learned = learned

    def __call__(self, raw: Batch) -> tuple[tf.Tensor, tf.Tensor]:
        """Values and weights of numbers under the target's name."""
        return self._learned(raw[self._name])


class NumberHead(Head[ATarget, AStatistics], Generic[ATarget, AStatistics]):
    """A head of one number in each row, of which it says one or more."""

    DTYPE = tf.float64

    @property
    def units(self) -> int:
        """One."""
        return 1

    @property
    @abstractmethod
    def rows(self) -> tuple[int, int]:
        """Train rows with a number, and those without."""

    @property
    def weight_per_row(self) -> float:
        """The share of train rows with a number."""
        known, missing = self.rows
        return known / (known + missing)

    @abstractmethod
    def learned(self, raw: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """What the loss compares and its weight in it, from float64 (batch,), NaN where missing."""

    def transform(self) -> NumberTransform:
        """By `learned`."""
        return NumberTransform(self.name, self.learned)


AClassTarget = TypeVar("AClassTarget", bound=TargetBase)


class ClassTransform(tf.Module):  # type: ignore[misc]  # TensorFlow is untyped
    """Labels to the classes' numbers; a missing or unknown one has weight 0.

    Args:
        name: The target.
        classes: In the order of their numbers.
        weights: Of each in the loss.
        as_column: Whether the numbers are float32 (batch, 1), or int32 (batch,).
    """

    def __init__(self, name: str, classes: list[str], weights: list[float], *, as_column: bool) -> None:
        super().__init__()
        self._name = name
        self._table = lookup_table(zip(classes, range(len(classes)), strict=True), -1)
        self._weights = np.array(weights, np.float32)
        self._as_column = as_column

    def __call__(self, raw: Batch) -> tuple[tf.Tensor, tf.Tensor]:
        """The numbers and the weights of labels, string (batch,) under the target's name."""
        ids = self._table.lookup(raw[self._name])
        number = tf.maximum(ids, 0)
        weights = tf.where(ids >= 0, tf.gather(self._weights, number), 0.0)
        return tf.cast(number, tf.float32)[:, None] if self._as_column else number, weights


class ClassHead(Head[AClassTarget, ClassStatistics], Generic[AClassTarget]):
    """One of two or more classes."""

    AS_COLUMN: ClassVar[bool]
    """Whether the loss compares float32 (batch, 1), or int32 (batch,)."""

    @property
    def weights(self) -> list[float]:
        """The loss weight of each class, times how often its rows come in an epoch.

        So whatever does not draw rows again, such as the simple models and the loss of val rows, weighs them as much.
        """
        weights = self.statistics.weights(self.target.weighing)
        return [weight * often for weight, often in zip(weights, self.repeats.tolist(), strict=True)]

    @property
    def repeats(self) -> NDArray[np.float64]:
        """Once, or as often as gives the class its share of the commonest one's rows."""
        counts = np.array(self.statistics.counts)
        wanted = np.maximum(counts, np.ceil(self.ratio * counts.max()))
        repeats = np.ones(len(counts))
        np.divide(wanted, counts, out=repeats, where=counts > 0)
        return repeats

    @property
    def weight_per_row(self) -> float:
        """The mean over the train rows."""
        statistics = self.statistics
        total = sum(mass * weight for mass, weight in zip(statistics.mass, self.weights, strict=True))
        return total / (sum(statistics.counts) + statistics.missing)

    @property
    def shares(self) -> NDArray[np.float64]:
        """Each class's share of the train rows' weight, float64 (classes,)."""
        mass = np.multiply(self.statistics.mass, self.weights)
        return np.asarray(np.maximum(mass / mass.sum(), SMALLEST_SHARE), np.float64)

    def transform(self) -> ClassTransform:
        """From string (batch,), empty where missing."""
        return ClassTransform(self.name, self.statistics.classes, self.weights, as_column=self.AS_COLUMN)

    def row_weights(self, values: NDArray[Any], weights: NDArray[Any]) -> NDArray[np.float64]:
        """Without the weight of each row's class."""
        of_class = np.array(self.weights, np.float32)[self.number(values).numpy()]
        found: NDArray[np.float64] = np.divide(weights, of_class, out=np.zeros(len(weights)), where=of_class > 0)
        return found

    @property
    def is_calibrated(self) -> bool:
        """Always."""
        return True

    @property
    def log_weights(self) -> NDArray[np.float64]:
        """The logarithm of each class's weight over the mean row's, (classes,); 0 for a class that no train row has."""
        mass, weights = np.array(self.statistics.mass), np.array(self.weights)
        relative = weights / ((mass * weights).sum() / mass.sum())
        return np.log(np.where(np.array(self.statistics.counts) > 0, relative, 1.0))

    def answers(self, logits: tf.Tensor, correction: float, thresholds: Sequence[float]) -> Batch:
        """The label, string (batch,), and float32 (batch, classes)."""
        probabilities = self.probabilities(logits)
        label = tf.gather(tf.constant(self.statistics.classes), self.chosen(probabilities, thresholds))
        return {self.name: label, self.name + PROBABILITIES: tf.cast(probabilities, tf.float32)}

    def chosen(self, probabilities: tf.Tensor, thresholds: Sequence[float]) -> tf.Tensor:
        """The number of the class that is said, int64 (batch,). Default: of the most probable one."""
        del thresholds
        return tf.argmax(probabilities, 1)

    def number(self, values: Any) -> tf.Tensor:
        """The number of each row's class, int32 (rows,), from what the loss compares, an array or a tensor."""
        return tf.cast(tf.reshape(values, [-1]), tf.int32)

    def strangeness(self, logits: NDArray[np.float64], values: NDArray[Any]) -> NDArray[np.float64]:
        """What the true class's probability lacks to 1.

        A set of all classes that lack no more than some number has the fewest classes of all that hold as many true
        ones. (M. Sadinle, J. Lei, L. Wasserman, Least Ambiguous Set-Valued Classifiers With Bounded Error Levels,
        Journal of the American Statistical Association 114, 2019, 223-234.)
        """
        probabilities = self.probabilities(tf.constant(logits)).numpy()
        return np.asarray(1 - probabilities[np.arange(len(values)), self.number(values).numpy()], np.float64)

    def held(self, logits: tf.Tensor, said: Batch, radius: float) -> Batch:
        """Which classes are in the set, bool (batch, classes): the one that is said always is, so it is never empty."""
        near = 1 - self.probabilities(logits) <= radius + _ROUNDING
        return {self.name + SET: near | (said[self.name][:, None] == tf.constant(self.statistics.classes))}

    @abstractmethod
    def probabilities(self, logits: tf.Tensor) -> tf.Tensor:
        """Of each class, from float64 logits."""
