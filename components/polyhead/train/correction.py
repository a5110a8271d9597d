"""From what a head learns to what it is to predict, by the train rows' residuals."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from polyhead.contracts.preprocessing import Fitted
from polyhead.kinds.graphs import heads


def corrections(model: keras.Model, fitted: Fitted, rows: tf.data.Dataset) -> dict[str, float]:
    """What is to be added to a head's number, on the scale that it learns.

    Args:
        model: The trained network.
        fitted: The targets and their statistics.
        rows: Batches of `(inputs, targets, weights)` of the train rows.

    Returns:
        By name, for the heads that are corrected: of regression targets those that want `predict: mean`.
    """
    corrected = [head for head in heads(fitted) if head.is_corrected]
    residuals: dict[str, list[np.ndarray]] = {head.name: [] for head in corrected}
    for inputs, values, weights in rows if corrected else ():
        logits = model.predict_on_batch(inputs)
        for name, found in residuals.items():
            known = weights[name].numpy() > 0
            found.append((values[name].numpy().astype(np.float64) - logits[name])[known, 0])
    return {head.name: head.correction(np.concatenate(residuals[head.name])) for head in corrected}
