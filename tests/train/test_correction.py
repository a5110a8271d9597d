"""Predictions that are means: Duan's smearing over the train rows' residuals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from polyhead.contracts.preprocessing import Fitted, Preprocessing
from polyhead.kinds.targets.regression.config import RegressionStatistics, RegressionTarget
from polyhead.model import backend


class Constant:
    """A model that says the same of every row, on the standardised scale."""

    def predict_on_batch(self, inputs: Any) -> dict[str, Any]:
        return {"y": np.full((len(inputs["x"]), 1), 0.25, np.float32)}


@pytest.mark.parametrize("transform", ["none", "log"])
@pytest.mark.parametrize("predict", ["median", "mean"])
def test_corrected_predictions_have_the_train_rows_mean(transform: Any, predict: Any) -> None:
    """Over the rows whose target is known, the mean prediction is the mean target; median changes nothing."""
    backend.load()
    import tensorflow as tf

    from polyhead.model.outputs import predictions
    from polyhead.model.transforms import TargetTransforms
    from polyhead.train.correction import corrections

    true = np.random.default_rng(2).lognormal(3, 0.8, 500)
    scale = np.log(true) if transform == "log" else true
    target = RegressionTarget(kind="regression", transform=transform, predict=predict)
    statistics = RegressionStatistics(
        transform=transform, count=500, missing=20, mean=scale.mean(), variance=scale.var(), median=20.0
    )
    held = Preprocessing(
        features={},
        targets={"y": target},
        rows={},
        feature_statistics={},
        target_statistics={"y": statistics},
        warnings=[],
    )
    fitted = Fitted(held, held.features, held.targets, Path())
    raw = np.concatenate([true, np.full(20, np.nan)])
    values, weights = TargetTransforms(fitted)({"y": tf.constant(raw)})
    rows = tf.data.Dataset.from_tensor_slices(({"x": np.zeros(520)}, values, weights)).batch(64)
    made = corrections(Constant(), fitted, rows, ["y"])
    mean = predictions(fitted, {"y": tf.constant([[0.25]])}, made, {}, {})["y"].numpy()[0]
    if predict == "mean":
        assert mean == pytest.approx(true.mean(), rel=1e-5)
    else:
        assert made == {}
        assert mean != pytest.approx(true.mean(), rel=0.01)
