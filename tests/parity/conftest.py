"""The embedded sample, with harder texts, through all five steps once: what the parity tests compare."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from buckets import gs_gate, gs_store, quick, s3_store, store, temporary  # noqa: F401
from commandline import polyhead  # noqa: F401

from polyhead.contracts.config import Config, load_config
from polyhead.evaluate import step as evaluate_step
from polyhead.preprocess import step as preprocess_step
from polyhead.sample import write_sample
from polyhead.shard import step as shard_step
from polyhead.train import step as train_step
from polyhead.validate import step as validate_step

NOTES = (
    "Über-GROSSE Tasse – „schön“ für İstanbul & ΟΔΟΣ ΣΑΣ!",
    "  collected at the studio,\tin a gift box with a ribbon  ",
    "海辺の工房で集めた, 贈り物 🎁🎁 ½ x²",
    "   \u00a0 ",
    "?!... --- ;;",
    "ПОДАРОК в коробке. Подарок! cafe\u0301 café naïve",
    'say "hello", she\'s gone\nnew line, dishwasher_proof 2024-05',
)
CLAYS = (" stoneware", "\u00a0porcelain\u2003", "unknown clay", "Stoneware")


@dataclass(frozen=True)
class Run:
    """A finished run of the sample."""

    folder: Path
    config: Config

    def place(self, step: str) -> Path:
        return self.folder / step

    @property
    def table(self) -> Path:
        return self.folder / "mugs.csv"

    def rows(self) -> pl.DataFrame:
        """The raw table, every cell as text, empty where missing."""
        return pl.read_csv(self.table, infer_schema=False).fill_null("")

    def prepare(self) -> None:
        """Run the steps up to the shards."""
        data, preprocessing = self.place("validate"), self.place("preprocess")
        validate_step.run(config=self.config, table=str(self.table), out=data)
        preprocess_step.run(config=self.config, data=data, out=preprocessing)
        shard_step.run(config=self.config, data=data, preprocessing=preprocessing, out=self.place("shard"))

    def evaluate(self, out: Path, **instead: Path) -> Any:
        """Run evaluate with other artifacts in the place of this run's."""
        places: dict[str, Any] = {name: self.place(step) for name, step in STEP_OF.items()}
        return evaluate_step.run(config=self.config, out=out, **{**places, **instead})


STEP_OF = {"bundle": "train", "shards": "shard", "preprocessing": "preprocess"}


def _harder(table: pl.DataFrame) -> pl.DataFrame:
    """Every third note and every tenth clay becomes one that is hard to agree on."""
    notes, clays = table["note"].to_list(), table["clay"].to_list()
    for row in range(0, table.height, 3):
        notes[row] = NOTES[row // 3 % len(NOTES)]
    for row in range(0, table.height, 10):
        clays[row] = CLAYS[row // 10 % len(CLAYS)]
    return table.with_columns(pl.Series("note", notes), pl.Series("clay", clays))


@pytest.fixture(scope="session")
def finished(tf: Any, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """All five steps on 200 rows, two epochs. Tests only read it."""
    folder = tmp_path_factory.mktemp("sample")
    config = load_config(write_sample(folder, rows=200))
    config = config.model_copy(
        update={
            "targets": {**config.targets, "price": config.targets["price"].model_copy(update={"predict": "mean"})},
            "train": config.train.model_copy(update={"epochs": 2}),
            "evaluate": config.evaluate.model_copy(
                update={"bootstrap": 5, "slices": ["clay"], "worth": False, "maps": 0}
            ),
        }
    )
    run = Run(folder, config)
    _harder(run.rows()).write_csv(run.table)
    run.prepare()
    train_step.run(
        config=config, shards=run.place("shard"), preprocessing=run.place("preprocess"), out=run.place("train")
    )
    run.evaluate(run.place("evaluate"))
    return run


@pytest.fixture(scope="session")
def elsewhere(finished: Run, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The same configuration on fewer rows: other statistics, and shards of them."""
    folder = tmp_path_factory.mktemp("elsewhere")
    shutil.copytree(finished.folder / "images", folder / "images")
    run = Run(folder, finished.config)
    finished.rows().tail(120).write_csv(run.table)
    run.prepare()
    return run


Spoil = Callable[[str], Path]


@pytest.fixture
def copied(finished: Run, tmp_path: Path) -> Spoil:
    """Copies one step's artifact, for a test to spoil."""

    def copy(step: str) -> Path:
        return Path(shutil.copytree(finished.place(step), tmp_path / f"copy of {step}"))

    return copy
