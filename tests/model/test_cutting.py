"""The network cut behind its towers says what the whole one says."""

from __future__ import annotations

from typing import Any

import numpy as np

from polyhead.contracts.config import load_config
from polyhead.contracts.preprocessing import Fitted
from polyhead.preprocess import step as preprocess_step
from polyhead.train.sizes import sized
from polyhead.validate import step as validate_step

ROWS = 6


def test_a_blend_of_networks_says_the_same_of_rows_with_others_columns(tf: Any, tiny: Any) -> None:
    """Two networks that share a tower for tied pictures; the towers see a picture once, whatever is replaced."""
    from polyhead.kinds.graphs import feature_blocks
    from polyhead.model.build import build_core
    from polyhead.model.cutting import CutModel
    from polyhead.model.members import blended_model

    tied = {"kind": "image", "size": [16, 16], "tied": "view"}
    data = tiny(
        change=lambda frame: frame.assign(front=frame["photo"], back=frame["photo"][::-1].to_numpy()),
        features={
            "front": tied,
            "back": tied,
            "photo": {"kind": "image", "size": [8, 8]},
            "size": {"kind": "numeric"},
            "colour": {"kind": "category"},
        },
    )
    config = load_config(data.config)
    validate_step.run(config=config, table=str(data.table), out=data.folder / "V")
    held = preprocess_step.run(config=config, data=data.folder / "V", out=data.folder / "P")
    fitted = Fitted.of(held, config, data.folder / "P")
    settled = [sized(config.with_seed(seed), held.rows["train"])[0] for seed in (0, 1)]
    networks = [build_core(fitted, one) for one in settled]
    heads = list(config.targets)
    weights = {name: {"network": 1.0} for name in heads}
    blend = blended_model(networks, {name: {} for name in heads}, weights, dict.fromkeys(heads, "identity"))
    generator = np.random.default_rng(0)
    inputs = {name: drawn(tensor, generator) for name, tensor in blend.input.items()}
    inputs["front__known"] = tf.constant([1.0, 0, 1, 1, 0, 1])
    others = {name: tf.roll(of, 3, 0) for name, of in inputs.items()}
    cut = CutModel(blend, feature_blocks(fitted))
    for replaced in ([], ["back"], ["front", "photo"], ["size"], list(fitted.features)):
        masks = {
            block.KIND: tf.constant([name in replaced for name in block.names]) for block in feature_blocks(fitted)
        }
        wanted = dict(inputs)
        for name in ("front", "back", "photo"):
            if name in replaced:
                wanted |= {key: others[key] for key in (f"{name}__pixels", f"{name}__known")}
        for kind, column in (("numeric", "size"), ("category", "colour")):
            if column in replaced:
                wanted[kind] = others[kind]
        found = cut.logits(cut.inputs(inputs), cut.inputs(others), masks)
        expected = blend(wanted, training=False)
        for name in heads:
            np.testing.assert_allclose(found[name], expected[name], rtol=1e-4, atol=1e-5)


def drawn(tensor: Any, generator: np.random.Generator) -> Any:
    """Some rows of an input."""
    import tensorflow as tf

    shape = (ROWS, *(size or 2 for size in tensor.shape[1:]))
    if tensor.dtype == "uint8":
        return tf.constant(generator.integers(0, 256, shape), tf.uint8)
    if tensor.dtype == "int32":
        return tf.constant(generator.integers(0, 3, shape), tf.int32)
    known = tensor.name.endswith("__known")
    return tf.constant(np.ones(shape) if known else generator.normal(size=shape), tf.float32)
