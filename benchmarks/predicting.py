"""Predicting and evaluating 50,000 rows of ten columns for three heads, against 10,000 rows a second.

`python -m benchmarks.predicting STEP FOLDER` runs one step, train, evaluate or predict, on what `_prepared` has laid
into FOLDER. TensorFlow is there before the clock starts; loading the model and tracing it count.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import scaled
from benchmarks.harness import Sample, own_process
from benchmarks.side import report
from benchmarks.tables import prepared

ROWS, TRAIN_ROWS = 50_000, 8_000
ROWS_PER_SECOND = 10_000


def _prepared(folder: Path) -> Path:
    """A folder with a table, its artifacts and a model of it."""
    counts = {"train": TRAIN_ROWS, "val": TRAIN_ROWS // 8, "test": scaled(ROWS)}
    targets = ("number", "sign", "size")
    place = prepared(folder, {"numeric": 6, "category": 4}, counts, batch=256, epochs=1, targets=targets)
    if not (place / "train").exists():
        own_process("benchmarks.predicting", "train", place)()
    return place


def _train(place: Path) -> Callable[[], int]:
    from polyhead.contracts.config import load_config
    from polyhead.train.step import run as train

    config = load_config(place / "polyhead.yaml")

    def work() -> int:
        return train(
            config=config, shards=place / "shard", preprocessing=place / "preprocess", out=place / "train"
        ).epochs

    return work


def _evaluate(place: Path) -> Callable[[], int]:
    """The whole evaluate step: the model loaded, all rows predicted, scored with their intervals, the report drawn."""
    from polyhead.contracts.config import load_config
    from polyhead.evaluate.step import run as evaluate
    from polyhead.model import backend

    backend.load()
    config = load_config(place / "polyhead.yaml")
    artifacts = {"bundle": place / "train", "shards": place / "shard", "preprocessing": place / "preprocess"}
    return lambda: evaluate(config=config, **artifacts, out=place / "evaluate").rows["test"]


def _predict(place: Path) -> Callable[[], int]:
    """The whole predict step: the model loaded, the table read and cleaned, all rows predicted, a table written."""
    import polars as pl

    from polyhead.model import backend
    from polyhead.predict.step import run as predict

    backend.load()
    table = place / "new.parquet"
    pl.scan_parquet(place / "table.parquet").filter(part="test").sink_parquet(table)
    return lambda: (
        predict(bundle=place / "train", table=str(table), out=place / "new.predictions.parquet").rows_predicted
    )


STEPS: dict[str, Callable[[Path], Callable[[], int]]] = {"train": _train, "evaluate": _evaluate, "predict": _predict}


def _case(step: str, folder: Path) -> dict[str, Any]:
    """A step in a process of its own, against the time that it may take."""
    count = scaled(ROWS)
    return {
        "name": f"`{step}`, 6 numbers, 4 categories and 3 heads",
        "unit": "rows",
        "count": count,
        "peer": f"the limit of {ROWS_PER_SECOND:,} rows/s in `{step}`",
        "ours": own_process("benchmarks.predicting", step, _prepared(folder)),
        "theirs": lambda: Sample(seconds=count / ROWS_PER_SECOND),
        "asked": {"seconds": 1.0},
        "note": STEPS[step].__doc__,
    }


CASES = {step: partial(_case, step) for step in ("evaluate", "predict")}

if __name__ == "__main__":
    chosen, prepared_folder = sys.argv[1:]
    report(STEPS[chosen](Path(prepared_folder)))
