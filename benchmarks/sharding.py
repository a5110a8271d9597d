"""Sharding photos to 224 x 224 JPEG, quality 95: against the peers, the codec alone, and itself at other sizes.

`python -m benchmarks.sharding ours FOLDER` shards what `_prepared` has laid into FOLDER, and
`python -m benchmarks.sharding codec FOLDER` does only the codec's share of it, in memory.
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


def _ours(place: Path) -> Callable[[], Sample]:
    return own_process("benchmarks.sharding", "ours", place)


def _prepared(folder: Path, count: int) -> Path:
    """A folder with what the shard step and its peers start from: a table of so many photos, and earlier artifacts."""
    from polyhead.contracts.config import load_config
    from polyhead.preprocess.step import run as preprocess
    from polyhead.validate.step import run as validate

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
    config = load_config(place / "polyhead.yaml")
    validate(config=config, table=str(place / "photos.csv"), out=place / "validate")
    preprocess(config=config, data=place / "validate", out=place / "preprocess")
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
}

SIDES = {"ours": _step, "codec": _limit}

if __name__ == "__main__":
    side, prepared_folder = sys.argv[1:]
    report(SIDES[side](Path(prepared_folder)))
