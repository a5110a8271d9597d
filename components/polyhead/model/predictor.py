"""A trained bundle, ready to predict."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from polyhead.contracts.artifact import require_same
from polyhead.contracts.bundle import BUNDLED_CONFIG, BUNDLED_PREPROCESSING, CORE_MODEL, ModelBundle
from polyhead.contracts.preprocessing import Fitted, Preprocessing
from polyhead.examples.parsing import Parser
from polyhead.kinds.graphs import feature_blocks
from polyhead.model.outputs import predictions
from polyhead.model.transforms import FeatureTransforms
from polyhead.storage.artifact import check_files, checked_file


@dataclass(frozen=True)
class Predicted:
    """One batch of predictions.

    Attributes:
        keys: The rows' keys.
        outputs: As `polyhead.model.outputs.predictions` gives them.
        targets: Raw targets as in `polyhead.examples.parsing.Parser`, ragged ones as lists of lists.
        categories: Raw values of the category features, empty where missing.
    """

    keys: list[str]
    outputs: dict[str, NDArray[Any]]
    targets: dict[str, Any]
    categories: dict[str, list[str]]


class Predictor:
    """A bundle's network with its transforms, over serialised examples of all that was fitted.

    Args:
        directory: The artifact of `train`.

    Attributes:
        bundle: Its contract.
        fitted: What was fitted on the train rows, as the network uses it.

    Raises:
        ArtifactError: The model file, the preprocessing or the configuration is missing or was changed.
    """

    def __init__(self, directory: str | Path) -> None:
        directory = Path(directory)
        self.bundle = ModelBundle.read(directory)
        check_files(directory, self.bundle, (BUNDLED_CONFIG, f"{BUNDLED_PREPROCESSING}/*"))
        bundled = directory / BUNDLED_PREPROCESSING
        held = Preprocessing.read(bundled)
        made_from = self.bundle.made_from["preprocessing"]
        require_same("preprocessing", made_from, held.fingerprint(), maker=str(directory), user=str(bundled))
        self.fitted = Fitted.of(held, self.bundle.config(directory), bundled)
        self._core = keras.saving.load_model(
            checked_file(directory, self.bundle, CORE_MODEL),
            compile=False,
            safe_mode=True,
        )
        self._transforms = FeatureTransforms(self.fitted, stored=True)
        self._parse = Parser(self.fitted)
        self._sliced = [block for block in feature_blocks(self.fitted) if block.IS_SLICED]
        self._step = tf.function(self._predict_batch, autograph=False, reduce_retracing=True)

    def predict(self, examples: tf.data.Dataset) -> Iterator[Predicted]:
        """Predict batch by batch.

        Args:
            examples: Batches of serialised examples, string (batch,).
        """
        for batch in examples:
            keys, outputs, targets, categories = self._step(batch)
            yield Predicted(
                [key.decode() for key in keys.numpy()],
                {name: np.asarray(value) for name, value in outputs.items()},
                {
                    name: value.to_list() if isinstance(value, tf.RaggedTensor) else value.numpy()
                    for name, value in targets.items()
                },
                {name: [value.decode() for value in values.numpy()] for name, values in categories.items()},
            )

    def _predict_batch(self, batch: tf.Tensor) -> tuple[Any, ...]:
        keys, features, targets = self._parse(batch)
        logits = self._core(self._transforms(features), training=False)
        kept = {name: column for block in self._sliced for name, column in block.columns(features[block.KIND]).items()}
        return keys, predictions(self.fitted, logits, self.bundle.corrections), targets, kept
