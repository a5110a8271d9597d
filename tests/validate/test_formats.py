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
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pyarrow import orc
from strategies import column_names, typed_tables

from polyhead.contracts.config import Config, parse_config
from polyhead.contracts.validation import CLEAN_TABLE, REJECTED_TABLE, ValidationReport
from polyhead.errors import DataError
from polyhead.kinds.coercion import words
from polyhead.kinds.fitting.fit import Site
from polyhead.kinds.tables import target_table
from polyhead.pictures.folder import PictureFolder
from polyhead.tables.reading import open_table
from polyhead.validate import step

Columns = dict[str, list[Any]]
NAMES = ["key", "number", "group", "note", "label", "tags", "amount"]


def config_of(names: list[str]) -> Config:
    """For a table whose columns are called so, in the order of `NAMES`."""
    column = dict(zip(NAMES, map(json.dumps, names), strict=True))
    return parse_config(
        f"""\
table: t.csv
key: {column["key"]}
features:
  number: {{kind: numeric, min: -1000, column: {column["number"]}}}
  group: {{kind: category, column: {column["group"]}}}
  note: {{kind: text, column: {column["note"]}}}
targets:
  label: {{kind: binary, column: {column["label"]}}}
  tags: {{kind: multilabel, column: {column["tags"]}}}
  amount: {{kind: regression, max: 1000, column: {column["amount"]}}}
validate: {{max_rejected: 1.0}}
"""
    )


def in_pandas(columns: Columns) -> pd.DataFrame:
    """As a user has it: whole numbers with a gap are floats, booleans with a gap are objects."""
    return pd.DataFrame({name: pd.Series(values) for name, values in columns.items()})


def in_polars(columns: Columns) -> pl.DataFrame:
    return pl.DataFrame({name: pl.Series(values, strict=False).alias(name) for name, values in columns.items()})


def joined(columns: Columns) -> Columns:
    """With every list of tags as one word."""

    def cell(value: Any) -> Any:
        return "|".join(value) or "[]" if isinstance(value, list) else value

    return {name: [cell(value) for value in values] for name, values in columns.items()}


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


def stream_of(path: Path, columns: Columns) -> None:
    """As Hugging Face's datasets keep a table."""
    in_polars(columns).write_ipc_stream(path)


def orc_of(path: Path, columns: Columns) -> None:
    """ORC has no type for a column without any value."""
    table = pa.Table.from_pandas(in_pandas(columns), preserve_index=False)
    types = [
        pa.string() if pa.types.is_null(kind) else pa.list_(pa.string()) if pa.types.is_list(kind) else kind
        for kind in table.schema.types
    ]
    orc.write_table(table.cast(pa.schema(zip(table.column_names, types, strict=True))), path)


def cut(write: Callable[[Path, Columns], object]) -> Callable[[Path, Columns], None]:
    """Writes a folder of files of some rows each."""

    def writes(path: Path, columns: Columns) -> None:
        path.mkdir()
        for first in range(0, len(next(iter(columns.values()))), 2):
            write(path / f"part-{first:03}{path.suffix}", {n: cells[first : first + 2] for n, cells in columns.items()})

    return writes


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
    "polars.arrow": lambda path, columns: in_polars(columns).write_ipc(path),
    "stream.arrow": stream_of,
    "pandas.feather": lambda path, columns: in_pandas(columns).to_feather(path),
    "pandas.orc": orc_of,
    "files.parquet": cut(lambda path, columns: in_pandas(columns).to_parquet(path)),
    "files.csv": cut(lambda path, columns: in_pandas(columns).to_csv(path, index=False)),
    "files.jsonl": cut(as_json),
}


def found(table: Any, folder: Path, config: Config) -> dict[str, Any]:
    """All that `validate` writes and says of a table, and what `predict` makes of it."""
    with contextlib.suppress(DataError):  # one class only: what was found is written all the same
        step.run(config=config, table=table, out=folder)
    report = ValidationReport.read(folder)
    rejected = pl.read_parquet(folder / REJECTED_TABLE).drop("file", "file_row", strict=False)
    columns = [config.column_of(name) for name in config.features]
    features, cells = step.clean_features(open_table(table, columns, [str(config.key)]).frame(), config)
    return {
        "clean": (folder / CLEAN_TABLE).read_bytes(),
        "rejected": rejected.with_columns(words(rejected["value"]).alias("value")).rows(),
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


@settings(max_examples=15, deadline=None)
@given(typed_tables, st.lists(column_names, min_size=7, max_size=7, unique=True))
@example(GAPS, NAMES)
@example(GAPS, ["^a$", "*", "^.*$", "a", "count", "^", "a b"])
@example(
    {**GAPS, "label": [True, None, False, True], "group": [True, False, None, True], "number": [1e16, 0.1, 3, -0.0]},
    NAMES,
)
@example({**GAPS, "group": [dt.date(2024, 1, 31), None, dt.date(2024, 2, 1), dt.date(2024, 1, 31)]}, NAMES)
@example(
    {**GAPS, "group": [dt.datetime(2024, 1, 31), None, dt.datetime(2024, 2, 1, 12, 30), dt.datetime(2024, 1, 31)]},
    NAMES,
)
@example({**GAPS, "group": [1e16, None, 2.5, 1e-5], "key": [1e17, 1e16, 5.0, 7.0]}, NAMES)
@example(
    {
        name: [cells[0], cells[2]]
        for name, cells in {**GAPS, "note": [","] * 4, "tags": [["new"], [], ["old"], []]}.items()
    },
    ["k", "n", "g", "a,b", "l", "t", "m"],
)
def test_every_format_gives_the_same_results(columns: Columns, names: list[str]) -> None:
    """Clean rows byte by byte, rejected cells, statistics, classes and what predict reads, under any names."""
    columns = dict(zip(names, (columns[name] for name in NAMES), strict=True))
    config = config_of(names)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        expected = found(in_polars(columns), folder / "expected", config)
        assert found(in_pandas(columns), folder / "pandas", config) == expected
        for file, write in WRITERS.items():
            write(folder / file, columns)
            received = found(str(folder / file), folder / f"{file}.out", config)
            for part, value in expected.items():
                assert received[part] == value, (file, part)


def test_features_and_targets_may_be_called_what_results_are_called(tmp_path: Path) -> None:
    """The columns of what the engine makes of a column have names too."""
    columns = {"count": ["a", "b", "a"], "len": [1, 2, 3], "literal": ["x", "y", "y"], "row": ["p q", "r", "s"]}
    config = parse_config(
        "table: t.csv\nfeatures: {len: {kind: numeric}, literal: {kind: category}, row: {kind: text}}\n"
        "targets: {count: {kind: binary}}\n"
    )
    report = step.run(config=config, table=pl.DataFrame(columns), out=tmp_path / "V")
    assert [(column.name, column.distinct) for column in report.columns] == [
        ("len", None),
        ("literal", 2),
        ("row", 3),
        ("count", 2),
    ]


def test_equal_rows_are_found_in_a_column_that_is_called_as_what_they_are_found_by(tmp_path: Path) -> None:
    columns = {name: [0.1 * row for row in range(20)] + [0.5] for name in ("low", "high", "known", "row", "suspected")}
    config = parse_config(
        f"table: t.csv\nfeatures: {{{', '.join(f'{name}: {{kind: numeric}}' for name in columns)}}}\n"
        "targets: {price: {kind: regression}}\n"
    )
    step.run(config=config, table=pl.DataFrame({**columns, "price": [*range(20), 5]}), out=tmp_path / "V")
    assert pl.read_parquet(tmp_path / "V" / "duplicates.parquet")["__row__"].to_list() == [5, 20]


@pytest.mark.parametrize("labels", [[1, None, 0, 0, 1, 0], [True, None, False, False, True, False]])
def test_a_gap_does_not_turn_the_positive_class(tmp_path: Path, labels: list[Any]) -> None:
    """From the CSV file that pandas wrote as from its frame: 0 and 1, false and true, and the second is positive."""
    columns = {**{name: [values[0]] * 6 for name, values in GAPS.items()}, "key": list(range(6)), "label": labels}
    frame = in_pandas(columns)
    frame.to_csv(tmp_path / "t.csv", index=False)
    classes = []
    for number, table in enumerate((frame, str(tmp_path / "t.csv"))):
        found(table, tmp_path / str(number), config_of(NAMES))
        target = config_of(NAMES).targets["label"]
        fit = target_table(target).fit("label", target)
        fit.update(pl.read_parquet(tmp_path / str(number) / CLEAN_TABLE)["label"])
        classes.append(fit.finish(Site(tmp_path, PictureFolder(str(tmp_path)), max_pixels=1)).classes)
    assert classes == [["false", "true"] if labels[0] is True else ["0", "1"]] * 2
