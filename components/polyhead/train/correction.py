"""From what a head learns to what it is to predict, by residuals."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

import keras
import numpy as np

from polyhead.contracts.preprocessing import Fitted
from polyhead.kinds.graphs import heads


def corrections(
    model: keras.Model, fitted: Fitted, rows: Iterable[tuple[Any, Any, Any]], names: Collection[str]
) -> dict[str, float]:
    """What is to be added to a head's number, on the scale that it learns.

    Args:
        model: The trained network.
        fitted: The targets and their statistics.
        rows: Batches of `(inputs, targets, weights)`, with a known target of each head that is corrected.
        names: The heads to look at.

    Returns:
        By name, for the heads that are corrected: of regression targets those that want `predict: mean`.
    """
    corrected = [head for head in heads(fitted) if head.is_corrected and head.name in names]
    residuals: dict[str, list[np.ndarray]] = {head.name: [] for head in corrected}
    shares: dict[str, list[np.ndarray]] = {head.name: [] for head in corrected}
    for inputs, values, weights in rows if corrected else ():
        logits = model.predict_on_batch(inputs)
        for name, found in residuals.items():
            weight = weights[name].numpy().astype(np.float64)
            known = weight > 0
            found.append((values[name].numpy().astype(np.float64) - logits[name])[known, 0])
            shares[name].append(weight[known])
    return {
        head.name: head.correction(np.concatenate(residuals[head.name]), np.concatenate(shares[head.name]))
        for head in corrected
    }
