"""The exported network: what its file says of itself, and what cannot be exported."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commandline import Result, polyhead  # noqa: F401
from flats import Fitted, fitted  # noqa: F401
from networks import Seen
from refusals import refusal

from polyhead.contracts.preprocessing import Fitted as Fits
from polyhead.contracts.preprocessing import Preprocessing
from polyhead.errors import ArtifactError, MachineError
from polyhead.export import step as export_step
from polyhead.train.sizes import sized


def test_the_command_writes_a_network_that_says_what_predict_says(
    fitted: Fitted,  # noqa: F811
    polyhead: Callable[..., Result],  # noqa: F811
    tmp_path: Path,
) -> None:
    """Of rows that `network_inputs` encodes, in batches of any size, with the words for its numbers beside it."""
    runtime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    pytest.importorskip("tf2onnx", reason="pip install 'polyhead[onnx]'")
    done = polyhead("export", fitted.out / "train", "--to", "onnx", "-o", "flats.onnx", "--json")
    assert done.code == 0, done.err
    exported, bundle = json.loads(done.out), fitted.model.bundle.fingerprint()
    assert (exported["path"], exported["bundle"], exported["opset"]) == ("flats.onnx", bundle, 18)
    session = runtime.InferenceSession(tmp_path / "flats.onnx")
    for told, of in (("inputs", session.get_inputs()), ("outputs", session.get_outputs())):
        assert list(exported[told]) == [one.name for one in of]
        assert {one["shape"][0] for one in exported[told].values()} == {None}
    about = session.get_modelmeta().custom_metadata_map
    heads = json.loads(about["polyhead.heads"])
    assert about["polyhead.bundle"] == bundle
    assert heads["band"] == {"kind": "multiclass", "classes": ["high", "low", "mid"], "confidence": 0.9}
    assert heads["tags"] == {"kind": "multilabel", "labels": ["lift", "new"], "thresholds": [0.5, 0.5]}

    frame = fitted.frame.astype({"area": object})
    frame.iloc[0, 0], frame.iloc[1, 0], frame.iloc[2, 1] = "huge", None, None
    inputs = fitted.model.network_inputs(frame)
    assert inputs.rows.tolist() == list(range(1, len(frame)))
    assert list(inputs.rejected["reason"]) == ["not_a_number"]
    expected = fitted.model.predict(frame)[1:]
    for rows in (slice(None), slice(1)):
        given = {name: values[rows] for name, values in inputs.items()}
        said = dict(zip(exported["outputs"], session.run(None, given), strict=True))
        np.testing.assert_allclose(said["rent"], expected["rent"][rows], rtol=1e-5)
        assert [heads["band"]["classes"][at] for at in said["band"]] == expected["band"][rows].tolist()


@pytest.mark.parametrize(
    ("scope", "where"),
    [
        ("rent__head", "head 'rent'"),
        ("category__embedding", "encoder of 'town'"),
        ("combiner__hidden", "layer 'combiner__hidden/"),
    ],
)
def test_what_has_no_form_in_onnx_is_named(fitted: Fitted, tf: Any, scope: str, where: str) -> None:  # noqa: F811
    pytest.importorskip("tf2onnx", reason="pip install 'polyhead[onnx]'")
    from polyhead.export.graph import onnx_model
    from polyhead.model.predictor import Predictor

    def answers(inputs: dict[str, Any]) -> dict[str, Any]:
        with tf.name_scope(scope):
            return {"rent": tf.math.bessel_i0e(inputs["numeric"])}

    predictor = Predictor(fitted.out / "train")
    specs = {"numeric": tf.TensorSpec([None, 2], tf.float32, name="numeric")}
    with refusal(ArtifactError, "not-in-onnx", shows=["BesselI0e"]) as caught:
        onnx_model(answers, specs, predictor.bundle, predictor.fitted)
    assert caught.problem.where.startswith(where)


def test_a_pretrained_network_that_learns_is_in_the_file(
    tf: Any,
    fitted: Fitted,  # noqa: F811
    seen: Callable[..., Seen],
) -> None:
    """One for two tied pictures, seen with and without the second."""
    runtime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    pytest.importorskip("tf2onnx", reason="pip install 'polyhead[onnx]'")
    from polyhead.export.graph import onnx_model
    from polyhead.model.build import build_core

    pictures = seen(train="all")
    held = Preprocessing.read(pictures.folder / "preprocess")
    used = Fits.of(held, pictures.config, pictures.folder / "preprocess")
    core = build_core(used, sized(pictures.config, 16)[0])
    random = np.random.default_rng(0)
    for weight in core.weights:
        weight.assign(weight + 0.1 * np.abs(random.normal(size=weight.shape)))
    bundle = fitted.model.bundle.model_copy(update={"heads": {"price": "regression", "sold": "binary"}})
    specs = {name: tf.TensorSpec(of.shape, of.dtype, name=name) for name, of in core.input.items()}
    model = onnx_model(lambda inputs: core(inputs, training=False), specs, bundle, used)
    assert "Conv" in {node.op_type for node in model.graph.node}
    inputs = {
        name: random.integers(0, 256 if of.dtype == tf.uint8 else 2, (5, *of.shape[1:])).astype(of.dtype.as_numpy_dtype)
        for name, of in specs.items()
    }
    said = runtime.InferenceSession(model.SerializeToString()).run(None, inputs)
    expected = core(inputs, training=False)
    for name, found in zip(expected, said, strict=True):
        assert len(np.unique(found)) > 1
        np.testing.assert_allclose(found, expected[name], rtol=1e-5, atol=1e-5)


def test_a_package_that_is_missing_is_named_with_its_extra(
    fitted: Fitted,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with refusal(MachineError, "onnx-not-installed", where="export", shows=["onnx", "polyhead[onnx]"]):
        export_step.run(bundle=fitted.out / "train", out=tmp_path / "m.onnx")
    assert not list(tmp_path.iterdir())


def test_an_unknown_format_is_a_wrong_call(polyhead: Callable[..., Result]) -> None:  # noqa: F811
    assert polyhead("export", "train", "--to", "onx", "-o", "m.onnx").code == 2
