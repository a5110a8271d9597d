"""The network before it has learned anything."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import expit, softmax

from polyhead.contracts.config import load_config
from polyhead.contracts.preprocessing import Fitted
from polyhead.preprocess import step as preprocess_step
from polyhead.train.sizes import sized
from polyhead.validate import step as validate_step


def test_heads_start_at_the_prior(tf: Any, tiny: Any) -> None:
    """With nothing from the combiner a head says what the train rows have, by their weights."""
    from polyhead.model.build import build_core

    data = tiny(
        features={"size": {"kind": "numeric"}},
        targets={
            "price": {"kind": "regression"},
            "shape": {"kind": "multiclass"},
            "sold": {"kind": "binary", "class_weight": {"yes": 3}},
            "tags": {"kind": "multilabel"},
        },
    )
    config = load_config(data.config)
    validate_step.run(config=config, table=str(data.table), out=data.folder / "V")
    held = preprocess_step.run(config=config, data=data.folder / "V", out=data.folder / "P")
    core = build_core(Fitted.of(held, config, data.folder / "P"), sized(config, held.rows["train"])[0])
    for target in config.targets:
        layer = core.get_layer(f"{target}__head")
        layer.kernel.assign(np.zeros(layer.kernel.shape))
    inputs = {name: tf.zeros([1, *tensor.shape[1:]], tensor.dtype) for name, tensor in core.input.items()}
    said = {name: logits.numpy()[0] for name, logits in core(inputs).items()}
    train = data.frame[data.frame["part"] == "train"]
    shares = train["shape"].value_counts(normalize=True).sort_index()
    np.testing.assert_allclose(softmax(said["shape"]), shares, rtol=1e-5)
    yes = 3 * (train["sold"] == "yes").sum()
    np.testing.assert_allclose(expit(said["sold"]), yes / (yes + (train["sold"] == "no").sum()), rtol=1e-5)
    tagged = [train["tags"].str.contains(tag).mean() for tag in ("big", "warm")]
    np.testing.assert_allclose(expit(said["tags"]), tagged, rtol=1e-5)
    assert said["price"].tolist() == [0.0]
