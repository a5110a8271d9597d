"""Wide tables: hundreds of numbers or categories, sharded and trained for two epochs in batches of 256.

`python -m benchmarks.wide STEP FOLDER` runs one step, shard or train, on what `_prepared` has laid into FOLDER.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import polars as pl

from benchmarks import scaled
from benchmarks.harness import Asked, Measure, Sample, own_process
from benchmarks.side import report

EPOCHS, BATCH = 2, 256
VALUES = 1_000
TELLING = 5

Kind = Literal["numeric", "category"]


def _columns(kind: Kind, columns: int, rows: int) -> tuple[dict[str, pl.Series], np.ndarray]:
    """The table's features, and a number that follows from the first five of them and from chance."""
    generator = np.random.default_rng(0)
    drawn = [
        generator.normal(size=rows) if kind == "numeric" else generator.integers(0, VALUES, rows)
        for _ in range(columns)
    ]
    target = sum(values if kind == "numeric" else values % 7 for values in drawn[:TELLING])
    cast = pl.Float64 if kind == "numeric" else pl.String
    features = {f"x{at}": pl.Series(values).cast(cast) for at, values in enumerate(drawn)}
    return features, target + generator.normal(size=rows)


def _prepared(folder: Path, kind: Kind, columns: int, rows: int) -> Path:
    """A folder with a table and the artifacts that training starts from."""
    from polyhead.contracts.config import load_config
    from polyhead.preprocess.step import run as preprocess
    from polyhead.validate.step import run as validate

    place = folder / f"{kind}-{columns}-{rows}"
    if place.exists():
        return place
    place.mkdir()
    features, target = _columns(kind, columns, rows)
    keys = [f"r{row}" for row in range(rows)]
    pl.DataFrame({"id": keys, **features, "y": target}).write_parquet(place / "table.parquet")
    (place / "polyhead.yaml").write_text(
        "table: table.parquet\nkey: id\nfeatures:\n"
        + "".join(f"  {name}: {{kind: {kind}}}\n" for name in features)
        + f"targets: {{y: {{kind: regression}}}}\ntrain: {{epochs: {EPOCHS}, batch_size: {BATCH}}}\n"
    )
    config = load_config(place / "polyhead.yaml")
    validate(config=config, table=str(place / "table.parquet"), out=place / "validate")
    preprocess(config=config, data=place / "validate", out=place / "preprocess")
    _shard(place)()
    return place


def _shard(place: Path) -> Callable[[], int]:
    """The whole shard step."""
    from polyhead.contracts.config import load_config
    from polyhead.shard.step import run as shard

    config = load_config(place / "polyhead.yaml")
    shutil.rmtree(place / "shard", ignore_errors=True)

    def work() -> int:
        artifacts = {"data": place / "validate", "preprocessing": place / "preprocess"}
        return sum(shard(config=config, **artifacts, out=place / "shard").rows.values())

    return work


def _train(place: Path) -> Callable[[], int]:
    """The whole train step, TensorFlow's start and the SavedModel included."""
    from polyhead.contracts.config import load_config
    from polyhead.contracts.shards import ShardManifest
    from polyhead.train.step import run as train

    config = load_config(place / "polyhead.yaml")
    shutil.rmtree(place / "train", ignore_errors=True)

    def work() -> int:
        artifacts = {"shards": place / "shard", "preprocessing": place / "preprocess"}
        train(config=config, **artifacts, out=place / "train")
        return sum(ShardManifest.read(place / "shard").rows.values())

    return work


STEPS: dict[str, Callable[[Path], Callable[[], int]]] = {"shard": _shard, "train": _train}


def _case(
    step: str, kind: Kind, columns: int, rows: int, seconds: float, gigabytes: float | None, folder: Path
) -> dict[str, Any]:
    """A step in a process of its own, against the time and the memory that it may take."""
    count = scaled(rows)
    measures: dict[Measure, Asked] = {"seconds": 1.0}
    limit = Sample(seconds=seconds)
    if gigabytes is not None:
        measures["peak_bytes"] = 1.0
        limit = Sample(seconds=seconds, peak_bytes=int(gigabytes * 1e9))
    limits = f"{seconds:g} s" if gigabytes is None else f"{seconds:g} s and {gigabytes:g} GB"
    return {
        "name": f"`{step}` of {columns:,} {'numbers' if kind == 'numeric' else 'categories'} a row",
        "unit": "rows",
        "count": count,
        "peer": f"the limit of {limits}",
        "ours": own_process("benchmarks.wide", step, _prepared(folder, kind, columns, count)),
        "theirs": lambda: limit,
        "asked": measures,
        "note": STEPS[step].__doc__,
    }


CASES = {
    "shard_300_numbers": partial(_case, "shard", "numeric", 300, 20_000, 3.0, None),
    "train_300_numbers": partial(_case, "train", "numeric", 300, 20_000, 30.0, 1.3),
    "train_2000_numbers": partial(_case, "train", "numeric", 2_000, 5_000, 60.0, None),
    "train_100_categories": partial(_case, "train", "category", 100, 20_000, 30.0, 1.3),
}

if __name__ == "__main__":
    chosen, prepared_folder = sys.argv[1:]
    report(STEPS[chosen](Path(prepared_folder)))
