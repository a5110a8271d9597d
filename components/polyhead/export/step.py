"""The export: the network of a bundle as a file that other runtimes than TensorFlow run."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from polyhead.contracts.bundle import BUNDLED_CONFIG, BUNDLED_PREPROCESSING, CORE_MODEL, ModelBundle
from polyhead.contracts.exported import Exported
from polyhead.errors import MachineError
from polyhead.model import backend
from polyhead.progress import say
from polyhead.storage.objects import write_whole
from polyhead.storage.opened import Input, opens


@opens(bundle=Input(ModelBundle, (CORE_MODEL, BUNDLED_CONFIG, f"{BUNDLED_PREPROCESSING}/*")))
def run(*, bundle: str | Path, out: str | Path) -> Exported:
    """Write the network of a bundle as an ONNX model.

    It takes what the bundle's transforms make of rows, as `Model.network_inputs` gives it, and answers as the
    SavedModel does, with one difference: a class is said by its number, int32 (batch,), in the order of its
    probabilities. The names of the classes are in the model's metadata, as JSON under `polyhead.heads`.

    Args:
        bundle: The artifact of `train`, or a published version.
        out: The file to write, local or remote; an existing one is replaced.

    Raises:
        ArtifactError: `bundle` is none, or was changed; or a part of its network has no form in ONNX.
        MachineError: The packages of the extra `onnx` are not installed.
    """
    ModelBundle.read(bundle)  # before what takes its time
    for package in ("onnx", "tf2onnx"):
        if find_spec(package) is None:
            what, hint = f"needs the package {package}", "pip install 'polyhead[onnx]'"
            raise MachineError("onnx-not-installed", what, where="export", hint=hint)
    say("loading TensorFlow")
    backend.load()
    from polyhead.export.graph import OPSET, numbered, onnx_model, tensors
    from polyhead.model.predictor import Predictor

    predictor = Predictor(bundle)
    fitted = numbered(predictor.fitted)
    model = onnx_model(
        lambda inputs: predictor.answers(inputs, fitted), predictor.specs, predictor.bundle, predictor.fitted
    )
    write_whole(out, model.SerializeToString(deterministic=True))
    say(f"wrote {out}, of ONNX opset {OPSET}")
    return Exported(
        path=str(out),
        bundle=predictor.bundle.fingerprint(),
        opset=OPSET,
        inputs=tensors(model.graph.input),
        outputs=tensors(model.graph.output),
    )
