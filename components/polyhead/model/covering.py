"""What a network says of pictures of which one part after another is covered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from polyhead.kinds.protocols.graph import Batch, FeatureBlock, Head

Moved = dict[str, list[dict[str, NDArray[np.float64]]]]


def moved(
    core: keras.Model,
    blocks: Sequence[FeatureBlock[Any, Any]],
    heads: Sequence[Head[Any, Any]],
    inputs: Batch,
    grid: int,
) -> Moved:
    """How far each head's logits move where a part of a picture is covered.

    Args:
        core: As `polyhead.model.build.build_core` or `polyhead.model.members.blended_model` makes it.
        blocks: Its features.
        heads: Its targets.
        inputs: Of some rows.
        grid: Cells along each side of a picture.

    Returns:
        By the name of a picture feature that the network sees as pixels, for each row by head float64 (grid, grid): the
        Euclidean distance of the logits from those of the whole picture; of classes that compete with one another, of
        the logits less their mean.
    """
    found: Moved = {name: [] for block in blocks for name in block.mapped}
    competing = [head.name for head in heads if head.LINK == "softmax"]
    answer = tf.function(lambda inputs: core(inputs, training=False), reduce_retracing=True)
    rows = len(next(iter(inputs.values()))) if found else 0
    for row in range(rows):
        own = {name: values[row : row + 1] for name, values in inputs.items()}
        many = {name: tf.repeat(values, 1 + grid * grid, axis=0) for name, values in own.items()}
        for block in blocks:
            for name in block.mapped:
                covered = block.covered(own, name, grid)
                logits = answer(many | {key: tf.concat([own[key], of], 0) for key, of in covered.items()})
                gone = {head: (of[1:] - of[:1]).numpy().astype(np.float64) for head, of in logits.items()}
                for head in competing:
                    gone[head] -= gone[head].mean(1, keepdims=True)
                found[name].append({head: np.linalg.norm(of, axis=1).reshape(grid, grid) for head, of in gone.items()})
    return found
