"""The serving model: raw row in, predictions out, everything in one graph."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import keras
import tensorflow as tf

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
) -> None:
    """Write a SavedModel whose `serving_default` signature takes raw rows.

    Inputs by feature name, all `(batch,)`: float64 for kinds of numbers, NaN where missing; string for the others,
    empty where missing, for image the bytes of a JPEG, PNG, GIF or 24-bit BMP file, for multicategory the values with
    the separator between them, `[]` for none. Vectors are float32 `(batch, length)`, a row of NaN where missing.
    Outputs as in `polyhead.model.outputs.predictions`, and for each feature of pictures `<feature>__failed`, bool
    `(batch,)`: a file was given and cannot be decoded, so the row is answered as without it. The SavedModel needs
    TensorFlow only, not Polyhead.

    Args:
        core: The trained network.
        fitted: What was fitted on the train rows.
        corrections: Of `polyhead.contracts.bundle.ModelBundle`.
        thresholds: Likewise.
        radii: Likewise.
        out: Directory to write.
    """
    transforms = FeatureTransforms(fitted, stored=False)

    @tf.function(autograph=False)  # type: ignore[untyped-decorator]
    def serve(**raw: tf.Tensor) -> dict[str, tf.Tensor]:
        blocks = transforms.joined(raw)
        inputs = transforms(blocks)
        logits = core(inputs, training=False)
        return predictions(fitted, logits, corrections, thresholds, radii) | transforms.failed(blocks, inputs)

    signature = serve.get_concrete_function(**transforms.raw_spec())
    tf.saved_model.save(_Serving(core, transforms), str(out), signatures={"serving_default": signature})
    _settle_fingerprint(out / "fingerprint.pb")


def _settle_fingerprint(path: Path) -> None:
    """Put a word that follows from the model's hashes in the place of the random one in TensorFlow's fingerprint."""
    from tensorflow.core.protobuf.fingerprint_pb2 import FingerprintDef

    fingerprint = FingerprintDef.FromString(path.read_bytes())
    fingerprint.uuid = ""
    digest = hashlib.sha256(fingerprint.SerializeToString(deterministic=True)).digest()
    fingerprint.uuid = str(int.from_bytes(digest[:16], "big"))
    path.write_bytes(fingerprint.SerializeToString(deterministic=True))
