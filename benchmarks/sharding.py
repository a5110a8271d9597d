"""Sharding pictures against the loop that everybody writes: Pillow and TensorFlow's own record writer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

SIZE = 224
COPIES = 2
PHOTOS = Path(__file__).parents[2] / "shared" / "data" / "photos"


def photos(folder: Path) -> list[Path]:
    """The photos beside the checkout, or made-up ones of their usual size where there are none."""
    found = sorted(PHOTOS.glob("*.jpg"))
    if found:
        return found
    generator = np.random.default_rng(0)
    made = folder / "photos"
    made.mkdir(exist_ok=True)
    for i in range(200):
        coarse = Image.fromarray(generator.integers(0, 256, (18, 24, 3), dtype=np.uint8))
        coarse.resize((770, 575), Image.Resampling.BICUBIC).save(made / f"{i}.jpg", quality=90)
    return sorted(made.glob("*.jpg"))


def jpeg_shards(folder: Path) -> dict[str, Any]:
    """JPEG photos to 224 x 224 JPEG records, quality 95, on all processors against one loop."""
    import tensorflow as tf

    from polyhead.contracts.config import parse_config
    from polyhead.preprocess.step import run as preprocess
    from polyhead.shard.step import run as shard
    from polyhead.validate.step import run as validate

    paths = photos(folder) * COPIES
    table = folder / "photos.csv"
    rows = "".join(f"{i},{path},{'ab'[i % 2]}\n" for i, path in enumerate(paths))
    table.write_text("id,photo,label\n" + rows)
    config = parse_config(
        f"table: {table}\nkey: id\nimage_root: {paths[0].parent}\n"
        f"features: {{photo: {{kind: image, size: [{SIZE}, {SIZE}], store: jpeg}}}}\n"
        "targets: {label: {kind: multiclass}}\n"
    )
    validate(config=config, table=str(table), out=folder / "validate")
    preprocess(config=config, data=folder / "validate", out=folder / "preprocess")

    def ours() -> None:
        shard(config=config, data=folder / "validate", preprocessing=folder / "preprocess", out=folder / "shard")

    def theirs() -> None:
        import io

        with tf.io.TFRecordWriter(str(folder / "loop.tfrecord")) as writer:
            for i, path in enumerate(paths):
                with Image.open(path) as image:
                    small = image.convert("RGB").resize((SIZE, SIZE), Image.Resampling.BILINEAR)
                buffer = io.BytesIO()
                small.save(buffer, "JPEG", quality=95)
                entries = {
                    "photo": tf.train.Feature(bytes_list=tf.train.BytesList(value=[buffer.getvalue()])),
                    "label": tf.train.Feature(bytes_list=tf.train.BytesList(value=[b"ab"[i % 2 : i % 2 + 1]])),
                }
                writer.write(tf.train.Example(features=tf.train.Features(feature=entries)).SerializeToString())

    return {
        "name": "shard photos to 224 x 224 JPEG",
        "unit": "images",
        "count": len(paths),
        "peer": "a loop with Pillow and tf.io.TFRecordWriter",
        "ours": ours,
        "theirs": theirs,
    }


CASES = (jpeg_shards,)
