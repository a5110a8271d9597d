"""Tables in BigQuery: every type as a Parquet file has it, read once, and what is said where that does not go."""

from __future__ import annotations

import datetime as dt
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import grpc
import polars as pl
import pyarrow as pa
import pytest
import yaml
from commandline import digests
from polars.testing import assert_frame_equal
from refusals import refusal
from warehouse import Warehouse

from polyhead.contracts.config import load_config
from polyhead.errors import DataError, DeniedError, StorageError
from polyhead.tables import bigquery
from polyhead.tables.bigquery import EMULATOR
from polyhead.tables.reading import open_table, read_table
from polyhead.validate import step

PLACE, NAME = "bq://shop.sales.houses", "projects/shop/datasets/sales/tables/houses"
ROWS = 23
NOON = dt.datetime(2024, 2, 29, 12, 0, 0, 250_000, dt.UTC)
COLUMNS: dict[str, tuple[pa.DataType, Any]] = {
    "INT64": (pa.int64(), -(2**62)),
    "FLOAT64": (pa.float64(), 0.1),
    "BOOL": (pa.bool_(), True),
    "STRING": (pa.string(), "é"),
    "BYTES": (pa.binary(), b"\x00\xff"),
    "NUMERIC": (pa.decimal128(38, 9), Decimal("-12345678901234567890.123456789")),
    "BIGNUMERIC": (pa.decimal256(76, 38), Decimal("0.5")),
    "DATE": (pa.date32(), dt.date(1969, 12, 31)),
    "DATETIME": (pa.timestamp("us"), NOON.replace(tzinfo=None)),
    "TIMESTAMP": (pa.timestamp("us", "UTC"), NOON),
    "TIME": (pa.time64("us"), dt.time(12, 0)),
    "ARRAY_STRING": (pa.list_(pa.string()), ["red", "blue"]),
    "ARRAY_BIGNUMERIC": (pa.list_(pa.decimal256(76, 38)), [Decimal("0.25")]),
    "STRUCT": (pa.struct({"bytes": pa.binary(), "path": pa.string()}), {"bytes": b"x", "path": "a.png"}),
}
"""What BigQuery's types are in Arrow, and a value of each."""


def table() -> pa.Table:
    """A column of every type, the last row null."""
    columns = {name: pa.array([value] * (ROWS - 1) + [None], kind) for name, (kind, value) in COLUMNS.items()}
    return pa.table({**columns, "row": range(ROWS)})


@pytest.fixture
def warehouse(monkeypatch: pytest.MonkeyPatch) -> Iterator[Warehouse]:
    """One that drops the connection in the midst of its rows, which is not noticed."""
    gone = pa.table({"INTERVAL": pa.array([], pa.month_day_nano_interval()), "row": pa.array([], pa.int64())})
    failing = {
        f"{NAME}_{status.name}": status
        for status in (grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.INVALID_ARGUMENT)
    }
    with Warehouse({NAME: table(), f"{NAME}_interval": gone}, failing, dropped=True) as server:
        monkeypatch.setenv(EMULATOR, server.address)
        yield server


def test_every_type_is_what_a_parquet_file_of_it_holds(warehouse: Warehouse) -> None:
    """In the order that is asked for; numbers of 76 digits are floating-point numbers."""
    frame = read_table(PLACE)
    values = {name: value for name, (_, value) in COLUMNS.items()} | {"BIGNUMERIC": 0.5, "ARRAY_BIGNUMERIC": [0.25]}
    for name, value in values.items():
        assert frame[name].to_list() == [value] * (ROWS - 1) + [None], name
    assert frame["row"].to_list() == list(range(ROWS))


def test_only_the_columns_that_are_wanted_are_read_and_once(warehouse: Warehouse) -> None:
    opened = open_table(PLACE, ["row", "STRING"], ["BOOL", "absent"])
    for _ in range(2):
        assert_frame_equal(pl.concat(opened.batches(5)), opened.frame())
    assert opened.frame().columns == ["row", "STRING", "BOOL"]
    assert warehouse.opened[0] == []
    assert sorted(warehouse.opened[1]) == ["BOOL", "STRING", "row"]
    assert warehouse.read == opened.rows == ROWS


@pytest.mark.parametrize(
    ("place", "columns", "kind", "code"),
    [
        ("bq://sales.houses", None, DataError, "invalid-format"),
        ("bq://shop/sales/houses", None, DataError, "invalid-format"),
        (f"{PLACE}_absent", None, DataError, "file-not-found"),
        (f"{PLACE}_interval", ["row"], DataError, "no-rows"),
        (f"{PLACE}_interval", None, DataError, "invalid-column-type"),
        (PLACE, ["row", "rwo"], DataError, "unknown-column"),
        (f"{PLACE}_INVALID_ARGUMENT", None, DataError, "invalid-table"),
        (f"{PLACE}_PERMISSION_DENIED", None, DeniedError, "access-denied"),
    ],
)
def test_what_cannot_be_read_is_said(
    warehouse: Warehouse, place: str, columns: list[str] | None, kind: Any, code: str
) -> None:
    """In our words: an answer of a server may hold more than its reader should see."""
    with refusal(kind, code, where=place) as caught:
        read_table(place, columns)
    assert "Secret" not in str(caught.problem)


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "google.cloud.bigquery_storage_v1", None)
    with refusal(DataError, "missing-package", where=PLACE, shows=["polyhead[bigquery]"]):
        read_table(PLACE)


def test_without_credentials_it_says_how_to_get_some(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in (EMULATOR, "GOOGLE_APPLICATION_CREDENTIALS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    with refusal(StorageError, "no-credentials", where=PLACE, shows=["gcloud auth application-default login"]):
        read_table(PLACE)


def test_steps_read_it_once_also_where_workers_share_the_pictures(tiny: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The artifact is that of the same rows in Parquet, the table's name and folder apart."""
    data = tiny(rows=12)
    parquet = data.folder / "table.parquet"
    frame = pl.read_csv(data.table)
    frame.write_parquet(parquet)
    sections = yaml.safe_load(data.config.read_text())
    data.config.write_text(yaml.safe_dump({**sections, "image_root": str(data.folder)}))
    config, expected, out = load_config(data.config), data.folder / "expected", data.folder / "out"
    step.run(config=config, table=str(parquet), out=expected)
    with Warehouse({NAME: frame.to_arrow()}) as warehouse:
        monkeypatch.setenv(EMULATOR, warehouse.address)
        plan = step.plan(config=config, table=PLACE, partitions=2, out=data.folder / "plan")
        parts = [data.folder / name for name in plan.names]
        for part in parts:
            step.run_partition(config=config, plan=data.folder / "plan", partition=part.name, out=part)
        step.run(config=config, table=PLACE, out=out, plan=data.folder / "plan", parts=parts)
        assert warehouse.read == frame.height
    report = "ValidationReport.json"
    made, wanted = digests(out), digests(expected)
    assert made.pop(report) != wanted.pop(report)
    assert made == wanted
    assert bigquery.TableName.of("bq://example.com:shop.a.b").project == "example.com:shop"
