"""The whole network."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers

from polyhead.contracts.preprocessing import Fitted
from polyhead.contracts.sizes import SizedConfig
from polyhead.kinds.features.graph import seed_of
from polyhead.kinds.graphs import feature_blocks, heads


def build_core(fitted: Fitted, config: SizedConfig) -> keras.Model:
    """Encoders, combiner and heads, untrained.

    The combiner mixes all vectors in one hidden layer. Beside it every block of numbers, categories or texts, and of
    pictures of many rows, has a direct linear line to every head, starting at zero, so that a head is never worse off
    for the features it cannot use. A head may have a hidden layer of its own behind the combiner. Heads start at the
    train rows' prior, by their weights.

    Args:
        fitted: Sizes of vocabularies and heads.
        config: The `model` section, and `train.seed` for dropout and hiding.

    Returns:
        A model from the inputs of all blocks of features, by name, to logits by target name, float32
        `(batch, units)` each.
    """
    seed = config.train.seed
    blocks = feature_blocks(fitted)
    inputs = {name: value for block in blocks for name, value in block.inputs().items()}
    encoded = [block.encode(inputs, config.model, seed) for block in blocks]
    vectors = [block.vector for block in encoded]
    joined = layers.Concatenate(name="combiner__input")(vectors) if len(vectors) > 1 else vectors[0]
    joined = layers.Dropout(config.model.dropout, seed=seed_of(seed, "combiner_input"))(joined)
    combined = layers.Dense(config.model.width, activation="gelu", name="combiner__hidden")(joined)
    combined = layers.Dropout(config.model.dropout, seed=seed_of(seed, "combiner"))(combined)
    outputs: dict[str, Any] = {}
    for head in heads(fitted):
        seen = combined
        if units := fitted.targets[head.name].hidden:
            seen = layers.Dense(units, activation="gelu", name=f"{head.name}__hidden")(combined)
        line = layers.Dense(head.units, name=f"{head.name}__head")
        parts = [line(seen)]
        line.bias.assign(head.prior_logits())
        parts += [block.direct(head.units, head.name) for block in encoded if block.direct is not None]
        outputs[head.name] = layers.Add(name=f"{head.name}__logits")(parts) if len(parts) > 1 else parts[0]
    return keras.Model(inputs, outputs, name="core")
