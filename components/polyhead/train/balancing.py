"""How much each head counts in the joint loss, learned with the network.

A head whose loss L stays large has an uncertainty that no network removes. With a learned logarithm s of its variance
the head adds exp(-s) L + s / 2 to the joint loss, which is least where exp(-s) is 1 / (2 L): heads with large losses
count less, and none can be given up for nothing. (A. Kendall, Y. Gal and R. Cipolla, Multi-Task Learning Using
Uncertainty to Weigh Losses for Scene Geometry and Semantics, CVPR 2018; there in two forms, which differ by what a
constant does to s.) `loss_weight` multiplies both terms.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from keras import ops

from polyhead.contracts.preprocessing import Fitted
from polyhead.kinds.graphs import heads


class Balance(keras.layers.Layer):  # type: ignore[misc]  # Keras is untyped
    """The log variances of all heads that count, from 0.

    Args:
        fitted: The targets and their statistics.
    """

    def __init__(self, fitted: Fitted) -> None:
        super().__init__(name="balance")
        self._head_losses = {
            head.name: head.loss("sum") for head in heads(fitted) if fitted.targets[head.name].loss_weight > 0
        }
        self._shares = {name: fitted.targets[name].loss_weight for name in self._head_losses}
        self._log_variances = self.add_weight(
            shape=(len(self._head_losses),), initializer="zeros", name="log_variances"
        )

    def joint(self, values: Mapping[str, Any], logits: Mapping[str, Any], weights: Mapping[str, Any]) -> Any:
        """The joint loss of a batch, a scalar."""
        total = 0.0
        for at, (name, loss) in enumerate(self._head_losses.items()):
            log_variance = self._log_variances[at]
            own = ops.exp(-log_variance) * loss(values[name], logits[name], weights[name]) + log_variance / 2
            total += self._shares[name] * own
        return total

    def log_variances(self) -> dict[str, float]:
        """By head."""
        found = np.asarray(ops.convert_to_numpy(self._log_variances), np.float64)
        return dict(zip(self._head_losses, found.tolist(), strict=True))


class BalancedModel(keras.Model):  # type: ignore[misc]
    """A network over the same layers whose heads are balanced while it learns.

    Args:
        network: From the inputs to logits by head.
        balance: What is learned beside it.
    """

    def __init__(self, network: keras.Model, balance: Balance) -> None:
        super().__init__(network.input, network.output, name=network.name)
        self.balance = balance

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        """Keras' hook."""
        del x, training
        return self.balance.joint(y, y_pred, sample_weight)
