"""The whole network."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers

from polyhead.contracts.config import Config
from polyhead.contracts.preprocessing import Preprocessing
from polyhead.model.encoders import core_inputs, encode_all, feature_seed
from polyhead.model.heads import head_units


def build_core(preprocessing: Preprocessing, config: Config) -> keras.Model:
    """Encoders, combiner and heads, untrained.

    The combiner mixes all vectors in one hidden layer. Beside it every number, category and text has a direct
    linear line to every head, starting at zero, so that a head is never worse off for the features it cannot use.

    Args:
        preprocessing: Sizes of vocabularies and heads.
        config: The `model` section, and `train.seed` for dropout and hiding.

    Returns:
        A model from the inputs of `polyhead.model.encoders.core_inputs` to logits by target name, float32
        `(batch, units)` each.
    """
    seed = config.train.seed
    inputs = core_inputs(preprocessing)
    encoded = encode_all(preprocessing, inputs, config.model, seed=seed)
    vectors = [feature.vector for feature in encoded.values()]
    joined = layers.Concatenate(name="combiner__input")(vectors) if len(vectors) > 1 else vectors[0]
    joined = layers.Dropout(config.model.dropout, seed=feature_seed(seed, "combiner_input"))(joined)
    combined = layers.Dense(config.model.width, activation="gelu", name="combiner__hidden")(joined)
    combined = layers.Dropout(config.model.dropout, seed=feature_seed(seed, "combiner"))(combined)
    outputs: dict[str, Any] = {}
    for name, statistics in preprocessing.target_statistics.items():
        units = head_units(statistics)
        parts = [layers.Dense(units, name=f"{name}__head")(combined)]
        parts += [feature.direct(units, name) for feature in encoded.values() if feature.direct is not None]
        outputs[name] = layers.Add(name=f"{name}__logits")(parts) if len(parts) > 1 else parts[0]
    return keras.Model(inputs, outputs, name="core")
