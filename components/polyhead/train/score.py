"""The joint score: one number over heads of different kinds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from polyhead.contracts.preprocessing import Fitted
from polyhead.kinds.graphs import heads

Arrays = Mapping[str, NDArray[np.generic]]


class HeadLosses:
    """Each head's loss: the mean over rows, and labels of multilabel, by their weights; gathered batch by batch.

    Args:
        fitted: The targets and their statistics.
    """

    def __init__(self, fitted: Fitted) -> None:
        self._losses = {head.name: head.loss("none") for head in heads(fitted)}
        self._sums = dict.fromkeys(self._losses, 0.0)
        self._weights = dict.fromkeys(self._losses, 0.0)

    def update(self, values: Arrays, weights: Arrays, logits: Arrays) -> None:
        """Take a batch; the arrays are by target name, as `polyhead.model.transforms.TargetTransforms` gives them."""
        for name, loss in self._losses.items():
            losses = keras.ops.convert_to_numpy(loss(values[name], logits[name])).astype(np.float64)
            self._sums[name] += float((losses * weights[name]).sum())
            self._weights[name] += float(weights[name].sum(dtype=np.float64))

    def means(self) -> dict[str, float]:
        """The losses of the heads that have a known target."""
        return {name: self._sums[name] / weight for name, weight in self._weights.items() if weight > 0}


class JointScore:
    """Scores heads' losses on some rows.

    Each head's loss is divided by the loss of predicting the train rows' prior (the weighted class frequencies,
    or the mean) on the same rows with the same weights; the score is the mean of these by loss weight. Lower is
    better; 1.0 is no better than the prior. Heads without a known target in these rows do not count.

    Args:
        fitted: The targets and their statistics.
        targets: Batches of `(values, weights)`, as arrays.

    Attributes:
        baselines: The prior's loss by head.
        heads: The heads that count.
    """

    def __init__(self, fitted: Fitted, targets: Iterable[tuple[Arrays, Arrays]]) -> None:
        priors = {head.name: head.prior_logits() for head in heads(fitted)}
        losses = HeadLosses(fitted)
        for values, weights in targets:
            losses.update(values, weights, {name: np.tile(p, (len(values[name]), 1)) for name, p in priors.items()})
        self.baselines = losses.means()
        self._shares = {name: target.loss_weight for name, target in fitted.targets.items()}
        self.heads = [name for name, loss in self.baselines.items() if loss > 0 and self._shares[name] > 0]

    def __call__(self, losses: Mapping[str, float]) -> float:
        """The score of losses on the same rows."""
        total = sum(self._shares[name] for name in self.heads)
        return sum(self._shares[name] * losses[name] / self.baselines[name] for name in self.heads) / total


class Validation:
    """A network's losses on the val rows.

    Args:
        fitted: The targets and their statistics.
        rows: Batches of `(inputs, targets, weights)`.
        in_memory: Keep the inputs instead of reading and transforming them again every time.

    Attributes:
        rows: The batches.
        score: Scores the losses.
    """

    def __init__(self, fitted: Fitted, rows: tf.data.Dataset, *, in_memory: bool) -> None:
        self._fitted = fitted
        self.rows: Iterable[tuple[Any, Any, Any]] = list(rows) if in_memory else rows
        self._targets = [tf.nest.map_structure(np.asarray, tuple(targets)) for _, *targets in self.rows]
        self.score = JointScore(fitted, self._targets)

    def logits(self, model: keras.Model, rows: int) -> dict[str, NDArray[np.float32]]:
        """A network's logits on the first rows, by head."""
        found: list[Mapping[str, NDArray[np.float32]]] = []
        for inputs, values, _ in self.rows:
            found.append(model.predict_on_batch(inputs))
            rows -= len(next(iter(values.values())))
            if rows <= 0:
                break
        return {name: np.concatenate([batch[name] for batch in found]) for name in found[0]}

    def losses(self, model: keras.Model) -> dict[str, float]:
        """Each head's loss, of those with a known target."""
        losses = HeadLosses(self._fitted)
        for (inputs, *_), (values, weights) in zip(self.rows, self._targets, strict=True):
            losses.update(values, weights, model.predict_on_batch(inputs))
        return losses.means()
