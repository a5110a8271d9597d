"""Fixtures every test folder may use.

`houses`  The folder of the Houses data (`houses.csv`, `images/`): `../shared/data/houses` beside the repository, or
          the folder that POLYHEAD_HOUSES names. The test is skipped, with the reason, where it is absent.

`tf`      TensorFlow, loaded when the first test asks for it.

`tiny`    A function that writes a small, complete, clean data set (one column of every kind) and its config, and
          returns a `Tiny`. 24 rows: 16 train, 4 val, 4 test; rows, pictures and bytes are always the same.

              def test_something(tiny):
                  data = tiny()                              # table.csv, images/, polyhead.yaml under data.folder
                  config = load_config(data.config)
                  validate.run(config=config, table=str(data.table), out=data.folder / "V")

          `tiny(rows=60)`              more rows
          `tiny(suffix=".parquet")`    .csv, .parquet or .jsonl; Parquet and JSON Lines keep numbers as numbers
          `tiny(change=function)`      function(pandas frame) returns the frame to write: spoil cells here
          `tiny(split={"seed": 3})`    any top-level section of the config, in place of the standard one; None drops it
          `tiny(folder=path)`          another folder than this test's own
          `data.frame`                 what was written, as pandas
          `data.sections`              the config as a dict
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import HealthCheck, settings
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]

# A shell starts what runs in its background with SIGINT ignored, and children inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

# How fast examples are drawn is the machine's business, and says nothing of the code.
settings.register_profile("polyhead", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("polyhead")

SECTIONS: dict[str, Any] = {
    "key": "id",
    "features": {
        "photo": {"kind": "image", "size": [16, 16]},
        "size": {"kind": "numeric"},
        "colour": {"kind": "category"},
        "note": {"kind": "text", "min_documents": 1},
    },
    "targets": {
        "price": {"kind": "regression", "transform": "log"},
        "shape": {"kind": "multiclass"},
        "sold": {"kind": "binary"},
        "tags": {"kind": "multilabel"},
    },
    "split": {"column": "part"},
}


@dataclass(frozen=True)
class Tiny:
    """A small data set on disk.

    Attributes:
        folder: Where everything lies.
        config: Its `polyhead.yaml`.
        table: Its table.
        frame: The table as it was written.
        sections: The config as a dict.
    """

    folder: Path
    config: Path
    table: Path
    frame: pd.DataFrame
    sections: dict[str, Any]


def write_tiny(
    folder: Path,
    *,
    rows: int = 24,
    suffix: str = ".csv",
    change: Callable[[pd.DataFrame], pd.DataFrame] | None = None,
    **sections: Any,
) -> Tiny:
    """Write the data set that the module's first lines describe."""
    (folder / "images").mkdir(parents=True, exist_ok=True)
    colours = {"red": (200, 40, 40), "green": (40, 160, 60), "blue": (50, 70, 200)}
    records = []
    for i in range(rows):
        colour, shape = list(colours)[i // 2 % 3], ("round", "square")[i // 3 % 2]
        picture = np.full((20, 24, 3), colours[colour], dtype=np.uint8)
        picture[:, : i % 24] //= 2
        Image.fromarray(picture).save(folder / "images" / f"{i:03d}.png")
        records.append(
            {
                "id": f"row{i:03d}",
                "photo": f"images/{i:03d}.png",
                "size": round(1.5 + i % 7 + i / 100, 2),
                "colour": colour,
                "note": f"a {colour} {shape} thing, {('small', 'big')[i % 2]}",
                "price": float(10 + 3 * (i % 7) + 5 * (i % 3)),
                "shape": shape,
                "sold": ("no", "yes")[int(i % 5 < 2)],
                "tags": "|".join(tag for tag, on in (("warm", i % 3 == 0), ("big", i % 2)) if on) or "[]",
                "part": ("train", "train", "val", "train", "train", "test")[i % 6],
            }
        )
    frame = pd.DataFrame(records)
    frame = change(frame) if change else frame
    table = folder / f"table{suffix}"
    if suffix == ".parquet":
        frame.to_parquet(table, index=False)
    elif suffix == ".jsonl":
        frame.to_json(table, orient="records", lines=True)
    else:
        frame.to_csv(table, index=False)
    config = {"table": table.name, **deepcopy(SECTIONS), **sections}
    config = {name: section for name, section in config.items() if section is not None}
    path = folder / "polyhead.yaml"
    path.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    return Tiny(folder, path, table, frame, config)


@pytest.fixture
def tiny(tmp_path: Path) -> Callable[..., Tiny]:
    """Writes a small data set with its config; see the module's first lines."""

    def write(*, folder: Path | None = None, **options: Any) -> Tiny:
        return write_tiny(folder or tmp_path, **options)

    return write


@pytest.fixture(scope="session")
def tf() -> Any:
    """TensorFlow, set up as the steps that use it set it up."""
    from polyhead.model import backend

    backend.load()
    import tensorflow as tf

    return tf


@pytest.fixture(scope="session")
def houses() -> Path:
    """The folder of the Houses data; skips where it is absent."""
    folder = Path(os.environ.get("POLYHEAD_HOUSES", ROOT.parent / "shared" / "data" / "houses"))
    if not (folder / "houses.csv").is_file():
        pytest.skip(f"the Houses data set is not at {folder}: see pipelines/configs/houses.yaml for its source")
    return folder
