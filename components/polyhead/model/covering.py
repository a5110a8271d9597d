"""What a network says of pictures of which one part after another is covered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from polyhead.kinds.protocols.graph import Batch, FeatureBlock, Head
from polyhead.progress import progress

Moved = dict[str, list[dict[str, NDArray[np.float64]] | None]]


def moved(
    core: keras.Model,
    blocks: Sequence[FeatureBlock[Any, Any]],
    heads: Sequence[Head[Any, Any]],
    inputs: Batch,
    pictures: Mapping[str, Sequence[NDArray[np.uint8] | None]],
) -> Moved:
    """How far each head's logits move where a part of a picture is covered.

    Args:
        core: As `polyhead.model.build.build_core` or `polyhead.model.members.blended_model` makes it.
        blocks: Its features.
        heads: Its targets.
        inputs: Of some rows.
        pictures: Of these by feature, (height, width, channels) each, None where missing.

    Returns:
        By feature, for each row with a picture by head float64 (cells, cells): the Euclidean distance of the logits
        from those of the whole picture; of classes that compete with one another, of the logits less their mean.
    """
    seers = {name: block for block in blocks for name in block.mapped if name in pictures}
    if not seers:
        return {}
    found: Moved = {name: [] for name in seers}
    competing = [head.name for head in heads if head.LINK == "softmax"]
    answer = tf.function(lambda inputs: core(inputs, training=False), reduce_retracing=True)
    rows = len(next(iter(inputs.values())))
    with progress("cover pictures", total=rows * len(seers), unit="pictures") as advance:
        for row in range(rows):
            own = {name: values[row : row + 1] for name, values in inputs.items()}
            for name, block in seers.items():
                picture = pictures[name][row]
                advance(1)
                if picture is None:
                    found[name].append(None)
                    continue
                grid = block.mapped[name]
                many = {key: tf.repeat(values, 1 + grid * grid, axis=0) for key, values in own.items()}
                logits = answer(many | block.covered(own, name, picture))
                gone = {head: (of[1:] - of[:1]).numpy().astype(np.float64) for head, of in logits.items()}
                for head in competing:
                    gone[head] -= gone[head].mean(1, keepdims=True)
                found[name].append({head: np.linalg.norm(of, axis=1).reshape(grid, grid) for head, of in gone.items()})
    return found
