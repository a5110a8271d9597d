"""A small model of every kind of input, trained once, and new tables to predict."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from buckets import gs_gate, gs_store, quick, s3_store, store, temporary  # noqa: F401
from PIL import Image
from trainings import leave_out_serving

from polyhead.contracts.config import parse_config
from polyhead.model import backend
from polyhead.preprocess import step as preprocess_step
from polyhead.shard import step as shard_step
from polyhead.train import step as train_step
from polyhead.validate import step as validate_step

CONFIG = """
table: table.csv
key: id
features:
  photo:  {kind: image, size: [12, 8], column: path}
  size:   {kind: numeric, max: 1000}
  colour: {kind: category, required: true}
  note:   {kind: text, min_documents: 1}
targets:
  price: {kind: regression}
  sold:  {kind: binary}
split: {column: part}
train: {epochs: 1}
model: {width: 8}
ensemble: {members: []}
"""
COLOURS = ("red", "green", "blue")


@dataclass(frozen=True)
class Model:
    """A trained bundle and the folder of pictures that new tables name."""

    bundle: Path
    folder: Path

    def rows(self, count: int) -> pl.DataFrame:
        """Rows to predict, every cell of which is good: key and features only."""
        return table(count).drop("price", "sold", "part")


def table(count: int) -> pl.DataFrame:
    """A labelled table of pictures 0 to 39."""
    return pl.DataFrame(
        {
            "id": [f"k{row}" for row in range(count)],
            "path": [f"{row % 40}.png" for row in range(count)],
            "size": [float(row) for row in range(count)],
            "colour": [COLOURS[row % 3] for row in range(count)],
            "note": [f"note {row % 5} ü" for row in range(count)],
            "price": [10.0 + row for row in range(count)],
            "sold": [("no", "yes")[row % 2] for row in range(count)],
            "part": [("train", "train", "val", "test")[row % 4] for row in range(count)],
        }
    )


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """Trained for one epoch on 40 rows. Tests only read it."""
    backend.load()
    folder = tmp_path_factory.mktemp("model")
    generator = np.random.default_rng(0)
    for row in range(40):
        Image.fromarray(generator.integers(0, 256, (15, 11, 3), dtype=np.uint8)).save(folder / f"{row}.png")
    table(40).write_csv(folder / "table.csv")
    config = parse_config(CONFIG)
    places = {name: folder / name for name in ("v", "p", "s", "t")}
    validate_step.run(config=config, table=str(folder / "table.csv"), out=places["v"])
    preprocess_step.run(config=config, data=places["v"], out=places["p"])
    shard_step.run(config=config, data=places["v"], preprocessing=places["p"], out=places["s"])
    with pytest.MonkeyPatch.context() as patch:
        leave_out_serving(patch)
        train_step.run(config=config, shards=places["s"], preprocessing=places["p"], out=places["t"])
    return Model(places["t"], folder)


@pytest.fixture
def predict(model: Model, tmp_path: Path) -> Any:
    """Predicts a frame as a table beside the pictures; gives the summary, the predictions and the rejected rows."""
    from polyhead.predict import step

    count = iter(range(100))

    def run(frame: pl.DataFrame, suffix: str = ".csv", **options: Any) -> tuple[Any, pl.DataFrame, pl.DataFrame | None]:
        place = model.folder / f"{tmp_path.name}-{next(count)}{suffix}"
        writers: dict[str, Any] = {
            ".csv": frame.write_csv,
            ".parquet": frame.write_parquet,
            ".jsonl": frame.write_ndjson,
        }
        writers[suffix](place)
        out = tmp_path / "out.parquet"
        summary = step.run(bundle=model.bundle, table=str(place), out=out, **options)
        rejected = None if summary.rejected_path is None else pl.read_parquet(summary.rejected_path)
        return summary, pl.read_parquet(out), rejected

    return run
