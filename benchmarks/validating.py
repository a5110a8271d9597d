"""Validating a million rows without pictures against pandera on pandas.

`python -m benchmarks.validating table PATH` writes the table, `... faulty PATH` the same with a bad cell in one row of
a thousand.
`python -m benchmarks.validating SIDE PATH` runs one side, twice, and prints what the second time took. The sides do the
same checks: types, missing values, ranges, allowed values and a key without repeats, and name every bad row.

    ours     Polyhead's whole step: report, clean rows and rejected cells are written
    theirs   pandera's checks of all columns, and nothing written
    kept     theirs, with the clean rows and the bad cells written to Parquet as Polyhead does
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import scaled
from benchmarks.harness import own_process
from benchmarks.side import report

ROWS = 1_000_000
COLOURS = ["black", "blue", "brown", "green", "grey", "pink", "red", "white"]
CONFIG = f"""
table: table.parquet
key: id
features:
  a: {{kind: numeric, min: -6, max: 6}}
  b: {{kind: numeric, min: 0, max: 100}}
  c: {{kind: numeric, min: 0, max: 100, required: true}}
  d: {{kind: numeric, min: -1, max: 1, required: true}}
  colour: {{kind: category, required: true, allowed: [{", ".join(COLOURS)}]}}
targets:
  sold: {{kind: multiclass, classes: ["no", "yes"]}}
"""


def table(path: Path, *, faulty: bool = False) -> None:
    """Write a million rows: a key, four numbers of which two may be missing, a category and a class.

    Args:
        path: The Parquet file.
        faulty: Whether one row of a thousand has a value that a check refuses.
    """
    import numpy as np
    import polars as pl

    rows = scaled(ROWS)
    generator = np.random.default_rng(0)
    row = pl.int_range(rows, eager=True)
    frame = pl.DataFrame(
        {
            "id": "row" + row.cast(pl.String).str.zfill(9),
            "a": generator.normal(size=rows).clip(-6, 6),
            "b": generator.gamma(2.0, size=rows).clip(0, 100),
            "c": generator.integers(0, 101, rows).astype(np.float64),
            "d": generator.uniform(-1, 1, rows),
            "colour": np.array(COLOURS)[generator.integers(0, len(COLOURS), rows)],
            "sold": np.array(["no", "yes"])[generator.integers(0, 2, rows)],
        }
    )
    frame = frame.with_columns(pl.when(row % 40 != 0).then("a"), pl.when(row % 50 != 0).then("b").alias("b"))
    if faulty:
        bad = pl.Series(generator.permutation(np.arange(rows) < rows // 1000)) & (row % 40 != 0)
        kind = row % 4
        frame = frame.with_columns(
            pl.when(bad & (kind == 0)).then(99.0).otherwise("a").alias("a"),
            pl.when(bad & (kind == 1)).then(None).otherwise("c").alias("c"),
            pl.when(bad & (kind == 2)).then(-7.0).otherwise("d").alias("d"),
            pl.when(bad & (kind == 3)).then(pl.lit("mauve")).otherwise("colour").alias("colour"),
        )
    frame.write_parquet(path)


def ours(path: Path) -> int:
    """Validate with Polyhead, artifact and all; gives the clean rows."""
    from polyhead.contracts.config import parse_config
    from polyhead.validate.step import run

    with tempfile.TemporaryDirectory() as folder:
        return run(config=parse_config(CONFIG), table=str(path), out=Path(folder) / "V").rows_clean


def theirs(path: Path) -> int:
    """Validate with pandera, all problems at once; gives the clean rows."""
    frame, failures = _checked(path)
    bad = failures["index"].nunique() if failures is not None else 0
    return len(frame) - int(bad)


def kept(path: Path) -> int:
    """The same, with what Polyhead keeps: the clean rows and the bad cells."""
    frame, failures = _checked(path)
    with tempfile.TemporaryDirectory() as folder:
        if failures is not None:
            frame = frame.drop(index=failures["index"].unique())
            failures.astype(str).to_parquet(Path(folder) / "rejected.parquet")
        frame.to_parquet(Path(folder) / "clean.parquet")
    return len(frame)


def _checked(path: Path) -> tuple[Any, Any]:
    """The table, and pandera's table of failures; None where there are none."""
    import pandas as pd
    from pandera.errors import SchemaErrors
    from pandera.pandas import Check, Column, DataFrameSchema

    schema = DataFrameSchema(
        {
            "id": Column(str, unique=True),
            "a": Column(float, Check.in_range(-6, 6), nullable=True),
            "b": Column(float, Check.in_range(0, 100), nullable=True),
            "c": Column(float, Check.in_range(0, 100)),
            "d": Column(float, Check.in_range(-1, 1)),
            "colour": Column(str, Check.isin(COLOURS)),
            "sold": Column(str, Check.isin(["no", "yes"]), nullable=True),
        }
    )
    frame = pd.read_parquet(path)
    try:
        return schema.validate(frame, lazy=True), None
    except SchemaErrors as errors:
        return frame, errors.failure_cases


SIDES: dict[str, Callable[[Path], int]] = {"ours": ours, "theirs": theirs, "kept": kept}


def _case(what: str, side: str, title: str, folder: Path) -> dict[str, Any]:
    theirs = own_process("benchmarks.validating", side, folder / what / "table.parquet", peers=True)
    path = folder / what / "table.parquet"
    path.parent.mkdir(exist_ok=True)
    table(path, faulty=what == "faulty")
    return {
        "name": f"a table without pictures, {what}",
        "unit": "rows",
        "count": scaled(ROWS),
        "peer": title,
        "ours": own_process("benchmarks.validating", "ours", path),
        "theirs": theirs,
        "asked": {"seconds": 3.0, "peak_bytes": None},
        "note": SIDES[side].__doc__,
    }


CASES = {
    "sound": partial(_case, "sound", "theirs", "pandera on pandas"),
    "faulty": partial(_case, "faulty", "theirs", "pandera on pandas"),
    "kept": partial(_case, "faulty", "kept", "pandera on pandas, kept as Polyhead keeps it"),
}


def _once(side: str, path: Path) -> int:
    SIDES[side](path)
    return scaled(ROWS)


if __name__ == "__main__":
    what, place = sys.argv[1], Path(sys.argv[2])
    if what in ("table", "faulty"):
        table(place, faulty=what == "faulty")
    else:
        SIDES[what](place)
        report(partial(_once, what, place))
