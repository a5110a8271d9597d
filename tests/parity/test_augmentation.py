"""Mirroring is for training only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from PIL import Image


def test_a_mirrored_feature_is_served_as_it_is(tf: Any, tmp_path: Path) -> None:
    """Training sees mirrored and moved pictures, the SavedModel never: it repeats itself and the network."""
    from polyhead.contracts.config import parse_config
    from polyhead.contracts.preprocessing import Fitted
    from polyhead.model.build import build_core
    from polyhead.preprocess import step as preprocess_step
    from polyhead.train.export import export_serving
    from polyhead.train.sizes import sized
    from polyhead.validate import step as validate_step

    rows = 6
    generator = np.random.default_rng(0)
    for row in range(rows):
        Image.fromarray(generator.integers(0, 256, (16, 16, 3), dtype=np.uint8)).save(tmp_path / f"{row}.png")
    config = parse_config(
        f"table: t.parquet\nimage_root: {tmp_path}\n"
        "features: {photo: {kind: image, size: [16, 16], augment: {flip: true, shift: 0.2}}}\n"
        "targets: {price: {kind: regression}}\nsplit: {column: part}\nmodel: {dropout: 0, image_dropout: 0}\n"
    )
    table = pl.DataFrame(
        {
            "photo": [f"{row}.png" for row in range(rows)],
            "price": [float(row) for row in range(rows)],
            "part": ["train"] * 4 + ["val", "test"],
        }
    )
    validate_step.run(config=config, table=table, out=tmp_path / "v")
    held = preprocess_step.run(config=config, data=tmp_path / "v", out=tmp_path / "p")
    fitted = Fitted.of(held, config, tmp_path / "p")
    tf.keras.utils.set_random_seed(0)
    core = build_core(fitted, sized(config, rows)[0])
    export_serving(core, fitted, {}, {}, {}, tmp_path / "serving")
    serve = tf.saved_model.load(str(tmp_path / "serving")).signatures["serving_default"]
    contents = [(tmp_path / f"{row}.png").read_bytes() for row in range(rows)]
    served = [serve(photo=tf.constant(contents))["price"].numpy() for _ in range(4)]

    pixels = np.stack([np.asarray(Image.open(tmp_path / f"{row}.png")) for row in range(rows)])
    inputs = {"photo__pixels": pixels, "photo__known": np.ones(rows, np.float32)}
    statistics: Any = fitted.target_statistics["price"]
    logits = np.asarray(core(inputs, training=False)["price"])[:, 0]
    expected = logits * np.sqrt(statistics.variance) + statistics.mean
    for answer in served:
        np.testing.assert_allclose(answer, expected, rtol=1e-5)
    trained = [np.asarray(core(inputs, training=True)["price"]) for _ in range(4)]
    assert any((one != trained[0]).any() for one in trained[1:])
