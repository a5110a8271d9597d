"""Photos to 224 x 224 JPEG, quality 95, 4:2:0, packed into files, as each peer's own users do it.

`python -m benchmarks.peers.sharding PEER LIST OUT` packs the photos that the file LIST names, one path a line, into
the new folder OUT. Each peer resizes with an antialiased filter and uses all the processors that it knows how to use.
"""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.side import available_cpus, report

SIZE = 224
QUALITY = 95

Work = Callable[[], int | tuple[int, float]]


def img2dataset(paths: list[str], out: Path) -> Work:
    """img2dataset from `file://` addresses to its webdataset tar files, a process for each processor.

    None of its modes changes the aspect ratio: it resizes the smaller side to 224 with its default filter, OpenCV's
    area average, and crops the middle. Hashes, EXIF and the look at HTTP headers are off, and a process reads with
    four threads: 256, the default, is for a network. Its processes take seconds to start; by its own clock, that
    of its shards, they have started.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq
    from img2dataset import download

    os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"  # or each process asks a server for a newer version
    out.mkdir()
    table = out / "list.parquet"
    pq.write_table(pa.table({"url": [Path(path).as_uri() for path in paths]}), table)
    processes = available_cpus()

    def work() -> tuple[int, float]:
        download(
            url_list=str(table),
            input_format="parquet",
            output_folder=str(out / "shards"),
            output_format="webdataset",
            image_size=SIZE,
            resize_mode="center_crop",
            encode_quality=QUALITY,
            processes_count=processes,
            thread_count=4,
            number_sample_per_shard=-(-len(paths) // processes),
            extract_exif=False,
            compute_hash=None,
            disallowed_header_directives=[],
        )
        shards = [json.loads(path.read_text()) for path in (out / "shards").glob("*_stats.json")]
        seconds = max(shard["end_time"] for shard in shards) - min(shard["start_time"] for shard in shards)
        return sum(shard["successes"] for shard in shards), seconds

    return work


def tensorflow_datasets(paths: list[str], out: Path) -> Work:
    """A `GeneratorBasedBuilder` with a JPEG image feature, resizing with Pillow while it generates.

    Without Apache Beam a builder generates in one thread. It shuffles the examples through files of its own.
    """
    import numpy as np
    import tensorflow  # noqa: F401, ICN001 - the builder would import it while it is timed
    import tensorflow_datasets as tfds
    from PIL import Image

    class Photos(tfds.core.GeneratorBasedBuilder):  # type: ignore[misc]
        """The photos with a label."""

        VERSION = tfds.core.Version("1.0.0")

        def _info(self) -> Any:
            photo = tfds.features.Image(shape=(SIZE, SIZE, 3), encoding_format="jpeg")
            label = tfds.features.ClassLabel(names=["a", "b"])
            features = tfds.features.FeaturesDict({"photo": photo, "label": label})
            return tfds.core.DatasetInfo(builder=self, features=features)

        def _split_generators(self, _: Any) -> dict[str, Any]:
            return {"train": self._generate_examples()}

        def _generate_examples(self) -> Iterator[tuple[int, dict[str, Any]]]:
            for i, path in enumerate(paths):
                with Image.open(path) as image:
                    small = image.convert("RGB").resize((SIZE, SIZE), Image.Resampling.BILINEAR)
                yield i, {"photo": np.asarray(small), "label": "ab"[i % 2]}

    def work() -> int:
        builder = Photos(data_dir=out)
        builder.download_and_prepare()
        return int(builder.info.splits["train"].num_examples)

    return work


def hugging_face(paths: list[str], out: Path) -> Work:
    """Hugging Face datasets: an image column, resized by `map` with a process for each processor, to Parquet."""
    import datasets

    datasets.config.HF_DATASETS_CACHE = out / "cache"
    datasets.disable_progress_bars()
    out.mkdir()
    features = datasets.Features({"photo": datasets.Image(), "label": datasets.ClassLabel(names=["a", "b"])})

    def work() -> int:
        photos = datasets.Dataset.from_dict(
            {"photo": paths, "label": [i % 2 for i in range(len(paths))]}, features=features
        )
        small = photos.map(
            _small, features=features, num_proc=available_cpus(), cache_file_name=str(out / "small.arrow")
        )
        small.to_parquet(out / "photos.parquet")
        return len(small)

    return work


def _small(row: dict[str, Any]) -> dict[str, Any]:
    from PIL import Image

    buffer = io.BytesIO()
    small = row["photo"].convert("RGB").resize((SIZE, SIZE), Image.Resampling.BILINEAR)
    small.save(buffer, "JPEG", quality=QUALITY)
    return {"photo": {"bytes": buffer.getvalue(), "path": None}}


def pillow_loop(paths: list[str], out: Path) -> Work:
    """The loop that everybody writes, one photo after the other: Pillow, and TensorFlow's own record writer."""
    import tensorflow as tf
    from PIL import Image

    out.mkdir()

    def work() -> int:
        with tf.io.TFRecordWriter(str(out / "photos.tfrecord")) as writer:
            for i, path in enumerate(paths):
                with Image.open(path) as image:
                    small = image.convert("RGB").resize((SIZE, SIZE), Image.Resampling.BILINEAR)
                buffer = io.BytesIO()
                small.save(buffer, "JPEG", quality=QUALITY)
                entries = {
                    "photo": tf.train.Feature(bytes_list=tf.train.BytesList(value=[buffer.getvalue()])),
                    "label": tf.train.Feature(bytes_list=tf.train.BytesList(value=[b"ab"[i % 2 : i % 2 + 1]])),
                }
                writer.write(tf.train.Example(features=tf.train.Features(feature=entries)).SerializeToString())
        return len(paths)

    return work


PEERS = {peer.__name__: peer for peer in (img2dataset, tensorflow_datasets, hugging_face, pillow_loop)}

if __name__ == "__main__":
    name, paths_file, folder = sys.argv[1:]
    report(PEERS[name](Path(paths_file).read_text().splitlines(), Path(folder)))
