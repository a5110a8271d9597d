"""Serving 300 numbers a row: a SavedModel's start and its answers, in a process with TensorFlow and without Polyhead.

`python -m benchmarks.serving start FOLDER` loads the SavedModel in FOLDER and asks it once; with a number of rows in
the place of `start` it asks again and again for so many rows, and tells the median of the answers' times. The rows are
tensors by name already; what brings them there over a network is not measured.
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
from benchmarks.side import report
from benchmarks.wide import prepared_wide

COLUMNS, TRAIN_ROWS = 300, 20_000
QUESTIONS = 300


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


def _answers(rows: int, model: Path) -> Callable[[], tuple[int, float]]:
    ask = _asked(model, rows)
    ask()

    def work() -> tuple[int, float]:
        seconds = []
        for _ in range(scaled(QUESTIONS)):
            started = time.perf_counter()
            ask()
            seconds.append(time.perf_counter() - started)
        assert not any(name.partition(".")[0] == "polyhead" for name in sys.modules)
        return 1, statistics.median(seconds)

    return work


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


CASES = {
    "start": partial(_case, "start", "loaded and asked for a row", 1.0),
    "rows_1": partial(_case, "1", "an answer of 1 row, the median", 0.01),
    "rows_64": partial(_case, "64", "an answer of 64 rows, the median", 0.02),
    "rows_256": partial(_case, "256", "an answer of 256 rows, the median", 0.05),
}

if __name__ == "__main__":
    chosen, model_folder = sys.argv[1:]
    report(_start(Path(model_folder)) if chosen == "start" else _answers(int(chosen), Path(model_folder)))
