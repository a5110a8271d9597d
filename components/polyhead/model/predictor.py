"""A trained bundle, ready to predict."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from polyhead.contracts.artifact import or_its_writer
from polyhead.contracts.bundle import BUNDLED_CONFIG, BUNDLED_PREPROCESSING, CORE_MODEL, REFERENCE_MODELS, ModelBundle
from polyhead.contracts.evaluation import Hiding
from polyhead.contracts.preprocessing import Fitted, Preprocessing
from polyhead.errors import ArtifactError
from polyhead.examples.parsing import Parser
from polyhead.kinds.entries import KEY_ENTRY
from polyhead.kinds.graphs import feature_blocks, heads
from polyhead.kinds.protocols.graph import Batch
from polyhead.model import members as _members  # noqa: F401  # Keras finds its layers by their names
from polyhead.model.covering import Moved, moved
from polyhead.model.cutting import CutModel
from polyhead.model.embedding import Embedding
from polyhead.model.encoding import kept_pictures
from polyhead.model.outputs import predictions
from polyhead.model.transforms import FeatureTransforms
from polyhead.storage.artifact import check_files, checked_file

_TOGETHER = 64
_EXAMPLES = [tf.TensorSpec([None], tf.string)]
_NO_KEY = tf.train.Feature(bytes_list=tf.train.BytesList(value=[b""]))


@dataclass(frozen=True)
class Predicted:
    """Predictions of some rows.

    Attributes:
        keys: The rows' keys.
        outputs: As `polyhead.model.outputs.predictions` gives them.
        targets: Raw targets as in `polyhead.examples.parsing.Parser`, ragged ones as lists of lists.
        slices: Of the features that metrics are shown by: raw values, empty or NaN where missing, lists where a row has
            several; of kinds whose values mean nothing to metrics, whether the value is missing, bool.
        references: By name of a simple model, as `outputs` for the heads that it has.
    """

    keys: list[str]
    outputs: dict[str, NDArray[Any]]
    targets: dict[str, Any]
    slices: dict[str, Any]
    references: dict[str, dict[str, NDArray[Any]]]

    @classmethod
    def of(cls, batches: Sequence[tuple[Any, ...]]) -> Self:
        """One or more batches, as the network's step gives them, end to end."""
        keys, outputs, targets, slices, references = zip(*batches, strict=True)
        return cls(
            _words(keys),
            _arrays(outputs),
            {name: _joined([batch[name] for batch in targets]) for name in targets[0]},
            {name: _cells([batch[name] for batch in slices]) for name in slices[0]},
            {name: _arrays([batch[name] for batch in references]) for name in references[0]},
        )


def _arrays(batches: Sequence[Batch]) -> dict[str, NDArray[Any]]:
    return {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}


def _words(batches: Sequence[tf.Tensor]) -> list[str]:
    return [word.decode() for batch in batches for word in batch.numpy()]


def _cells(batches: Sequence[Any]) -> Any:
    if isinstance(batches[0], tf.RaggedTensor):
        return [[word.decode() for word in row] for batch in batches for row in batch.to_list()]
    return _words(batches) if batches[0].dtype == tf.string else np.concatenate(batches)


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
        layout: What the examples hold, where that is not what the bundle was trained on; of it, all features of the
            bundle must be the same in what decides the data. Targets are not read then. Default: the bundle's own.

    Attributes:
        bundle: Its contract.
        fitted: What was fitted on the train rows, as the network uses it.

    Raises:
        ArtifactError: The model file, the preprocessing or the configuration is missing or was changed.
    """

    def __init__(
        self,
        directory: str | Path,
        slices: Collection[str] = (),
        *,
        references: bool = False,
        layout: Preprocessing | None = None,
    ) -> None:
        directory = Path(directory)
        self.bundle = ModelBundle.read(directory)
        check_files(directory, self.bundle, (BUNDLED_CONFIG, f"{BUNDLED_PREPROCESSING}/*"))
        held = self.bundle.preprocessing(directory)
        self.fitted = Fitted.of(held, self.bundle.config(directory), directory / BUNDLED_PREPROCESSING)
        self._core = self._loaded(directory, CORE_MODEL)
        has_any = references and REFERENCE_MODELS in self.bundle.files
        self._references = self._loaded(directory, REFERENCE_MODELS) if has_any else None
        self._transforms = FeatureTransforms(self.fitted, stored=True)
        self._parse = Parser(replace(self.fitted, held=layout, targets={}) if layout else self.fitted)
        self._blocks = feature_blocks(self.fitted)
        self._sliced = {name: block for block in self._blocks for name in block.names if name in slices}
        self._step = tf.function(self._predict_batch, input_signature=_EXAMPLES, autograph=False)

    def _loaded(self, directory: Path, name: str) -> keras.Model:
        path = checked_file(directory, self.bundle, name)
        try:
            return keras.saving.load_model(path, compile=False, safe_mode=True)
        except (AttributeError, KeyError, TypeError, ValueError) as error:  # whatever a layer makes of other settings
            first = str(error).strip().partition("\n")[0]
            raise ArtifactError(
                "format-version",
                f"cannot be built by Keras {keras.__version__}: {first}",
                where=str(path),
                hint=f"run {self.bundle.made_by()} again{or_its_writer(self.bundle.polyhead_version)}",
            ) from None

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
        kept = {
            name: (block.columns if block.IS_SLICED else block.missing)(features[block.KIND])[name]
            for name, block in self._sliced.items()
        }
        return keys, self._said(logits, self.fitted), targets, kept, self._referred(inputs)

    @property
    def specs(self) -> dict[str, tf.TensorSpec]:
        """What the network takes, by name, `(batch, …)`."""
        return {name: tf.TensorSpec(of.shape, of.dtype, name=name) for name, of in self._core.input.items()}

    def answers(self, inputs: Batch, fitted: Fitted | None = None) -> Batch:
        """What the heads say of the network's inputs, as `polyhead.model.outputs.predictions` gives it.

        Args:
            inputs: As `specs` has them.
            fitted: What the heads' words are taken from. Default: `fitted`.
        """
        return self._said(self._core(inputs, training=False), fitted or self.fitted)

    def inputs(self, batches: Iterable[Any]) -> dict[str, NDArray[Any]]:
        """What the transforms make of rows: the network's inputs, by name.

        Rows of which some are longer, such as those of words, are filled up with zeros, which count nothing.

        Args:
            batches: Serialised examples as for `predict`.
        """
        made = tf.function(self._inputs, input_signature=_EXAMPLES, autograph=False)
        parts = [{name: of.numpy() for name, of in made(tf.convert_to_tensor(batch)).items()} for batch in batches]
        found = {}
        for name in self.specs:
            each = [part[name] for part in parts]
            size = np.max([of.shape[1:] for of in each], axis=0, initial=0).astype(int)
            padded = [
                np.pad(of, [(0, 0), *((0, most - own) for most, own in zip(size, of.shape[1:], strict=True))])
                for of in each
            ]
            found[name] = np.concatenate(padded)
        return found

    def vectors(self, batches: Iterable[Any]) -> dict[str, NDArray[np.float32]]:
        """What the network makes of pictures, texts and vectors, by feature, float32 (rows with a value, units).

        Args:
            batches: Serialised examples as for `predict`.
        """
        made = tf.function(self._inputs, input_signature=_EXAMPLES, autograph=False)
        return Embedding(self._core, self._blocks)(made(tf.convert_to_tensor(batch)) for batch in batches)

    def _inputs(self, batch: tf.Tensor) -> Batch:
        inputs: Batch = self._transforms(self._parse(batch)[1])
        return inputs

    def _said(self, logits: Batch, fitted: Fitted) -> Batch:
        return predictions(fitted, logits, self.bundle.corrections, self.bundle.thresholds, self.bundle.radii)

    def shown(self, examples: Sequence[bytes]) -> tuple[dict[str, Any], dict[str, list[NDArray[np.uint8] | None]]]:
        """What some rows look like.

        Args:
            examples: Serialised, at least one.

        Returns:
            Raw values of the features that are words or numbers, as `Predicted.slices` has them. Pictures, uint8
            (height, width, channels), None where missing; of those that a frozen network sees what the shards keep.
        """
        features = self._parse(tf.constant(examples))[1]
        values: dict[str, Any] = {}
        pictures: dict[str, list[NDArray[np.uint8] | None]] = {}
        for block in self._blocks:
            raw = features[block.KIND]
            pictures |= block.pictures(raw)
            if block.IS_SHOWN:
                values |= {name: _cells([of]) for name, of in block.columns(raw).items()}
        return values, pictures | kept_pictures(self.fitted, examples)

    def moved(self, examples: Sequence[bytes], pictures: Mapping[str, Sequence[NDArray[np.uint8] | None]]) -> Moved:
        """How far each head's logits move where a part of a picture is covered, see `polyhead.model.covering`.

        Args:
            examples: Serialised, at least one.
            pictures: Theirs, as `shown` gives them.
        """
        return moved(self._core, self._blocks, heads(self.fitted), self._inputs(tf.constant(examples)), pictures)

    def without(
        self, batches: Iterable[Any], groups: Sequence[Collection[str]]
    ) -> Iterator[dict[Hiding, dict[str, NDArray[Any]]]]:
        """What the network says of the same rows without some features.

        `hidden`: every row's values of a group are missing. `permuted`: each row has those of another row of its batch,
        the one half a batch before it; all of a group are of the same row. Shards are in the order of a hash of the
        rows' keys, so that is any other row.

        Args:
            batches: Serialised examples as for `predict`.
            groups: Names of features.

        Yields:
            For each group, by how it is hidden, the outputs of all rows, as in `Predicted`.
        """
        cut = CutModel(self._core, self._blocks)
        masks = [
            {block.KIND: tf.constant([name in group for name in block.names]) for block in self._blocks}
            for group in groups
        ]
        prepared = tf.function(self._inputs, input_signature=_EXAMPLES, autograph=False)
        empty = tf.train.Example(features=tf.train.Features(feature={KEY_ENTRY: _NO_KEY}))
        nothing = cut.inputs(prepared(tf.constant([empty.SerializeToString()])))
        ways: tuple[Hiding, ...] = ("hidden", "permuted")
        logits: list[dict[Hiding, list[Batch]]] = [{how: [] for how in ways} for _ in groups]
        for batch in batches:
            inputs = cut.inputs(prepared(tf.convert_to_tensor(batch)))
            others = {"hidden": nothing, "permuted": {k: tf.roll(of, len(batch) // 2, 0) for k, of in inputs.items()}}
            for mask, of in zip(masks, logits, strict=True):
                for how in ways:
                    of[how].append(cut.logits(inputs, others[how], mask))
        for of in logits:
            yield {
                how: {name: values.numpy() for name, values in self._said(_arrays(of[how]), self.fitted).items()}
                for how in ways
            }

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
