"""Small pretrained networks, and a table with pictures that one of them sees.

A folder's `conftest.py` imports the fixtures that its tests use.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from PIL import Image

from polyhead.contracts.config import Config
from polyhead.encode import step as encode_step
from polyhead.preprocess import step as preprocess_step
from polyhead.shard import step as shard_step
from polyhead.train import step as train_step
from polyhead.validate import step as validate_step

WIDTH = 6


def write_network(path: Path, *, width: int = WIDTH, size: tuple[int | None, int | None] = (None, None)) -> Path:
    """A network of random weights from pixels to a vector, with batch normalisation and its scaling inside."""
    import keras

    keras.utils.set_random_seed(width)
    pixels = keras.Input((*size, 3), name="pixels")
    x = keras.layers.Rescaling(1 / 127.5, offset=-1)(pixels)
    x = keras.layers.Conv2D(width, 3, strides=2, padding="same")(x)
    x = keras.layers.ReLU()(keras.layers.BatchNormalization()(x))
    keras.Model(pixels, keras.layers.GlobalAveragePooling2D()(x)).save(path)
    return path


@pytest.fixture(scope="session")
def small_network(tf: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a network of `WIDTH` numbers."""
    return write_network(tmp_path_factory.mktemp("networks") / "small.keras")


def write_table(folder: Path, rows: int = 24) -> Path:
    """A table of two pictures, the second missing in every fifth row, and a number; what they tell, and a split."""
    random = np.random.default_rng(0)
    for row in range(rows):
        Image.fromarray(random.integers(0, 40 + 8 * row, (20, 24, 3), dtype=np.uint8)).save(folder / f"{row}.png")
    pl.DataFrame(
        {
            "id": [f"r{row:02d}" for row in range(rows)],
            "photo": [f"{row}.png" for row in range(rows)],
            "other": [None if row % 5 == 0 else f"{rows - row}.png" for row in range(rows)],
            "size": [float(row % 7) for row in range(rows)],
            "price": [float(10 + row) for row in range(rows)],
            "sold": [("no", "yes")[row % 2] for row in range(rows)],
            "part": [("train", "train", "val", "train", "train", "test")[row % 6] for row in range(rows)],
        }
    ).write_csv(folder / "table.csv")
    return folder / "table.csv"


@dataclass(frozen=True)
class Seen:
    """The table of `write_table`, its configuration, and the steps that see its pictures."""

    folder: Path
    config: Config

    @property
    def table(self) -> Path:
        return self.folder / "table.csv"

    def prepare(self) -> None:
        """Run the steps up to the shards."""
        data, preprocessing = self.folder / "validate", self.folder / "preprocess"
        validate_step.run(config=self.config, table=str(self.table), out=data)
        preprocess_step.run(config=self.config, data=data, out=preprocessing)
        shard_step.run(config=self.config, data=data, preprocessing=preprocessing, out=self.folder / "shard")

    def encode(self, out: str = "encode", **options: Any) -> Any:
        return encode_step.run(
            config=self.config,
            shards=self.folder / "shard",
            preprocessing=self.folder / "preprocess",
            out=self.folder / out,
            **options,
        )

    def training(self, train: str) -> Config:
        """The configuration with another `encoder.train`."""
        sections = self.config.model_dump(by_alias=True)
        for feature in self.config.pictured:
            sections["features"][feature]["encoder"]["train"] = train
        return Config.model_validate(sections)

    def train(self, shards: str = "encode", out: str = "train", config: Config | None = None) -> Any:
        return train_step.run(
            config=config or self.config,
            shards=self.folder / shards,
            preprocessing=self.folder / "preprocess",
            out=self.folder / out,
        )


@pytest.fixture(scope="session")
def seen(small_network: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Seen]:
    """Writes the table and its shards, with other options of the encoder where they are given."""

    def write(**options: Any) -> Seen:
        folder = tmp_path_factory.mktemp("seen")
        encoder = {"backbone": str(small_network), **options}
        photo = {"kind": "image", "size": [16, 16], "tied": "photo", "encoder": encoder}
        config = {
            "table": write_table(folder).name,
            "key": "id",
            "features": {"photo": photo, "other": photo, "size": {"kind": "numeric"}},
            "targets": {"price": {"kind": "regression"}, "sold": {"kind": "binary"}},
            "split": {"column": "part"},
            "train": {"epochs": 2},
        }
        made = Seen(folder, Config.model_validate(config))
        made.prepare()
        return made

    return write
