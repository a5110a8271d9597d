"""Feeding pictures to a network: batches of 64 at 224 x 224, in photos per second of processor time.

Processor time is that of all threads.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

from benchmarks import scaled
from benchmarks.sharding import SIZE, photos

COPIES = 8
BATCH = 64

Run = Callable[[], int]
"""One epoch; gives the photos seen."""


@cache
def paths(folder: Path) -> list[Path]:
    """The photos, each several times."""
    return (photos(folder) * COPIES)[: scaled(len(photos(folder)) * COPIES)]


def label_of(number: int) -> str:
    """The class of a row."""
    return "ab"[number % 2]


@cache
def shards(folder: Path) -> tuple[Any, Any, Any]:
    """The photos as shards of JPEG records, quality 95: config, what was fitted, and manifest."""
    from polyhead.contracts.config import parse_config
    from polyhead.contracts.preprocessing import Fitted
    from polyhead.preprocess.step import run as preprocess
    from polyhead.shard.step import run as shard
    from polyhead.validate.step import run as validate

    table = folder / "feed.csv"
    rows = "".join(f"{i},{path},{label_of(i)},train\n" for i, path in enumerate(paths(folder)))
    table.write_text("id,photo,label,part\n" + rows)
    config = parse_config(
        f"table: {table}\nkey: id\nimage_root: {paths(folder)[0].parent}\n"
        f"features: {{photo: {{kind: image, size: [{SIZE}, {SIZE}], store: jpeg, quality: 95}}}}\n"
        "targets: {label: {kind: multiclass}}\nsplit: {column: part}\n"
        f"train: {{epochs: 1, batch_size: {BATCH}}}\n"
    )
    out = folder / "feed"
    validate(config=config, table=str(table), out=out / "validate")
    held = preprocess(config=config, data=out / "validate", out=out / "preprocess")
    manifest = shard(config=config, data=out / "validate", preprocessing=out / "preprocess", out=out / "shard")
    return config, Fitted.of(held, config, out / "preprocess"), manifest


def polyhead(folder: Path) -> Run:
    """What `polyhead train` feeds: shuffled batches of uint8 pictures with targets and weights."""
    data = _feed(folder)

    def run() -> int:
        return sum(int(inputs["photo__pixels"].shape[0]) for inputs, _, _ in data)

    return run


def polyhead_float32(folder: Path) -> Run:
    """The same, pictures cast to float32, which training leaves to the network."""
    import tensorflow as tf

    data = _feed(folder)

    def run() -> int:
        return sum(int(tf.cast(inputs["photo__pixels"], tf.float32).shape[0]) for inputs, _, _ in data)

    return run


def _feed(folder: Path) -> Any:
    from polyhead.train.data import Feed

    config, fitted, manifest = shards(folder)
    return Feed(config, fitted, manifest, folder / "feed" / "shard").training()


def flow_from_dataframe(folder: Path) -> Run:
    """Keras' ImageDataGenerator over the original files: shuffled float32 batches."""
    import pandas as pd
    from keras.src.legacy.preprocessing.image import ImageDataGenerator

    files = [str(path) for path in paths(folder)]
    frame = pd.DataFrame({"photo": files, "label": [label_of(i) for i in range(len(files))]})
    data = ImageDataGenerator().flow_from_dataframe(
        frame,
        x_col="photo",
        y_col="label",
        target_size=(SIZE, SIZE),
        interpolation="bilinear",
        batch_size=BATCH,
        class_mode="sparse",
    )

    def run() -> int:
        return sum(len(data[at][0]) for at in range(len(data)))

    return run


def image_dataset_from_directory(folder: Path) -> Run:
    """Keras' tf.data pipeline over the original files: shuffled float32 batches."""
    import keras

    place = folder / "directory"
    for at, path in enumerate(paths(folder)):
        link = place / label_of(at) / f"{at}{path.suffix}"
        link.parent.mkdir(parents=True, exist_ok=True)
        if not link.exists():
            os.symlink(path, link)
    data = keras.utils.image_dataset_from_directory(
        place, image_size=(SIZE, SIZE), batch_size=BATCH, seed=0, follow_links=True, verbose=False
    )

    def run() -> int:
        return sum(int(images.shape[0]) for images, _ in data)

    return run


def decode(folder: Path) -> Run:
    """Decoding alone on one core: the shards' JPEG records in memory, by simplejpeg, the fastest decoder at hand."""
    import simplejpeg

    from polyhead.examples.parsing import Parser
    from polyhead.examples.reading import records

    _, fitted, manifest = shards(folder)
    parse = Parser(fitted)
    batches = records(manifest, folder / "feed" / "shard", "train", batch_size=BATCH)
    contents = [content for batch in batches for content in parse(batch)[1]["image"]["photo"].numpy()]

    def run() -> int:
        for content in contents:
            simplejpeg.decode_jpeg(content, "RGB")
        return len(contents)

    return run


SIDES: dict[str, Callable[[Path], Run]] = {
    "polyhead": polyhead,
    "polyhead-float32": polyhead_float32,
    "flow_from_dataframe": flow_from_dataframe,
    "image_dataset_from_directory": image_dataset_from_directory,
    "decode": decode,
}


def _case(what: str, ours: str, theirs: str, asked: float, folder: Path) -> dict[str, Any]:
    """A comparison in processor time; both sides stay in one process, so that TensorFlow starts once."""
    return {
        "name": f"{what} of {BATCH} at {SIZE} x {SIZE}",
        "unit": "images",
        "count": len(paths(folder)),
        "peer": theirs,
        "ours": SIDES[ours](folder),
        "theirs": SIDES[theirs](folder),
        "asked": {"cpu_seconds": asked},
        "note": SIDES[theirs].__doc__,
    }


CASES = {
    "flow_from_dataframe": partial(_case, "uint8 batches", "polyhead", "flow_from_dataframe", 7.0),
    "image_dataset_from_directory": partial(_case, "uint8 batches", "polyhead", "image_dataset_from_directory", 6.0),
    "decode": partial(_case, "uint8 batches", "polyhead", "decode", 0.95),
    "float32": partial(_case, "float32 batches", "polyhead-float32", "flow_from_dataframe", 3.5),
}
