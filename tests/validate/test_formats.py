"""One table, one meaning: the same cells give the same results from every format and every frame."""

from __future__ import annotations

import contextlib
import csv
import datetime as dt
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pytest
from hypothesis import example, given, settings
from strategies import typed_tables

from polyhead.contracts.config import parse_config
from polyhead.contracts.validation import CLEAN_TABLE, REJECTED_TABLE, ValidationReport
from polyhead.errors import DataError
from polyhead.storage.tables import open_table
from polyhead.validate import step
from polyhead.validate.coerce import words

CONFIG = parse_config(
    """\
table: t.csv
key: key
features:
  number: {kind: numeric, min: -1000}
  group: {kind: category}
  note: {kind: text}
targets:
  label: {kind: binary}
  tags: {kind: multilabel}
  amount: {kind: regression, max: 1000}
validate: {max_rejected: 1.0}
"""
)
Columns = dict[str, list[Any]]


def in_pandas(columns: Columns) -> pd.DataFrame:
    """As a user has it: whole numbers with a gap are floats, booleans with a gap are objects."""
    return pd.DataFrame({name: pd.Series(values) for name, values in columns.items()})


def in_polars(columns: Columns) -> pl.DataFrame:
    return pl.DataFrame({name: pl.Series(name, values, strict=False) for name, values in columns.items()})


def joined(columns: Columns) -> Columns:
    tags = [None if tags is None else "|".join(tags) or "[]" for tags in columns["tags"]]
    return {**columns, "tags": tags}


def by_hand(path: Path, columns: Columns, **options: Any) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, **options)
        writer.writerow(columns)
        writer.writerows(zip(*joined(columns).values(), strict=True))


def as_json(path: Path, columns: Columns) -> None:
    rows = (dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True))
    path.write_text("\n".join(json.dumps(row, default=str) for row in rows), encoding="utf-8")


def odd_csv(path: Path, columns: Columns) -> None:
    """With empty lines, carriage returns and a byte order mark."""
    by_hand(path, columns, lineterminator="\r\n\r\n")
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())


WRITERS: dict[str, Callable[[Path, Columns], object]] = {
    "pandas.csv": lambda path, columns: in_pandas(columns).to_csv(path, index=False),
    "pandas.tsv": lambda path, columns: in_pandas(columns).to_csv(path, index=False, sep="\t"),
    "semicolons.csv": lambda path, columns: in_pandas(columns).to_csv(path, index=False, sep=";"),
    "polars.csv": lambda path, columns: in_polars(joined(columns)).write_csv(path),
    "hand.csv": lambda path, columns: by_hand(path, columns, lineterminator="\n"),
    "odd.csv": odd_csv,
    "hand.jsonl": as_json,
    "polars.jsonl": lambda path, columns: in_polars(columns).write_ndjson(path),
    "pandas.parquet": lambda path, columns: in_pandas(columns).to_parquet(path),
    "polars.parquet": lambda path, columns: in_polars(columns).write_parquet(path),
}


def found(table: Any, folder: Path) -> dict[str, Any]:
    """All that `validate` writes and says of a table, and what `predict` makes of it."""
    with contextlib.suppress(DataError):  # one class only: what was found is written all the same
        step.run(config=CONFIG, table=table, out=folder)
    report = ValidationReport.read(folder)
    rejected = pl.read_parquet(folder / REJECTED_TABLE)
    features, cells = step.clean_features(open_table(table, ["number", "group", "note"], ["key"]).frame(), CONFIG)
    return {
        "clean": (folder / CLEAN_TABLE).read_bytes(),
        "rejected": rejected.with_columns(words(rejected["value"])).rows(),
        "columns": report.columns,
        "counts": [(r.column, r.reason, r.rows) for r in report.rejections],
        "predicted": features.filter(~pl.col("__row__").is_in(cells.rows)).rows(),
        "not predicted": sorted(cells.rows),
    }


GAPS: Columns = {
    "key": [1, 2, 3, None],
    "number": [85255, None, 1, 2],
    "group": [85255, None, 1, 85255],
    "note": ["a b", None, "c", "d"],
    "label": [1, None, 0, 0],
    "tags": [["new", "old"], [], None, ["new"]],
    "amount": [1.5, None, 2.5, 1e6],
}


@settings(max_examples=25, deadline=None)
@given(typed_tables)
@example(GAPS)
@example(
    {**GAPS, "label": [True, None, False, True], "group": [True, False, None, True], "number": [1e16, 0.1, 3, -0.0]}
)
@example({**GAPS, "group": [dt.date(2024, 1, 31), None, dt.date(2024, 2, 1), dt.date(2024, 1, 31)]})
@example({**GAPS, "group": [dt.datetime(2024, 1, 31), None, dt.datetime(2024, 2, 1, 12, 30), dt.datetime(2024, 1, 31)]})
@example({**GAPS, "group": [1e16, None, 2.5, 1e-5], "key": [1e17, 1e16, 5.0, 7.0]})
def test_every_format_gives_the_same_results(columns: Columns) -> None:
    """Clean rows byte by byte, rejected cells, statistics, classes and predictions' features."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        expected = found(in_polars(columns), folder / "expected")
        assert found(in_pandas(columns), folder / "pandas") == expected
        for file, write in WRITERS.items():
            write(folder / file, columns)
            received = found(str(folder / file), folder / f"{file}.out")
            for part, value in expected.items():
                assert received[part] == value, (file, part)


@pytest.mark.parametrize("labels", [[1, None, 0, 0, 1, 0], [True, None, False, False, True, False]])
def test_a_gap_does_not_turn_the_positive_class(tmp_path: Path, labels: list[Any]) -> None:
    """From the CSV file that pandas wrote as from its frame: 0 and 1, false and true, and the second is positive."""
    from polyhead.preprocess.fit import ClassFit

    columns = {**{name: [values[0]] * 6 for name, values in GAPS.items()}, "key": list(range(6)), "label": labels}
    frame = in_pandas(columns)
    frame.to_csv(tmp_path / "t.csv", index=False)
    classes = []
    for number, table in enumerate((frame, str(tmp_path / "t.csv"))):
        found(table, tmp_path / str(number))
        fit = ClassFit("label", CONFIG.targets["label"])
        fit.update(pl.read_parquet(tmp_path / str(number) / CLEAN_TABLE)["label"])
        classes.append(fit.finish().classes)
    assert classes == [["false", "true"] if labels[0] is True else ["0", "1"]] * 2
