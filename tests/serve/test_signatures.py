"""The signatures of the SavedModel: what they take and give, for any number of rows."""

from __future__ import annotations

import io
import math
from typing import Any

import numpy as np
import pytest
from PIL import Image

TARGETS = ["price", "shape", "sold", "tags"]
PARTS = {
    "decisions": set(TARGETS),
    "probabilities": {"shape__probabilities", "sold__probabilities", "tags__probabilities"},
    "intervals": {"price__low", "price__high", "shape__set"},
}
FAILED = {"photo__failed"}


def raw(tf: Any, count: int) -> dict[str, Any]:
    """Rows with a photo, with none and with one that is damaged, and with numbers that are there and missing."""
    content = io.BytesIO()
    Image.new("RGB", (20, 24), (200, 40, 90)).save(content, "PNG")
    photos = [content.getvalue(), b"", content.getvalue()[:60]]
    rows = [at % 3 for at in range(count)]
    numbers = [[3.25, math.nan, -1.0][at] for at in rows]
    vectors = np.array([[[1.0, 2.5], [math.nan] * 2, [0.0, 1.0]][at] for at in rows], np.float32).reshape(count, 2)
    return {
        "photo": tf.constant([photos[at] for at in rows], tf.string),
        "size": tf.constant(numbers, tf.float64),
        "bought": tf.constant(numbers, tf.float64),
        "point": tf.constant(vectors),
        **{
            name: tf.constant([words[at] for at in rows], tf.string)
            for name, words in {
                "colour": ["green", "", "never seen"],
                "note": ["a blue, big thing", "", "round"],
                "shades": ["red|blue", "", "[]"],
                "fresh": ["true", "", "false"],
            }.items()
        },
    }


@pytest.mark.parametrize("count", [0, 1, 3])
def test_every_signature_is_as_the_bundle_says_and_agrees_with_the_whole_answer(
    served: Any, tf: Any, count: int
) -> None:
    model = tf.saved_model.load(str(served.bundle / "serving"))
    described = served.model.bundle.signatures
    assert set(described) == set(model.signatures) == {"serving_default", "transform", "features", *PARTS}
    rows = raw(tf, count)
    inputs = {**dict.fromkeys(described, rows), "features": None}
    said = {name: model.signatures[name](**given) for name, given in inputs.items() if given is not None}
    assert said["transform"].pop("photo__failed").numpy().tolist() == [False, False, True][:count]
    said["features"] = model.signatures["features"](**said["transform"])
    for name, signature in described.items():
        assert {one: of.dtype for one, of in signature.inputs.items()} == {
            one: of.dtype.name for one, of in (inputs[name] or said["transform"]).items()
        }
        given = {
            **said[name],
            **({"photo__failed": said["serving_default"]["photo__failed"]} if name == "transform" else {}),
        }
        assert set(signature.outputs) == set(given)
        for output, values in given.items():
            assert signature.outputs[output].dtype == values.dtype.name
            sizes = signature.outputs[output].shape
            assert len(values.shape) == len(sizes)
            assert values.shape[0] == count
            assert all(size in (None, found) for size, found in zip(sizes[1:], values.shape[1:], strict=True))
    whole = said["serving_default"]
    assert set(said["features"]) | FAILED == set(whole)
    for name, part in PARTS.items():
        assert set(said[name]) == part | FAILED
    for name in ("features", *PARTS):
        for output, values in said[name].items():
            if values.dtype.is_floating:
                np.testing.assert_allclose(values, whole[output], rtol=1e-5, atol=1e-6)
            else:
                assert values.numpy().tolist() == whole[output].numpy().tolist()


def test_a_request_may_name_a_signature_of_raw_rows(served: Any) -> None:
    row = dict.fromkeys(served.model.bundle.signatures["serving_default"].inputs)
    whole = served.post("/v1/models/things:predict", {"instances": [row]}).json()["predictions"][0]
    for name, part in PARTS.items():
        body = {"instances": [row], "signature_name": name}
        answer = served.post("/v1/models/things:predict", body).json()["predictions"][0]
        assert answer == {output: whole[output] for output in whole if output in part | FAILED}
    refused = served.post("/v1/models/things:predict", {"instances": [row], "signature_name": "features"})
    assert refused.status_code == 400
    assert refused.json()["problems"][0]["code"] == "unknown-signature"


def test_show_lists_them(served: Any, polyhead: Any) -> None:
    shown = polyhead("show", served.bundle)
    assert shown.code == 0
    assert "signatures:" in shown.out
    for name in ("serving_default", "transform", "features", *PARTS):
        assert f"  {name}: takes " in shown.out
    assert "point float32 (batch, 2)" in shown.out
    assert "shape__set bool (batch, 2)" in shown.out
