"""How far answers move with a part of a picture covered, beside a loop that paints the parts one by one."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from samples import member

GRID = 8


@pytest.mark.parametrize("several", [False, True])
@pytest.mark.parametrize("link", ["identity", "softmax"])
def test_the_logits_move_as_if_the_part_were_painted_with_the_mean_colour(tf: Any, several: bool, link: str) -> None:
    """The first of several pictures; each row by itself, and what two classes rise by together is no change."""
    import keras
    from keras import ops

    from polyhead.kinds.features.image.graph import ImageBlock
    from polyhead.kinds.features.images.graph import ImagesBlock
    from polyhead.model.covering import moved

    generator = np.random.default_rng(0)
    options: dict[str, Any] = {"size": [8, 10], **({"max_pictures": 2} if several else {})}
    feature: Any = member("images" if several else "image", **options)
    statistics: Any = SimpleNamespace(backbone=None)
    block: Any = (ImagesBlock if several else ImageBlock)({"x": feature}, {"x": statistics})
    shape = (2, 8, 10, 3) if several else (8, 10, 3)
    pixels = generator.integers(0, 256, (2, *shape), np.uint8)
    kernel = generator.normal(size=(np.prod(shape), 2))
    inputs = block.inputs()
    seen = ops.reshape(ops.cast(inputs["x__pixels"], "float32"), (-1, int(np.prod(shape))))
    said = ops.matmul(seen, ops.convert_to_tensor(kernel.astype(np.float32)))
    core = keras.Model(inputs, {"y": said + 0 * ops.sum(inputs["x__known"])})
    known = tf.ones([2, 2] if several else [2])
    heads: Any = [SimpleNamespace(name="y", LINK=link)]
    shown = {"x": [*(row[0] if several else row for row in pixels), None]}
    inputs = {"x__pixels": tf.constant(pixels[[0, 1, 1]]), "x__known": tf.gather(known, [0, 1, 1])}
    found = moved(core, [block], heads, inputs, shown)
    assert found["x"][2] is None
    edges = [range(9), [0, 2, 3, 4, 5, 7, 8, 9, 10]]
    for row in range(2):
        own = found["x"][row]
        assert own is not None
        for down in range(GRID):
            for across in range(GRID):
                painted = pixels[row].copy()
                first = painted[0] if several else painted
                mean = first.mean((0, 1)).round()
                first[edges[0][down] : edges[0][down + 1], edges[1][across] : edges[1][across + 1]] = mean
                change = (painted.astype(float).ravel() - pixels[row].astype(float).ravel()) @ kernel
                change -= change.mean() if link == "softmax" else 0
                assert own["y"][down, across] == pytest.approx(np.linalg.norm(change), rel=1e-3, abs=1e-2)
