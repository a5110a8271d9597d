"""From what a regression head learns to the mean on the table's scale."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from polyhead.contracts.preprocessing import Preprocessing
from polyhead.kinds.targets.regression.config import RegressionStatistics, RegressionTarget


def corrections(model: keras.Model, preprocessing: Preprocessing, rows: tf.data.Dataset) -> dict[str, float]:
    """What is to be added to a head's number, on the scale that it learns, so that predictions are means.

    A head that learns logarithms says, turned back, about the median of a skewed target. Duan's smearing estimate of
    the mean multiplies that by the mean of exp(residual) over the train rows; here is its logarithm. Without a
    transform it is the mean residual. (N. Duan, Smearing Estimate: A Nonparametric Retransformation Method, Journal
    of the American Statistical Association 78, 1983, 605-610.)

    Args:
        model: The trained network.
        preprocessing: The targets and their statistics.
        rows: Batches of `(inputs, targets, weights)` of the train rows.

    Returns:
        By name, for the targets that want `predict: mean`.
    """
    residuals: dict[str, list[np.ndarray]] = {
        name: []
        for name, target in preprocessing.targets.items()
        if isinstance(target, RegressionTarget) and target.predict == "mean"
    }
    for inputs, values, weights in rows if residuals else ():
        logits = model.predict_on_batch(inputs)
        for name, found in residuals.items():
            known = weights[name].numpy() > 0
            found.append((values[name].numpy().astype(np.float64) - logits[name])[known, 0])
    made = {}
    for name, found in residuals.items():
        statistics = preprocessing.target_statistics[name]
        assert isinstance(statistics, RegressionStatistics)
        each = np.concatenate(found) * np.sqrt(statistics.variance)
        is_log = statistics.transform == "log"
        made[name] = float(np.logaddexp.reduce(each) - np.log(len(each)) if is_log else each.mean())
    return made
