"""The serving model: raw row in, predictions out, everything in one graph."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import keras
import tensorflow as tf

from polyhead.contracts.preprocessing import Preprocessing
from polyhead.preprocess.layers import FeatureTransforms
from polyhead.preprocess.outputs import predictions


class _Serving(tf.Module):  # type: ignore[misc]  # TensorFlow is untyped
    """The served function with what it needs: the network's variables and the transforms' tables.

    The network itself stays out of reach of TensorFlow's saving, which would trace its layers as if they trained.
    """

    def __init__(
        self,
        core: keras.Model,
        transforms: FeatureTransforms,
        preprocessing: Preprocessing,
        corrections: Mapping[str, float],
    ) -> None:
        super().__init__()
        self._variables = [variable.value for variable in core.variables]
        self._transforms = transforms

        @tf.function(autograph=False)  # type: ignore[untyped-decorator]
        def serve(**raw: tf.Tensor) -> dict[str, tf.Tensor]:
            return predictions(preprocessing, core(transforms(raw), training=False), corrections)

        self.serve = serve


def export_serving(
    core: keras.Model,
    preprocessing: Preprocessing,
    preprocessing_dir: Path,
    corrections: Mapping[str, float],
    out: Path,
) -> None:
    """Write a SavedModel whose `serving_default` signature takes raw rows.

    Inputs by feature name, all `(batch,)`: string for image (the bytes of a JPEG, PNG, GIF or 24-bit BMP file),
    category and text, float64 for numeric. A missing number is NaN, any other missing value is empty. Outputs as in
    `polyhead.preprocess.outputs.predictions`. The SavedModel needs TensorFlow only, not Polyhead.

    Args:
        core: The trained network.
        preprocessing: The fitted statistics.
        preprocessing_dir: Where their vocabularies lie.
        corrections: Of `polyhead.contracts.bundle.ModelBundle`.
        out: Directory to write.
    """
    transforms = FeatureTransforms(preprocessing, preprocessing_dir, stored=False)
    serving = _Serving(core, transforms, preprocessing, corrections)
    signature = serving.serve.get_concrete_function(**transforms.raw_spec())
    tf.saved_model.save(serving, str(out), signatures={"serving_default": signature})
