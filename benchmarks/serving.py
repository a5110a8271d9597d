"""Serving: a SavedModel's start and its answers, in a process with TensorFlow and without Polyhead.

`python -m benchmarks.serving start FOLDER` loads the SavedModel in FOLDER, of 300 numbers a row, and asks it once; with
a number of rows in the place of `start` it asks again and again for so many rows, and tells the median of the answers'
times. The rows are tensors by name already; what brings them there over a network is not measured.

`python -m benchmarks.serving served|trained ROWS FOLDER` does the same with a model of four photos a row, by its
SavedModel from the photos' files, or by the path of training from the examples of the shards.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import scaled
from benchmarks.harness import Sample, own_process
from benchmarks.side import cpu_seconds, report
from benchmarks.wide import prepared_wide

COLUMNS, TRAIN_ROWS = 300, 20_000
QUESTIONS = 300
PHOTOS, PHOTO_SIZE, PHOTO_ROWS = 4, 64, 192
LARGE = (360, 480)

Taken = tuple[int, float, float]


def _prepared(folder: Path) -> Path:
    """A trained model's SavedModel."""
    place = prepared_wide(folder, "numeric", COLUMNS, scaled(TRAIN_ROWS))
    if not (place / "train").exists():
        own_process("benchmarks.wide", "train", place)()
    return place / "train" / "serving"


def _asked(model: Path, rows: int) -> Callable[[], Any]:
    """What loads a model and gives a function that asks it for some rows of random numbers."""
    import numpy as np
    import tensorflow as tf

    answer = tf.saved_model.load(str(model)).signatures["serving_default"]
    generator = np.random.default_rng(0)
    names = answer.structured_input_signature[1]
    numbers = {name: tf.constant(generator.normal(size=rows)) for name in names}
    return lambda: answer(**numbers)


def _start(model: Path) -> Callable[[], int]:
    """The SavedModel loaded and asked for one row, TensorFlow's import left out."""
    import tensorflow as tf  # noqa: F401  # before the clock starts

    def work() -> int:
        _asked(model, 1)()
        return 1

    return work


def _repeated(ask: Callable[[], Any], count: int) -> Callable[[], Taken]:
    """The median of many answers' times, and of their CPU times; each counts as so many items."""
    for _ in range(3):
        ask()

    def work() -> Taken:
        seconds, cpu = [], []
        for _ in range(scaled(QUESTIONS)):
            used, started = cpu_seconds(), time.perf_counter()
            ask()
            seconds.append(time.perf_counter() - started)
            cpu.append(cpu_seconds() - used)
        return count, statistics.median(seconds), statistics.median(cpu)

    return work


def _alone(work: Callable[[], Taken]) -> Callable[[], Taken]:
    """The same, in a process that has not come to know Polyhead."""
    assert not any(name.partition(".")[0] == "polyhead" for name in sys.modules)
    return work


def _prepared_photos(folder: Path, height: int, width: int) -> Path:
    """A folder with photos of a size, and all artifacts of a model of four of them and four numbers a row."""
    place = folder / f"photos-{height}-{width}"
    if not place.exists():
        own_process("benchmarks.serving", "photos", f"{height}x{width}", place)()
    return place


def _photos(size: str, place: Path) -> Callable[[], int]:
    """Write the photos and train the model, whose pictures are 64 x 64 as those of `pipelines/configs/houses.yaml`."""
    import numpy as np
    import polars as pl
    from PIL import Image

    from polyhead.contracts.config import load_config
    from polyhead.preprocess.step import run as preprocess
    from polyhead.shard.step import run as shard
    from polyhead.train.step import run as train
    from polyhead.validate.step import run as validate

    height, width = map(int, size.split("x"))

    def work() -> int:
        generator = np.random.default_rng(0)
        place.mkdir()
        table: dict[str, Any] = {"key": [f"r{row}" for row in range(PHOTO_ROWS)]}
        for at in range(PHOTOS):
            table[f"photo{at}"] = [f"{at}-{row}.jpg" for row in range(PHOTO_ROWS)]
            for name in table[f"photo{at}"]:
                coarse = Image.fromarray(generator.integers(0, 256, (8, 8, 3), np.uint8))
                coarse.resize((width, height), Image.Resampling.BICUBIC).save(place / name, quality=90)
            table[f"number{at}"] = generator.normal(size=PHOTO_ROWS)
        table["price"] = generator.normal(size=PHOTO_ROWS)
        table["part"] = (["train"] * (PHOTO_ROWS - 64)) + ["val"] * 32 + ["test"] * 32
        pl.DataFrame(table).write_parquet(place / "table.parquet")
        pictures = "".join(f"  photo{at}: {{kind: image, size: [64, 64], tied: photo}}\n" for at in range(PHOTOS))
        numbers = "".join(f"  number{at}: {{kind: numeric}}\n" for at in range(PHOTOS))
        (place / "polyhead.yaml").write_text(
            f"table: table.parquet\nkey: key\nsplit: {{column: part}}\nfeatures:\n{pictures}{numbers}"
            "targets:\n  price: {kind: regression}\ntrain: {epochs: 1}\nensemble: {use: off, members: []}\n"
        )
        config = load_config(place / "polyhead.yaml")
        validate(config=config, table=str(place / "table.parquet"), out=place / "validate")
        preprocess(config=config, data=place / "validate", out=place / "preprocess")
        shard(config=config, data=place / "validate", preprocessing=place / "preprocess", out=place / "shard")
        return train(
            config=config, shards=place / "shard", preprocessing=place / "preprocess", out=place / "train"
        ).epochs

    return work


def _served(rows: int, place: Path) -> Callable[[], Taken]:
    """The SavedModel, from the bytes of the photos' files."""
    import polars as pl
    import tensorflow as tf

    table = pl.read_parquet(place / "table.parquet").head(rows)
    given = {
        name: tf.constant([(place / path).read_bytes() for path in table[name]])
        if name.startswith("photo")
        else tf.constant(table[name].to_numpy(), tf.float64)
        for name in table.columns
        if name.startswith(("photo", "number"))
    }
    answer = tf.saved_model.load(str(place / "train" / "serving")).signatures["serving_default"]
    return _alone(_repeated(lambda: answer(**given), rows))


def _trained(rows: int, place: Path) -> Callable[[], Taken]:
    """The path of training: examples of the shards parsed, their stored pictures decoded, the same network."""
    import itertools

    import keras
    import tensorflow as tf

    from polyhead.contracts.bundle import CORE_MODEL, ModelBundle
    from polyhead.contracts.config import load_config
    from polyhead.contracts.preprocessing import Fitted, Preprocessing
    from polyhead.contracts.shards import ShardManifest
    from polyhead.examples.parsing import Parser
    from polyhead.examples.reading import records
    from polyhead.model import members  # noqa: F401  # Keras finds its layers by their names
    from polyhead.model.outputs import predictions
    from polyhead.model.transforms import FeatureTransforms

    bundle, manifest = ModelBundle.read(place / "train"), ShardManifest.read(place / "shard")
    fitted = Fitted.of(
        Preprocessing.read(place / "preprocess"), load_config(place / "polyhead.yaml"), place / "preprocess"
    )
    parse, transforms = Parser(fitted), FeatureTransforms(fitted, stored=True)
    core = keras.saving.load_model(place / "train" / CORE_MODEL, compile=False, safe_mode=True)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)], autograph=False)
    def forward(examples: Any) -> Any:
        logits = core(transforms(parse.rows(examples)[0]), training=False)
        return predictions(fitted, logits, bundle.corrections, bundle.thresholds, bundle.radii)

    batches = records(manifest, place / "shard", "train", batch_size=rows)
    examples = tf.constant(list(itertools.islice((one for batch in batches for one in batch.numpy()), rows)))
    return _repeated(lambda: forward(examples), rows)


def _case(side: str, name: str, limit: float, folder: Path) -> dict[str, Any]:
    """A side in a process of its own, against the time that it may take."""
    return {
        "name": f"the served graph of {COLUMNS} numbers: {name}",
        "unit": "answers",
        "count": 1,
        "peer": f"the limit of {limit:g} s" if limit >= 1 else f"the limit of {limit * 1e3:g} ms",
        "ours": own_process("benchmarks.serving", side, _prepared(folder)),
        "theirs": lambda: Sample(seconds=limit),
        "asked": {"seconds": 1.0},
    }


def _photo_case(rows: int, height: int, width: int, asked: float | None, folder: Path) -> dict[str, Any]:
    """The served graph against the path of training, each in a process of its own."""
    place = _prepared_photos(folder, height, width)
    return {
        "name": f"the served graph of {PHOTOS} photos of {width} x {height}, {rows} row{'s' * (rows > 1)} a call",
        "unit": "rows",
        "count": rows,
        "peer": "the training path's forward pass",
        "ours": own_process("benchmarks.serving", "served", str(rows), place),
        "theirs": own_process("benchmarks.serving", "trained", str(rows), place),
        "asked": {"seconds": asked, "cpu_seconds": asked},
        "note": "Examples of the shards in memory, parsed, their pictures decoded at 64 x 64, and the same network, in "
        "one graph. The served graph has the photos' files; those that are larger are decoded as they are.",
    }


CASES = {
    "start": partial(_case, "start", "loaded and asked for a row", 1.0),
    "rows_1": partial(_case, "1", "an answer of 1 row, the median", 0.01),
    "rows_64": partial(_case, "64", "an answer of 64 rows, the median", 0.02),
    "rows_256": partial(_case, "256", "an answer of 256 rows, the median", 0.05),
    "photos_rows_1": partial(_photo_case, 1, PHOTO_SIZE, PHOTO_SIZE, 0.9),
    "photos_rows_64": partial(_photo_case, 64, PHOTO_SIZE, PHOTO_SIZE, 0.9),
    "large_photos_rows_1": partial(_photo_case, 1, *LARGE, None),
    "large_photos_rows_64": partial(_photo_case, 64, *LARGE, None),
}

if __name__ == "__main__":
    chosen, *more, where = sys.argv[1:]
    if chosen == "photos":
        report(_photos(*more, Path(where)))
    elif chosen in ("served", "trained"):
        report((_served if chosen == "served" else _trained)(int(more[0]), Path(where)))
    elif chosen == "start":
        report(_start(Path(where)))
    else:
        report(_alone(_repeated(_asked(Path(where), int(chosen)), 1)))
