"""Feeding a network, in rows per second of processor time: batches of 64 photos at 224 x 224, and of 256 small rows.

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
from benchmarks.tables import prepared

COPIES = 8
BATCH = 64

ROWS, ROW_BATCH, ROW_EPOCHS = 100_000, 256, 2
SHUFFLED = 10_000
"""Rows of the peer's shuffle buffer."""

Run = Callable[[], int]
"""All epochs; gives the rows seen."""


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


@cache
def rows_of(folder: Path) -> tuple[Any, Any, Any, Path]:
    """Rows of six numbers, four categories and a target: config, what was fitted, manifest, and the shards' folder."""
    from polyhead.contracts.config import load_config
    from polyhead.contracts.preprocessing import Fitted, Preprocessing
    from polyhead.contracts.shards import ShardManifest

    counts = {"train": scaled(ROWS), "val": 5, "test": 5}
    place = prepared(folder, {"numeric": 6, "category": 4}, counts, batch=ROW_BATCH, epochs=ROW_EPOCHS)
    config = load_config(place / "polyhead.yaml")
    fitted = Fitted.of(Preprocessing.read(place / "preprocess"), config, place / "preprocess")
    return config, fitted, ShardManifest.read(place / "shard"), place / "shard"


def polyhead_rows(folder: Path) -> Run:
    """What `polyhead train` feeds: shuffled batches of scaled numbers and ids of words, with targets and weights."""
    from polyhead.train.data import Feed

    data = Feed(*rows_of(folder)).training()

    def run() -> int:
        return sum(int(inputs["numeric"].shape[0]) for inputs, _, _ in data)

    return run


def cached_records(folder: Path) -> Run:
    """The same shards by TensorFlow alone: cached in memory, shuffled in a buffer, parsed; nothing is transformed."""
    import tensorflow as tf

    from polyhead.examples.parsing import Parser
    from polyhead.examples.reading import shard_paths

    _, fitted, manifest, place = rows_of(folder)
    data = (
        tf.data.TFRecordDataset(shard_paths(manifest, place, "train"))
        .cache()
        .shuffle(SHUFFLED)
        .batch(ROW_BATCH)
        .map(Parser(fitted), num_parallel_calls=tf.data.AUTOTUNE)
        .prefetch(tf.data.AUTOTUNE)
        .repeat(ROW_EPOCHS)
    )

    def run() -> int:
        return sum(int(keys.shape[0]) for keys, _, _ in data)

    return run


SIDES: dict[str, Callable[[Path], Run]] = {
    "polyhead": polyhead,
    "polyhead-float32": polyhead_float32,
    "flow_from_dataframe": flow_from_dataframe,
    "image_dataset_from_directory": image_dataset_from_directory,
    "decode": decode,
    "polyhead-rows": polyhead_rows,
    "cached TFRecordDataset": cached_records,
}


def _photos(what: str, ours: str, theirs: str, asked: float, folder: Path) -> dict[str, Any]:
    described = {"name": f"{what} of {BATCH} at {SIZE} x {SIZE}", "unit": "images", "count": len(paths(folder))}
    return {**described, **_sides(ours, theirs, asked, folder)}


def _rows(ours: str, theirs: str, asked: float, folder: Path) -> dict[str, Any]:
    name = f"batches of {ROW_BATCH} rows of 6 numbers and 4 categories"
    return {"name": name, "unit": "rows", "count": ROW_EPOCHS * scaled(ROWS), **_sides(ours, theirs, asked, folder)}


def _sides(ours: str, theirs: str, asked: float, folder: Path) -> dict[str, Any]:
    """A comparison in processor time; both sides stay in one process, so that TensorFlow starts once."""
    return {
        "peer": theirs,
        "ours": SIDES[ours](folder),
        "theirs": SIDES[theirs](folder),
        "asked": {"cpu_seconds": asked},
        "note": SIDES[theirs].__doc__,
    }


CASES = {
    "flow_from_dataframe": partial(_photos, "uint8 batches", "polyhead", "flow_from_dataframe", 7.0),
    "image_dataset_from_directory": partial(_photos, "uint8 batches", "polyhead", "image_dataset_from_directory", 6.0),
    "decode": partial(_photos, "uint8 batches", "polyhead", "decode", 0.9),
    "float32": partial(_photos, "float32 batches", "polyhead-float32", "flow_from_dataframe", 3.5),
    "small_rows": partial(_rows, "polyhead-rows", "cached TFRecordDataset", 1.0),
}
