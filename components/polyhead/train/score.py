"""The joint validation score: one number over heads of different kinds."""

from __future__ import annotations

from collections.abc import Mapping

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from polyhead.contracts.preprocessing import ClassStatistics, LabelStatistics, Preprocessing, TargetStatistics
from polyhead.model.heads import head_loss

_SMALLEST_SHARE = 1e-6


class JointScore:
    """Scores a network on a fixed set of rows.

    Each head's loss is divided by the loss of predicting the train rows' prior (the weighted class frequencies,
    or the mean) on the same rows with the same weights; the score is the mean of these by loss weight. 1 is a
    model that knows nothing, lower is better. Heads without a known target in these rows stay out.

    Args:
        preprocessing: Statistics of the train rows.
        rows: Batches of `(inputs, targets, weights)`.
        in_memory: Keep the inputs instead of reading and transforming them again for every score.
    """

    def __init__(self, preprocessing: Preprocessing, rows: tf.data.Dataset, *, in_memory: bool) -> None:
        inputs = rows.map(lambda inputs, _, __: inputs)
        self._inputs = list(inputs) if in_memory else inputs
        self._losses = {name: head_loss(target) for name, target in preprocessing.targets.items()}
        self._shares = {name: target.loss_weight for name, target in preprocessing.targets.items()}
        batches = list(rows.map(lambda _, values, weights: (values, weights)).as_numpy_iterator())
        self._values = {name: np.concatenate([batch[0][name] for batch in batches]) for name in self._losses}
        self._weights = {name: np.concatenate([batch[1][name] for batch in batches]) for name in self._losses}
        self._known = [name for name in self._losses if self._weights[name].sum() > 0]
        priors = {name: prior_logits(preprocessing.target_statistics[name]) for name in self._known}
        self.baselines = self._losses_of(
            {name: np.tile(prior, (len(self._values[name]), 1)) for name, prior in priors.items()}
        )

    def __call__(self, model: keras.Model) -> tuple[float, dict[str, float]]:
        """The score, and each head's own loss."""
        batches = [model.predict_on_batch(batch) for batch in self._inputs]
        losses = self._losses_of({name: np.concatenate([batch[name] for batch in batches]) for name in self._known})
        scored = {name: losses[name] / self.baselines[name] for name in losses if self.baselines[name] > 0}
        total = sum(self._shares[name] for name in scored)
        if total == 0:
            return float("nan"), losses
        return sum(self._shares[name] * ratio for name, ratio in scored.items()) / total, losses

    def _losses_of(self, logits: Mapping[str, np.ndarray]) -> dict[str, float]:
        return {
            name: float(self._losses[name](self._values[name], logits[name], self._weights[name])) for name in logits
        }


def prior_logits(statistics: TargetStatistics) -> NDArray[np.float32]:
    """The logits that predict the train rows' weighted frequencies, float32 (units,); 0 for regression's mean."""
    if isinstance(statistics, ClassStatistics):
        mass = np.multiply(statistics.counts, statistics.weights)
        shares = np.maximum(mass / mass.sum(), _SMALLEST_SHARE)
        if statistics.kind == "binary":
            return np.asarray(np.log(shares[1:] / shares[:1]), np.float32)
        return np.asarray(np.log(shares), np.float32)
    if isinstance(statistics, LabelStatistics):
        counts = np.array(statistics.counts, np.float64)
        positive = counts * statistics.positive_weights
        negative = (statistics.rows - counts) * statistics.negative_weights
        odds = np.maximum(positive, _SMALLEST_SHARE) / np.maximum(negative, _SMALLEST_SHARE)
        return np.asarray(np.log(odds), np.float32)
    return np.zeros(1, np.float32)
