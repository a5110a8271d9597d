"""Wide tables: hundreds of numbers or categories, fitted, sharded and trained for two epochs in batches of 256.

`python -m benchmarks.wide STEP FOLDER` runs one step, preprocess, shard or train, on what `prepared_wide` has laid into
FOLDER.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import scaled
from benchmarks.harness import Asked, Measure, Sample, own_process
from benchmarks.side import report
from benchmarks.tables import Kind, prepared

EPOCHS, BATCH = 2, 256


def prepared_wide(folder: Path, kind: Kind, columns: int, rows: int) -> Path:
    """A folder with a table and the artifacts that training starts from."""
    held_out = rows * 3 // 20
    counts = {"train": rows - 2 * held_out, "val": held_out, "test": held_out}
    return prepared(folder, {kind: columns}, counts, batch=BATCH, epochs=EPOCHS)


def _preprocess(place: Path) -> Callable[[], int]:
    """The whole preprocess step. Cells are counted, so that the widths can be compared."""
    from polyhead.contracts.config import load_config
    from polyhead.preprocess.step import run as preprocess

    config = load_config(place / "polyhead.yaml")

    def work() -> int:
        fitted = preprocess(config=config, data=place / "validate", out=place / "preprocess")
        return sum(fitted.rows.values()) * len(fitted.features)

    return work


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


STEPS: dict[str, Callable[[Path], Callable[[], int]]] = {"preprocess": _preprocess, "shard": _shard, "train": _train}


def _width(columns: int, rows: int, fewer: int, more_rows: int, folder: Path) -> dict[str, Any]:
    """`preprocess` of many columns against fewer: what a cell costs should hardly depend on how many a row has."""
    rows, more_rows = scaled(rows), scaled(more_rows)
    return {
        "name": f"`preprocess` of {columns:,} numbers a row",
        "unit": "cells",
        "count": columns * rows,
        "peer": f"Polyhead on {fewer:,} numbers a row",
        "peer_count": fewer * more_rows,
        "ours": own_process("benchmarks.wide", "preprocess", prepared_wide(folder, "numeric", columns, rows)),
        "theirs": own_process("benchmarks.wide", "preprocess", prepared_wide(folder, "numeric", fewer, more_rows)),
        "asked": {"seconds": 0.5, "cpu_seconds": 0.5},
        "note": _preprocess.__doc__,
    }


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
        "ours": own_process("benchmarks.wide", step, prepared_wide(folder, kind, columns, count)),
        "theirs": lambda: limit,
        "asked": measures,
        "note": STEPS[step].__doc__,
    }


CASES = {
    "preprocess_2000_numbers": partial(_width, 2_000, 5_000, 300, 20_000),
    "shard_300_numbers": partial(_case, "shard", "numeric", 300, 20_000, 3.0, None),
    "train_300_numbers": partial(_case, "train", "numeric", 300, 20_000, 30.0, 1.3),
    "train_2000_numbers": partial(_case, "train", "numeric", 2_000, 5_000, 60.0, None),
    "train_100_categories": partial(_case, "train", "category", 100, 20_000, 30.0, 1.3),
}

if __name__ == "__main__":
    chosen, prepared_folder = sys.argv[1:]
    report(STEPS[chosen](Path(prepared_folder)))
