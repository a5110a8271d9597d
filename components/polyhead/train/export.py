"""The serving model: raw row in, predictions out, everything in one graph."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from polyhead.contracts.bundle import ANSWERS, FEATURES, RAW_ROWS, TRANSFORM, Signature, Tensor
from polyhead.contracts.preprocessing import Fitted
from polyhead.model.outputs import predictions
from polyhead.model.transforms import FeatureTransforms


class _Serving(tf.Module):  # type: ignore[misc]  # TensorFlow is untyped
    """What the served function needs: the network's variables and the transforms' tables.

    The network itself stays out of reach of TensorFlow's saving, which would trace its layers as if they trained; and
    so does the function, which would be traced again.
    """

    def __init__(self, core: keras.Model, transforms: FeatureTransforms) -> None:
        super().__init__()
        self._variables = [variable.value for variable in core.variables]
        self._transforms = transforms


def export_serving(
    core: keras.Model,
    fitted: Fitted,
    corrections: Mapping[str, float],
    thresholds: Mapping[str, Sequence[float]],
    radii: Mapping[str, float | Sequence[float]],
    out: Path,
) -> dict[str, Signature]:
    """Write a SavedModel whose `serving_default` signature takes raw rows.

    Inputs by feature name, all `(batch,)`: float64 for kinds of numbers, NaN where missing; string for the others,
    empty where missing, for image the bytes of a JPEG, PNG, GIF or 24-bit BMP file, for multicategory the values with
    the separator between them, `[]` for none. Vectors are float32 `(batch, length)`, a row of NaN where missing.
    Outputs as in `polyhead.model.outputs.predictions`, and for each feature of pictures `<feature>__failed`, bool
    `(batch,)`: a file was given and cannot be decoded, so the row is answered as without it. The SavedModel needs
    TensorFlow only, not Polyhead.

    Beside it are `transform`, from raw rows to the network's inputs, `features`, from these to all answers, and
    `decisions`, `probabilities` and `intervals`, each from raw rows to a part of the answers, where there are any. All
    are made of two functions that are traced once: what is before the network, and what begins with it.

    Args:
        core: The trained network.
        fitted: What was fitted on the train rows.
        corrections: Of `polyhead.contracts.bundle.ModelBundle`.
        thresholds: Likewise.
        radii: Likewise.
        out: Directory to write.

    Returns:
        The signatures by name.
    """
    transforms = FeatureTransforms(fitted, stored=False)

    @tf.function(autograph=False)  # type: ignore[untyped-decorator]
    def transform(**raw: tf.Tensor) -> tuple[dict[str, tf.Tensor], dict[str, tf.Tensor]]:
        blocks = transforms.joined(raw)
        inputs = transforms(blocks)
        return inputs, transforms.failed(blocks, inputs)

    @tf.function(autograph=False)  # type: ignore[untyped-decorator]
    def answer(**inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        return predictions(fitted, core(inputs, training=False), corrections, thresholds, radii)

    raw_rows = transforms.raw_spec()
    features = {
        name: tf.TensorSpec([None, *of.shape[1:]], of.dtype, name=name) for name, of in sorted(core.input.items())
    }
    prepare = transform.get_concrete_function(**raw_rows)
    say = answer.get_concrete_function(**features)

    def answering(names: Collection[str]) -> Any:
        def serve(**raw: tf.Tensor) -> dict[str, tf.Tensor]:
            inputs, failed = prepare(**raw)
            said = say(**inputs)
            return {**{name: said[name] for name in names}, **failed}

        return tf.function(serve, autograph=False).get_concrete_function(**raw_rows)

    def transformed(**raw: tf.Tensor) -> dict[str, tf.Tensor]:
        inputs, failed = prepare(**raw)
        return {**inputs, **failed}

    signatures = {
        RAW_ROWS: answering(say.structured_outputs),
        TRANSFORM: tf.function(transformed, autograph=False).get_concrete_function(**raw_rows),
        FEATURES: say,
    }
    for part, endings in ANSWERS.items():
        if names := [name for name in say.structured_outputs if _is_part(name, fitted.targets, endings)]:
            signatures[part] = answering(names)
    tf.saved_model.save(_Serving(core, transforms), str(out), signatures=signatures)
    _settle_fingerprint(out / "fingerprint.pb")
    return {name: _described(of) for name, of in signatures.items()}


def _is_part(output: str, targets: Collection[str], endings: Sequence[str]) -> bool:
    """Whether an output is one of those of a part of the answers, which `ANSWERS` gives the endings of."""
    if not endings:
        return output in targets
    return any(output == f"{target}__{ending}" for target in targets for ending in endings)


def _described(function: Any) -> Signature:
    _, inputs = function.structured_input_signature
    return Signature(inputs=_tensors(inputs), outputs=_tensors(function.structured_outputs))


def _tensors(specs: Mapping[str, Any]) -> dict[str, Tensor]:
    return {
        name: Tensor(dtype=spec.dtype.name, shape=[None, *spec.shape[1:].as_list()]) for name, spec in specs.items()
    }


def _settle_fingerprint(path: Path) -> None:
    """Put a word that follows from the model's hashes in the place of the random one in TensorFlow's fingerprint."""
    from tensorflow.core.protobuf.fingerprint_pb2 import FingerprintDef

    fingerprint = FingerprintDef.FromString(path.read_bytes())
    fingerprint.uuid = ""
    digest = hashlib.sha256(fingerprint.SerializeToString(deterministic=True)).digest()
    fingerprint.uuid = str(int.from_bytes(digest[:16], "big"))
    path.write_bytes(fingerprint.SerializeToString(deterministic=True))
