"""Made-up tables of numbers and categories, and the artifacts that the steps make of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl

VALUES = 1_000
TELLING = 5

Kind = Literal["numeric", "category"]

_TARGETS = {"number": "{kind: regression}", "sign": "{kind: binary, positive: plus}", "size": "{kind: multiclass}"}


def prepared(
    folder: Path,
    columns: Mapping[Kind, int],
    rows: Mapping[str, int],
    *,
    batch: int,
    epochs: int,
    targets: tuple[str, ...] = ("number",),
) -> Path:
    """A folder with a table, `polyhead.yaml`, and what validate, preprocess and shard made of it.

    Args:
        folder: Where to make it; it is made once.
        columns: How many features of each kind.
        rows: Of each split.
        batch: `train.batch_size`.
        epochs: `train.epochs`.
        targets: Of `number`, its `sign` and its `size`, which is one of five classes.
    """
    from polyhead.contracts.config import load_config
    from polyhead.preprocess.step import run as preprocess
    from polyhead.shard.step import run as shard
    from polyhead.validate.step import run as validate

    wanted = (*(f"{count}-{kind}" for kind, count in columns.items()), *map(str, rows.values()), *targets)
    place = folder / "-".join(wanted)
    if place.exists():
        return place
    place.mkdir()
    features, number = _drawn(columns, sum(rows.values()))
    table = pl.DataFrame({name: values for name, (_, values) in features.items()}).with_columns(
        key=pl.Series(f"r{row}" for row in range(len(number))),
        part=pl.Series([split for split, count in rows.items() for _ in range(count)]),
        number=number,
        sign=pl.Series(np.where(number > np.median(number), "plus", "minus")),
        size=pl.Series(number).qcut(5, labels=["xs", "s", "m", "l", "xl"]).cast(pl.String),
    )
    table.write_parquet(place / "table.parquet")
    (place / "polyhead.yaml").write_text(
        "table: table.parquet\nkey: key\nsplit: {column: part}\nfeatures:\n"
        + "".join(f"  {name}: {{kind: {kind}}}\n" for name, (kind, _) in features.items())
        + "targets:\n"
        + "".join(f"  {name}: {_TARGETS[name]}\n" for name in targets)
        + f"train: {{epochs: {epochs}, batch_size: {batch}}}\n"
    )
    config = load_config(place / "polyhead.yaml")
    validate(config=config, table=str(place / "table.parquet"), out=place / "validate")
    preprocess(config=config, data=place / "validate", out=place / "preprocess")
    shard(config=config, data=place / "validate", preprocessing=place / "preprocess", out=place / "shard")
    return place


def _drawn(columns: Mapping[Kind, int], rows: int) -> tuple[dict[str, tuple[Kind, pl.Series]], np.ndarray]:
    """The features by name, and a number that follows from the first five of them and from chance."""
    generator = np.random.default_rng(0)
    features: dict[str, tuple[Kind, pl.Series]] = {}
    number = np.zeros(rows)
    for kind in (kind for kind, count in columns.items() for _ in range(count)):
        values = generator.normal(size=rows) if kind == "numeric" else generator.integers(0, VALUES, rows)
        if len(features) < TELLING:
            number += values if kind == "numeric" else values % 7
        cast = pl.Float64 if kind == "numeric" else pl.String
        features[f"x{len(features)}"] = kind, pl.Series(values).cast(cast)
    return features, number + generator.normal(size=rows)
