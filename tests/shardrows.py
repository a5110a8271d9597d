"""A table whose pictures say which row they belong to, and the steps up to the shards.

A folder's `conftest.py` imports the fixtures that its tests use.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from PIL import Image

from polyhead.contracts.config import Config, parse_config
from polyhead.contracts.shards import ShardManifest, ShardPlan
from polyhead.preprocess import step as preprocess_step
from polyhead.shard import step as shard_step
from polyhead.validate import step as validate_step

CONFIG = """
table: table.jsonl
key: id
features:
  left:   {kind: image, size: [128, 96], column: left_path}
  right:  {kind: image, size: [16, 16], store: png}
  size:   {kind: numeric}
  colour: {kind: category}
  note:   {kind: text, min_documents: 1}
targets:
  price: {kind: regression}
  shape: {kind: multiclass}
  sold:  {kind: binary}
  tags:  {kind: multilabel}
shard: {megabytes: 1}
"""
SHAPES = ("round", "square", "oblong")
TAGS = ("big", "old", "warm")


@dataclass(frozen=True)
class Prepared:
    """A data set with the artifacts of validate and preprocess."""

    folder: Path
    config: Config

    @property
    def data(self) -> Path:
        return self.folder / "validate"

    @property
    def preprocessing(self) -> Path:
        return self.folder / "preprocess"

    def shard(self, out: str = "shard", workers: int = 2) -> tuple[ShardManifest, Path]:
        """Run the step under test."""
        place = self.folder / out
        manifest = shard_step.run(
            config=self.config, data=self.data, preprocessing=self.preprocessing, out=place, workers=workers
        )
        return manifest, place

    def plan(self, partitions: int, out: str = "plan") -> tuple[ShardPlan, Path]:
        """Plan the same work for several workers."""
        place = self.folder / out
        planned = shard_step.plan(
            config=self.config, data=self.data, preprocessing=self.preprocessing, partitions=partitions, out=place
        )
        return planned, place

    def part(self, plan: Path, name: str, out: str = "", **options: Any) -> Path:
        """Write one partition."""
        place = plan.parent / (out or f"{plan.name}-{name}")
        shard_step.run_partition(
            config=self.config,
            data=self.data,
            preprocessing=self.preprocessing,
            plan=plan,
            partition=name,
            out=place,
            **options,
        )
        return place

    def merge(self, plan: Path, parts: Sequence[Path], out: str = "merged") -> tuple[ShardManifest, Path]:
        """Join partitions."""
        place = self.folder / out
        manifest = shard_step.merge(
            config=self.config, data=self.data, preprocessing=self.preprocessing, plan=plan, parts=parts, out=place
        )
        return manifest, place


def colour_of(row: int, side: str) -> tuple[int, int, int]:
    """The colour of every pixel of a row's picture."""
    return (row % 256, row // 256, {"left": 100, "right": 200}[side])


def row_of(row: int) -> dict[str, Any]:
    """One row, every value of which follows from its number; every seventh lacks one value after the other."""
    record: dict[str, Any] = {
        "id": f"k{row:04d}",
        "left_path": f"pictures/left{row}.png",
        "right": f"pictures/right{row}.png",
        "size": row + 0.25,
        "colour": f"colour {row % 5}",
        "note": f"note number {row}, Straße №{row}",
        "price": 1000.0 + row,
        "shape": SHAPES[row % 3],
        "sold": ("no", "yes")[row % 2],
        "tags": [tag for bit, tag in enumerate(TAGS) if row >> bit & 1],
    }
    if row % 7 == 3:
        names = list(record)[1:]
        record[names[row // 7 % len(names)]] = None
    return record


def write_table(folder: Path, order: Sequence[int]) -> None:
    """Write the rows in a given order, and their pictures."""
    pictures = folder / "pictures"
    pictures.mkdir(parents=True, exist_ok=True)
    for row in order:
        for side in ("left", "right"):
            if not (pictures / f"{side}{row}.png").exists():
                pixels = np.full((5, 4, 3), colour_of(row, side), np.uint8)
                Image.fromarray(pixels).save(pictures / f"{side}{row}.png")
    pl.DataFrame([row_of(row) for row in order], infer_schema_length=None).write_ndjson(folder / "table.jsonl")


def prepare(folder: Path, order: Sequence[int], *, left: str = "") -> Prepared:
    """Write a table and run validate and preprocess on it; pictures that stand there already are kept.

    Args:
        folder: Where.
        order: The rows.
        left: More options of the feature `left`, as YAML has them in braces.
    """
    write_table(folder, order)
    config = parse_config(CONFIG.replace("column: left_path", f"column: left_path{left and ', '}{left}"))
    validate_step.run(config=config, table=str(folder / "table.jsonl"), out=folder / "validate", workers=2)
    preprocess_step.run(config=config, data=folder / "validate", out=folder / "preprocess")
    return Prepared(folder, config)


ROWS = 130


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    """130 rows in order; tests only read it and write new artifacts beside."""
    return prepare(tmp_path_factory.mktemp("rows"), range(ROWS))


@pytest.fixture(scope="session")
def reordered(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    """The same rows in another order."""
    order = np.random.default_rng(5).permutation(ROWS).tolist()
    return prepare(tmp_path_factory.mktemp("reordered"), order)


@pytest.fixture(scope="session")
def prepare_rows() -> Any:
    """`prepare`: writes given rows into a folder and runs validate and preprocess there."""
    return prepare


@pytest.fixture
def fresh(tmp_path: Path) -> Prepared:
    """30 rows that a test may spoil."""
    return prepare(tmp_path, range(30))


@pytest.fixture
def vanished(tmp_path: Path) -> Prepared:
    """90 rows in several shards, a picture of which has vanished since validation; `config.yaml` beside them."""
    data = prepare(tmp_path, range(90))
    (tmp_path / "pictures" / "left5.png").unlink()
    (tmp_path / "config.yaml").write_text(CONFIG)
    return data


@pytest.fixture(scope="session")
def expected() -> Any:
    """`row_of` and `colour_of`, by which a test knows what a row holds."""
    return row_of, colour_of
