"""A trained bundle, ready to predict."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from polyhead.contracts.artifact import require_same
from polyhead.contracts.bundle import BUNDLED_CONFIG, BUNDLED_PREPROCESSING, CORE_MODEL, REFERENCE_MODELS, ModelBundle
from polyhead.contracts.preprocessing import Fitted, Preprocessing
from polyhead.examples.parsing import Parser
from polyhead.kinds.graphs import feature_blocks
from polyhead.kinds.protocols.graph import Batch
from polyhead.model import members as _members  # noqa: F401  # Keras finds its layers by their names
from polyhead.model.outputs import predictions
from polyhead.model.transforms import FeatureTransforms
from polyhead.storage.artifact import check_files, checked_file

_TOGETHER = 64


@dataclass(frozen=True)
class Predicted:
    """Predictions of some rows.

    Attributes:
        keys: The rows' keys.
        outputs: As `polyhead.model.outputs.predictions` gives them.
        targets: Raw targets as in `polyhead.examples.parsing.Parser`, ragged ones as lists of lists.
        slices: Raw values of the features that metrics are shown by, empty where missing.
        references: By name of a simple model, as `outputs` for the heads that it has.
    """

    keys: list[str]
    outputs: dict[str, NDArray[Any]]
    targets: dict[str, Any]
    slices: dict[str, list[str]]
    references: dict[str, dict[str, NDArray[Any]]]

    @classmethod
    def of(cls, batches: Sequence[tuple[Any, ...]]) -> Self:
        """One or more batches, as the network's step gives them, end to end."""
        keys, outputs, targets, slices, references = zip(*batches, strict=True)
        return cls(
            _words(keys),
            _arrays(outputs),
            {name: _joined([batch[name] for batch in targets]) for name in targets[0]},
            {name: _words([batch[name] for batch in slices]) for name in slices[0]},
            {name: _arrays([batch[name] for batch in references]) for name in references[0]},
        )


def _arrays(batches: Sequence[Batch]) -> dict[str, NDArray[Any]]:
    return {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}


def _words(batches: Sequence[tf.Tensor]) -> list[str]:
    return [word.decode() for batch in batches for word in batch.numpy()]


def _joined(batches: Sequence[Any]) -> Any:
    if isinstance(batches[0], tf.RaggedTensor):
        return [row for batch in batches for row in batch.to_list()]
    return np.concatenate(batches)


class Predictor:
    """A bundle's network with its transforms, over serialised examples of all that was fitted.

    Args:
        directory: The artifact of `train`.
        slices: Features whose values are given with the predictions. Default: none.
        references: Whether the simple models say what they predict too.

    Attributes:
        bundle: Its contract.
        fitted: What was fitted on the train rows, as the network uses it.

    Raises:
        ArtifactError: The model file, the preprocessing or the configuration is missing or was changed.
    """

    def __init__(self, directory: str | Path, slices: Collection[str] = (), *, references: bool = False) -> None:
        directory = Path(directory)
        self.bundle = ModelBundle.read(directory)
        check_files(directory, self.bundle, (BUNDLED_CONFIG, f"{BUNDLED_PREPROCESSING}/*"))
        bundled = directory / BUNDLED_PREPROCESSING
        held = Preprocessing.read(bundled)
        made_from = self.bundle.made_from["preprocessing"]
        require_same("preprocessing", made_from, held.fingerprint(), maker=str(directory), user=str(bundled))
        self.fitted = Fitted.of(held, self.bundle.config(directory), bundled)
        self._core = self._loaded(directory, CORE_MODEL)
        has_any = references and REFERENCE_MODELS in self.bundle.files
        self._references = self._loaded(directory, REFERENCE_MODELS) if has_any else None
        self._transforms = FeatureTransforms(self.fitted, stored=True)
        self._parse = Parser(self.fitted)
        blocks = feature_blocks(self.fitted)
        self._sliced = {name: block for block in blocks if block.IS_SLICED for name in block.names if name in slices}
        signature = [tf.TensorSpec([None], tf.string)]
        self._step = tf.function(self._predict_batch, input_signature=signature, autograph=False)

    def _loaded(self, directory: Path, name: str) -> keras.Model:
        path = checked_file(directory, self.bundle, name)
        return keras.saving.load_model(path, compile=False, safe_mode=True)

    def predict(self, batches: Iterable[Any]) -> Iterator[Predicted]:
        """Predict batch by batch, and give the predictions of many batches at once.

        Args:
            batches: Serialised examples, string (batch,) as a tensor or list, at least one. What a row gets may depend
                in its last bits on the rows of its batch.
        """
        batches = iter(batches)
        while made := [self._step(tf.convert_to_tensor(batch)) for batch in itertools.islice(batches, _TOGETHER)]:
            yield Predicted.of(made)

    def _predict_batch(self, batch: tf.Tensor) -> tuple[Any, ...]:
        keys, features, targets = self._parse(batch)
        inputs = self._transforms(features)
        logits = self._core(inputs, training=False)
        kept = {name: block.columns(features[block.KIND])[name] for name, block in self._sliced.items()}
        outputs = predictions(self.fitted, logits, self.bundle.corrections, self.bundle.thresholds, self.bundle.radii)
        return keys, outputs, targets, kept, self._referred(inputs)

    def _referred(self, inputs: Batch) -> dict[str, Batch]:
        """What the simple models predict, by their name."""
        if self._references is None:
            return {}
        said = self._references(inputs, training=False)
        logits: dict[str, Batch] = {}
        corrections: dict[str, dict[str, float]] = {}
        thresholds: dict[str, dict[str, list[float]]] = {}
        for head, of in self.bundle.ensemble.items():
            for name, reference in of.references.items():
                logits.setdefault(name, {})[head] = said[f"{head}__{name}"]
                corrections.setdefault(name, {})[head] = reference.correction
                thresholds.setdefault(name, {})[head] = reference.thresholds
        return {
            name: predictions(self.fitted, by_head, corrections[name], thresholds[name], {})
            for name, by_head in logits.items()
        }
