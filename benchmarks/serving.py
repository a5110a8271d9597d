"""Serving: a SavedModel's start and its answers, in a process with TensorFlow and without Polyhead.

`python -m benchmarks.serving start FOLDER` loads the SavedModel in FOLDER, of 300 numbers a row, and asks it once; with
a number of rows in the place of `start` it asks again and again for so many rows, and tells the median of the answers'
times. The rows are tensors by name already; what brings them there over a network is not measured.

`python -m benchmarks.serving served ROWS FOLDER` does the same with a model of four photos a row, by its SavedModel
from the photos' files; `trained ROWS STORE FOLDER` by the path of training, from the same rows' examples in the shards:
it parses them, makes pixels of what they hold, and calls the same network, in one graph.

Both sides have to do the same work: the same encoded pictures in, the same numbers out. So the peer that counts is the
path over shards with `store: jpeg`, which hold the very files that are sent, since these have the feature's size. Its
decoder is simplejpeg, outside of the graph and with no regard to files that cannot be decoded; the SavedModel has to
find out what each file is, and to fail no row for another's file, with TensorFlow's operations alone.

Beside it, with nothing asked, is the path over shards with `store: raw`, the default: it decodes nothing, since `shard`
has done so once for all epochs, so decoding itself counts against the served graph there. Photos that are larger than
the feature's size are compared with that path only, to show what sending them as they are costs: the served graph
decodes and resizes them, and shards hold no such file. `photos` leaves no model whose two sides say different numbers.
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
QUESTIONS, LEAST_QUESTIONS = 300, 50
PHOTOS, PHOTO_SIZE, PHOTO_ROWS = 4, 64, 192
LARGE = (360, 480)
MOST_ROWS = 64
RAW, ENCODED = "raw", "jpeg"
TOLERANCE = 1e-5

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
    """The median of many answers' times, and of their CPU times; each counts as so many items.

    Of many items fewer answers are asked for, each of which is an average over the items already.
    """
    for _ in range(3):
        ask()

    def work() -> Taken:
        seconds, cpu = [], []
        for _ in range(scaled(max(QUESTIONS // count, LEAST_QUESTIONS))):
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


def _stores(height: int, width: int) -> list[str]:
    """How shards hold photos of a size; encoded only where that leaves the file as it is."""
    return [RAW, ENCODED] if height == width == PHOTO_SIZE else [RAW]


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
        numbers = "".join(f"  number{at}: {{kind: numeric}}\n" for at in range(PHOTOS))
        for store in _stores(height, width):
            photo = f"{{kind: image, size: [{PHOTO_SIZE}, {PHOTO_SIZE}], tied: photo, store: {store}}}"
            photos = "".join(f"  photo{at}: {photo}\n" for at in range(PHOTOS))
            at = place / store
            at.mkdir()
            (at / "polyhead.yaml").write_text(
                f"table: ../table.parquet\nkey: key\nsplit: {{column: part}}\nfeatures:\n{photos}{numbers}"
                "targets:\n  price: {kind: regression}\ntrain: {epochs: 1}\nensemble: {use: off, members: []}\n"
            )
            config = load_config(at / "polyhead.yaml")
            validate(config=config, table=str(place / "table.parquet"), out=at / "validate")
            preprocess(config=config, data=at / "validate", out=at / "preprocess")
            shard(config=config, data=at / "validate", preprocessing=at / "preprocess", out=at / "shard")
        config = load_config(place / RAW / "polyhead.yaml")
        shards, preprocessing = place / RAW / "shard", place / RAW / "preprocess"
        train(config=config, shards=shards, preprocessing=preprocessing, out=place / "train")
        served = {name: of.numpy() for name, of in _ask_served(MOST_ROWS, place)().items()}
        for store in _stores(height, width):
            for name, of in _ask_trained(MOST_ROWS, store, place)().items():
                np.testing.assert_allclose(served[name], of.numpy(), rtol=TOLERANCE, atol=TOLERANCE)
        return PHOTO_ROWS

    return work


def _ask_served(rows: int, place: Path) -> Callable[[], Any]:
    """What asks the SavedModel with the bytes of the photos' files, of rows in the order of the table."""
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
    return lambda: answer(**given)


def _ask_trained(rows: int, store: str, place: Path) -> Callable[[], Any]:
    """What takes the same rows through the path of training."""
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

    at = place / store
    bundle, manifest = ModelBundle.read(place / "train"), ShardManifest.read(at / "shard")
    fitted = Fitted.of(Preprocessing.read(at / "preprocess"), load_config(at / "polyhead.yaml"), at / "preprocess")
    parse, transforms = Parser(fitted), FeatureTransforms(fitted, stored=True)
    core = keras.saving.load_model(place / "train" / CORE_MODEL, compile=False, safe_mode=True)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)], autograph=False)
    def forward(examples: Any) -> Any:
        logits = core(transforms(parse.rows(examples)[0]), training=False)
        return predictions(fitted, logits, bundle.corrections, bundle.thresholds, bundle.radii)

    held = {
        key: example
        for batch in records(manifest, at / "shard", "train", batch_size=PHOTO_ROWS)
        for key, example in zip(parse(batch)[0].numpy(), batch.numpy(), strict=True)
    }
    examples = tf.constant([held[f"r{row}".encode()] for row in range(rows)])
    return lambda: forward(examples)


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


def _photo_case(rows: int, height: int, width: int, store: str, asked: float | None, folder: Path) -> dict[str, Any]:
    """The served graph against the path of training, each in a process of its own."""
    place = _prepared_photos(folder, height, width)
    encoded = store == ENCODED
    return {
        "name": f"the served graph of {PHOTOS} photos of {width} x {height}, {rows} row{'s' * (rows > 1)} a call",
        "unit": "rows",
        "count": rows,
        "peer": f"the training path's forward pass, {'encoded' if encoded else 'decoded'} pictures in the shards",
        "ours": own_process("benchmarks.serving", "served", str(rows), place),
        "theirs": own_process("benchmarks.serving", "trained", str(rows), store, place),
        "asked": {"seconds": asked, "cpu_seconds": asked},
        "note": "The same rows' examples in memory, parsed, the files in them decoded, which are those that are sent, "
        "and the same network, in one graph: the same work, and the same answers. Its decoder is called through "
        "Python, once for each column, which in a single row counts for more than the decoding."
        if encoded
        else "Examples that hold pixels of 64 x 64, as `shard` stores them by default: nothing is decoded for the same "
        "answers. The served graph has the photos' files, decodes them, and resizes those that are larger.",
    }


CASES = {
    "start": partial(_case, "start", "loaded and asked for a row", 1.0),
    "rows_1": partial(_case, "1", "an answer of 1 row, the median", 0.01),
    "rows_64": partial(_case, "64", "an answer of 64 rows, the median", 0.02),
    "rows_256": partial(_case, "256", "an answer of 256 rows, the median", 0.05),
    "photos_rows_1": partial(_photo_case, 1, PHOTO_SIZE, PHOTO_SIZE, ENCODED, 0.9),
    "photos_rows_64": partial(_photo_case, 64, PHOTO_SIZE, PHOTO_SIZE, ENCODED, 0.9),
    "decoded_photos_rows_1": partial(_photo_case, 1, PHOTO_SIZE, PHOTO_SIZE, RAW, None),
    "decoded_photos_rows_64": partial(_photo_case, 64, PHOTO_SIZE, PHOTO_SIZE, RAW, None),
    "large_photos_rows_1": partial(_photo_case, 1, *LARGE, RAW, None),
    "large_photos_rows_64": partial(_photo_case, 64, *LARGE, RAW, None),
}

if __name__ == "__main__":
    chosen, *more, where = sys.argv[1:]
    if chosen == "photos":
        report(_photos(*more, Path(where)))
    elif chosen == "served":
        rows = int(more[0])
        report(_alone(_repeated(_ask_served(rows, Path(where)), rows)))
    elif chosen == "trained":
        rows = int(more[0])
        report(_repeated(_ask_trained(rows, more[1], Path(where)), rows))
    elif chosen == "start":
        report(_start(Path(where)))
    else:
        report(_alone(_repeated(_asked(Path(where), int(chosen)), 1)))
