"""Sharding photos to 224 x 224 JPEG, quality 95, and small rows without photos.

Photos are measured against the peers, the codec alone, and Polyhead at other sizes.

`python -m benchmarks.sharding ours FOLDER` shards what `_prepared` or `_small_rows` has laid into FOLDER,
`python -m benchmarks.sharding codec FOLDER` does only the codec's share of it, in memory, and
`python -m benchmarks.sharding loop FOLDER` writes the small rows as everybody does.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import scaled
from benchmarks.harness import Asked, Measure, Sample, own_process, whole_command
from benchmarks.side import available_cpus, report

SIZE = 224
IMAGES = 2_200
ROWS, LOOP_ROWS = 1_000_000, 50_000
RATE = 1_000_000
NAME = f"photos to {SIZE} x {SIZE} JPEG"
PHOTOS = Path(__file__).parents[2] / "shared" / "data" / "photos"


def _codec(folder: Path) -> dict[str, Any]:
    """Against the limit: decoding, resizing and encoding, and nothing else."""
    place = _prepared(folder, scaled(IMAGES))
    return {
        "name": NAME,
        "unit": "images",
        "count": scaled(IMAGES),
        "peer": "the codec alone",
        "ours": _ours(place),
        "theirs": own_process("benchmarks.sharding", "codec", place),
        "asked": {"seconds": 0.85},
        "note": _limit.__doc__,
    }


def _start_up(folder: Path) -> dict[str, Any]:
    """The command on ten rows, against the time that a person does not mind."""
    place, limit = _prepared(folder, 10), 1.5
    options = ("--data", place / "validate", "--preprocessing", place / "preprocess", "--out", place / "shard")
    command = whole_command("-m", "polyhead", "shard", place / "polyhead.yaml", *options)

    def ours() -> Sample:
        shutil.rmtree(place / "shard", ignore_errors=True)
        return command()

    return {
        "name": "the command `polyhead shard` on 10 rows",
        "unit": "commands",
        "count": 1,
        "peer": f"the limit of {limit} s",
        "ours": ours,
        "theirs": lambda: Sample(process_seconds=limit),
        "asked": {"process_seconds": 1.0},
    }


def _against(name: str, title: str, asked: float, folder: Path) -> dict[str, Any]:
    """The same photos through another tool, start included as its users wait for it."""
    from benchmarks.peers.sharding import PEERS

    count = scaled(IMAGES)
    place, out = folder / f"photos-{count}", folder / name
    peer = own_process("benchmarks.peers.sharding", name, place / "paths.txt", out, peers=True)
    _prepared(folder, count)

    def theirs() -> Sample:
        shutil.rmtree(out, ignore_errors=True)
        return peer()

    measures: dict[Measure, Asked] = {"process_seconds": asked, "seconds": None, "peak_bytes": 4.0}
    return {
        "name": NAME,
        "unit": "images",
        "count": count,
        "peer": title,
        "ours": _ours(place),
        "theirs": theirs,
        "asked": measures,
        "note": PEERS[name].__doc__,
    }


def _size(images: int, folder: Path) -> dict[str, Any]:
    """Many photos against 2,000: the time for one and the memory for all shall be the same."""
    count, few = scaled(images), scaled(2_000)
    return {
        "name": NAME,
        "unit": "images",
        "count": count,
        "peer": f"Polyhead on {few:,} images",
        "peer_count": few,
        "ours": _ours(_prepared(folder, count)),
        "theirs": _ours(_prepared(folder, few)),
        "asked": {"seconds": (0.9, 1.1), "peak_bytes": (0.85, 1.15)},
    }


def _rows_against_rate(folder: Path) -> dict[str, Any]:
    """Rows of two numbers, a category and a number to predict, against so many of them a second."""
    count = scaled(ROWS)
    return {
        "name": "rows of 3 numbers and a category",
        "unit": "rows",
        "count": count,
        "peer": f"the limit of {RATE:,} rows/s",
        "ours": _ours(_small_rows(folder, count)),
        "theirs": lambda: Sample(seconds=count / RATE),
        "asked": {"seconds": 1.0},
        "note": "The whole shard step on two processors.",
    }


def _rows_against_loop(folder: Path) -> dict[str, Any]:
    """The same rows through the loop that everybody writes."""
    count, few = scaled(ROWS), scaled(LOOP_ROWS)
    return {
        "name": "rows of 3 numbers and a category",
        "unit": "rows",
        "count": count,
        "peer": "a loop with tf.io.TFRecordWriter",
        "peer_count": few,
        "ours": _ours(_small_rows(folder, count)),
        "theirs": own_process("benchmarks.sharding", "loop", _small_rows(folder, few)),
        "asked": {"seconds": None, "cpu_seconds": None, "peak_bytes": None},
        "note": _loop.__doc__,
    }


def _small_rows(folder: Path, count: int) -> Path:
    """A folder with a table without photos, and the artifacts that the shard step starts from."""
    import numpy as np
    import polars as pl

    place = folder / f"rows-{count}"
    if place.exists():
        return place
    place.mkdir()
    generator = np.random.default_rng(0)
    pl.DataFrame(
        {
            "id": [f"r{row}" for row in range(count)],
            "a": generator.normal(size=count),
            "b": generator.normal(size=count),
            "c": pl.Series(generator.integers(0, 1_000, count)).cast(pl.String),
            "y": generator.normal(size=count),
        }
    ).write_parquet(place / "table.parquet")
    (place / "polyhead.yaml").write_text(
        "table: table.parquet\nkey: id\n"
        "features: {a: {kind: numeric}, b: {kind: numeric}, c: {kind: category}}\n"
        "targets: {y: {kind: regression}}\n"
    )
    _earlier_steps(place, place / "table.parquet")
    return place


def _earlier_steps(place: Path, table: Path) -> None:
    from polyhead.contracts.config import load_config
    from polyhead.preprocess.step import run as preprocess
    from polyhead.validate.step import run as validate

    config = load_config(place / "polyhead.yaml")
    validate(config=config, table=str(table), out=place / "validate")
    preprocess(config=config, data=place / "validate", out=place / "preprocess")


def _ours(place: Path) -> Callable[[], Sample]:
    return own_process("benchmarks.sharding", "ours", place)


def _prepared(folder: Path, count: int) -> Path:
    """A folder with what the shard step and its peers start from: a table of so many photos, and earlier artifacts."""
    place = folder / f"photos-{count}"
    if place.exists():
        return place
    place.mkdir()
    found = photos(folder)
    paths = [found[i % len(found)] for i in range(count)]
    (place / "paths.txt").write_text("\n".join(map(str, paths)))
    (place / "photos.csv").write_text(
        "id,photo,label\n" + "".join(f"{i},{path},{'ab'[i % 2]}\n" for i, path in enumerate(paths))
    )
    (place / "polyhead.yaml").write_text(
        f"table: photos.csv\nkey: id\nimage_root: {paths[0].parent}\n"
        f"features: {{photo: {{kind: image, size: [{SIZE}, {SIZE}], store: jpeg, quality: 95, subsampling: 420}}}}\n"
        "targets: {label: {kind: multiclass}}\n"
        "split: {fractions: {train: 0.8, val: 0.1, test: 0.1}}\n"
    )
    _earlier_steps(place, place / "photos.csv")
    return place


def photos(folder: Path) -> list[Path]:
    """The photos beside the checkout, or made-up ones of their usual size where there are none."""
    import numpy as np
    from PIL import Image

    found = sorted(PHOTOS.resolve().glob("*.jpg"))
    if found:
        return found
    made = folder / "photos"
    if not made.exists():
        made.mkdir()
        generator = np.random.default_rng(0)
        for i in range(200):
            coarse = Image.fromarray(generator.integers(0, 256, (18, 24, 3), dtype=np.uint8))
            coarse.resize((770, 575), Image.Resampling.BICUBIC).save(made / f"{i}.jpg", quality=90)
    return sorted(made.glob("*.jpg"))


def _step(place: Path) -> Callable[[], int]:
    """The whole shard step, manifest included."""
    from polyhead.contracts.config import load_config
    from polyhead.shard.step import run as shard

    config = load_config(place / "polyhead.yaml")
    shutil.rmtree(place / "shard", ignore_errors=True)

    def work() -> int:
        manifest = shard(
            config=config, data=place / "validate", preprocessing=place / "preprocess", out=place / "shard"
        )
        return sum(manifest.rows.values())

    return work


def _limit(place: Path) -> Callable[[], int]:
    """Polyhead's own decoder, resizer and encoder on photos that lie in memory, a thread for each processor."""
    from concurrent.futures import ThreadPoolExecutor

    from polyhead.contracts.config import load_config
    from polyhead.examples.stored import stored_bytes
    from polyhead.pictures.decode import decode_picture
    from polyhead.pictures.resize import resize

    config = load_config(place / "polyhead.yaml")
    feature, limit = config.pictured["photo"], config.validate_.max_pixels
    paths = (place / "paths.txt").read_text().splitlines()
    files = {path: Path(path).read_bytes() for path in paths}
    threads = available_cpus()

    def one(path: str) -> None:
        picture = decode_picture(files[path], max_pixels=limit, at_least=feature.size)
        stored_bytes(resize(picture, feature.size), feature)

    def share(thread: int) -> int:
        chosen = paths[thread::threads]
        for path in chosen:
            one(path)
        return len(chosen)

    def work() -> int:
        with ThreadPoolExecutor(threads) as pool:
            return sum(pool.map(share, range(threads)))

    return work


def _loop(place: Path) -> Callable[[], int]:
    """One row after the other: `tf.train.Example`, and TensorFlow's own record writer; of 50,000 rows."""
    import pyarrow.parquet as pq
    import tensorflow as tf

    def work() -> int:
        rows = pq.read_table(place / "validate" / "clean.parquet", columns=["__key__", "a", "b", "c", "y"]).to_pylist()
        with tf.io.TFRecordWriter(str(place / "rows.tfrecord")) as writer:
            for row in rows:
                entries = {
                    name: tf.train.Feature(float_list=tf.train.FloatList(value=[value]))
                    if isinstance(value, float)
                    else tf.train.Feature(bytes_list=tf.train.BytesList(value=[value.encode()]))
                    for name, value in row.items()
                }
                writer.write(tf.train.Example(features=tf.train.Features(feature=entries)).SerializeToString())
        return len(rows)

    return work


CASES = {
    "img2dataset": partial(_against, "img2dataset", "img2dataset", 4.0),
    "tensorflow_datasets": partial(_against, "tensorflow_datasets", "TensorFlow Datasets", 5.5),
    "hugging_face": partial(_against, "hugging_face", "Hugging Face datasets, to Parquet", 2.5),
    "pillow_loop": partial(_against, "pillow_loop", "a loop with Pillow and tf.io.TFRecordWriter", 6.0),
    "codec": _codec,
    "start_up": _start_up,
    "images_6000": partial(_size, 6_000),
    "images_20000": partial(_size, 20_000),
    "images_60000": partial(_size, 60_000),
    "small_rows": _rows_against_rate,
    "small_rows_loop": _rows_against_loop,
}

SIDES = {"ours": _step, "codec": _limit, "loop": _loop}

if __name__ == "__main__":
    side, prepared_folder = sys.argv[1:]
    report(SIDES[side](Path(prepared_folder)))
