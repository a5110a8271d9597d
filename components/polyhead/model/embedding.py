"""The vectors that a network makes of single features, such as pictures and texts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from polyhead.kinds.protocols.graph import Batch, FeatureBlock
from polyhead.model.cutting import networks_with


class Embedding:
    """The first network of a core, up to the vectors of its features.

    Args:
        core: As `polyhead.model.cutting.CutModel` takes it.
        blocks: All features of it.

    Attributes:
        names: The features that have vectors; none where the core has no network.
    """

    def __init__(self, core: keras.Model, blocks: Sequence[FeatureBlock[Any, Any]]) -> None:
        places = {name: place for block in blocks for name, place in block.embedded.items()}
        networks = networks_with(core, {layer for layer, _ in places.values()})
        self.names = list(places) if networks else []
        outputs: dict[str, Any] = {}
        for name in self.names:
            layer, at = places[name]
            vectors, known = networks[0].get_layer(layer).input
            outputs[f"{name} vector"] = vectors if at is None else vectors[:, at]
            outputs[f"{name} known"] = known if at is None else known[:, at]
        self._model = keras.Model(networks[0].input, outputs) if outputs else None
        self._made = tf.function(self._of, autograph=False, reduce_retracing=True)

    def __call__(self, batches: Iterable[Batch], most: int | None = None) -> dict[str, NDArray[np.float32]]:
        """The vectors of the rows that have a value, float32 (rows, units) by feature.

        Args:
            batches: The network's inputs.
            most: Rows from which on no further batch is asked for. Default: all are looked at.
        """
        if self._model is None:
            return {}
        parts: dict[str, list[NDArray[np.float32]]] = {name: [] for name in self.names}
        rows = 0
        for inputs in batches:
            made = self._made(inputs)
            for name, of in parts.items():
                of.append(made[f"{name} vector"].numpy()[made[f"{name} known"].numpy() > 0])
            rows += int(next(iter(inputs.values())).shape[0])
            if most is not None and rows >= most:
                break
        return {name: np.concatenate(of) for name, of in parts.items() if of}

    def _of(self, inputs: Batch) -> Batch:
        assert self._model is not None
        made: Batch = self._model({name: inputs[name] for name in self._model.input}, training=False)
        return made
