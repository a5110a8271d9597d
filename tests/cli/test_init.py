"""`polyhead init`: a configuration that parses and runs, whatever the columns are called."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from polyhead.contracts.config import json_schema, load_config, parse_config

ROWS = 40
EXOTIC: dict[str, Callable[[int], Any]] = {
    "größe (m²)": lambda i: i * 1.5,
    "no": lambda i: ("a", "b", "c")[i % 3],
    "on": lambda i: ("p", "q")[i % 2],
    "null": lambda i: ("left", "right")[i % 2],
    "~": lambda i: i % 3 + 0.5,
    '"quoted"': lambda i: ("x", "y")[i % 2],
    "it's 'so'": lambda i: i % 4 + 0.5,
    "a: b": lambda i: i % 7 + 0.5,
    "line\nbreak": lambda i: i * 2.0,
    "2nd": lambda i: i % 9 + 0.25,
    "{odd}, #x [y]": lambda i: i % 5 + 0.25,
    "- dash": lambda i: i % 5 + 0.75,
    "with space": lambda i: i % 6 + 0.5,
    "with-space": lambda i: i % 8 + 0.5,
    "面積": lambda i: i % 3 + 0.25,
    "__row__": lambda i: i % 6 + 0.125,
    "left out": lambda i: "the same",
    "yes": lambda i: ("u", "v", "w")[i * i // 7 % 3],
    "preis €": lambda i: float(i * i % 37 + 1),
}
TARGETS = ("yes", "preis €")


def exotic(folder: Path, name: str, *, without: tuple[str, ...] = (), more: dict[str, Any] | None = None) -> Path:
    """A table with hard column names."""
    columns = {column: [value(i) for i in range(ROWS)] for column, value in EXOTIC.items() if column not in without}
    frame = pd.DataFrame({**(more or {}), **columns})
    path = folder / name
    if path.suffix == ".csv":
        frame.to_csv(path, index=False)
    else:
        frame.to_parquet(path, index=False)
    return path


def test_the_file_is_written_and_shown(polyhead, tiny, tmp_path):
    tiny()
    result = polyhead("init", "table.csv", "--target", "price", "--target", "tags", "-o", "first.yaml")
    text = (tmp_path / "first.yaml").read_text(encoding="utf-8")
    assert (result.code, result.out) == (0, text)
    first, *_ = text.splitlines()
    assert first == "# yaml-language-server: $schema=./.polyhead.schema.json"
    schema = json.loads((tmp_path / ".polyhead.schema.json").read_text(encoding="utf-8"))
    assert schema == json_schema()
    assert result.err == "  wrote first.yaml; next: polyhead run first.yaml\n"
    config = parse_config(text)
    assert config.table == "table.csv"
    assert config.key == "id"
    assert config.split.column == "part"
    kinds = {name: feature.kind for name, feature in config.features.items()}
    assert kinds == {
        "photo": "image",
        "size": "numeric",
        "colour": "category",
        "note": "category",
        "shape": "category",
        "sold": "boolean",
    }
    assert {name: target.kind for name, target in config.targets.items()} == {
        "price": "regression",
        "tags": "multilabel",
    }


def test_json_prints_the_configuration_and_nothing_else(polyhead, tiny, tmp_path):
    tiny()
    result = polyhead("init", "table.csv", "--target", "price", "-o", "first.yaml", "--json")
    assert (result.code, result.err) == (0, "")
    written = load_config(tmp_path / "first.yaml")
    printed = json.loads(result.out)
    assert list(printed) == ["out", "config", "columns", "notes"]
    assert printed["out"] == "first.yaml"
    assert printed["config"] == written.model_dump(mode="json", by_alias=True)
    roles = {column["column"]: column["role"] for column in printed["columns"]}
    assert (roles["id"], roles["part"], roles["photo"], roles["price"]) == ("key", "split", "feature", "target")
    assert all(column["why"] for column in printed["columns"])


def test_a_dash_prints_the_file_and_writes_none(polyhead, tiny, tmp_path):
    """What is printed is what would be written here, so it can be piped into a file; the message is left out."""
    tiny(folder=tmp_path / "data")
    before = sorted(tmp_path.rglob("*"))
    result = polyhead("init", "data/table.csv", "--target", "price", "-o", "-")
    assert (result.code, result.err) == (0, "")
    assert sorted(tmp_path.rglob("*")) == before
    assert polyhead("init", "data/table.csv", "--target", "price", "-o", "first.yaml", "--no-schema").code == 0
    assert not (tmp_path / ".polyhead.schema.json").exists()
    assert result.out == (tmp_path / "first.yaml").read_text(encoding="utf-8")
    as_json = polyhead("init", "data/table.csv", "--target", "price", "-o", "-", "--json")
    assert (as_json.code, as_json.err) == (0, "")
    assert json.loads(as_json.out)["out"] is None


def test_without_a_target_it_says_what_could_be_one(polyhead, tiny, tmp_path):
    tiny()
    result = polyhead("init", "table.csv", "-o", "first.yaml")
    assert (result.code, result.out) == (1, "")
    assert result.err == (
        "error: a problem with the data\n"
        "  table.csv: no column to predict is named [no-target]\n"
        "    → give --target; these look like outcomes: 'price' (regression), 'sold' (binary)\n"
    )
    assert not (tmp_path / "first.yaml").exists()


@pytest.mark.parametrize(
    ("out", "table"),
    [
        ("first.yaml", "data/table.csv"),
        ("data/first.yaml", "table.csv"),
        ("configs/first.yaml", "{here}/data/table.csv"),
    ],
)
def test_the_table_is_named_from_where_the_file_stands(polyhead, tiny, tmp_path, out, table):
    """Relative where it lies at or below the file's folder, absolute elsewhere; found in each case."""
    tiny(folder=tmp_path / "data")
    assert polyhead("init", "data/table.csv", "--target", "price", "-o", out).code == 0
    assert load_config(tmp_path / out).table == table.format(here=tmp_path)
    assert polyhead("validate", out, "--out", "V").code == 0


def test_a_file_that_is_there_is_replaced_with_force_only(polyhead, tiny, tmp_path):
    tiny()
    before = (tmp_path / "polyhead.yaml").read_bytes()
    refused = polyhead("init", "table.csv", "--target", "price")
    assert (refused.code, refused.out) == (1, "")
    assert refused.err == (
        "error: a problem with the configuration\n"
        "  polyhead.yaml: already exists [already-exists]\n"
        "    → give another -o, or --force to replace it\n"
    )
    assert (tmp_path / "polyhead.yaml").read_bytes() == before
    assert polyhead("init", "table.csv", "--target", "price", "--force").code == 0
    assert list(load_config(tmp_path / "polyhead.yaml").targets) == ["price"]


def test_column_names_survive(polyhead, tmp_path):
    exotic(tmp_path, "my table: no.parquet")
    result = polyhead("init", "my table: no.parquet", "--target", "yes", "--target", "preis €")
    assert result.code == 0, result.err
    config = load_config(tmp_path / "polyhead.yaml")
    assert config.table == "my table: no.parquet"
    features = [column for column in EXOTIC if column not in (*TARGETS, "left out")]
    assert [config.column_of(name) for name in config.features] == features
    assert [config.column_of(name) for name in config.targets] == list(TARGETS)
    checked = polyhead("validate", "polyhead.yaml", "--out", "V", "--json")
    assert checked.code == 0, checked.err
    assert json.loads(checked.out)["rows_clean"] == ROWS


def test_column_names_survive_in_csv(polyhead, tmp_path):
    exotic(tmp_path, "table.csv", without=('"quoted"',))
    assert polyhead("init", "table.csv", "--target", "yes", "--target", "preis €").code == 0
    config = load_config(tmp_path / "polyhead.yaml")
    features = [column for column in EXOTIC if column not in (*TARGETS, "left out", '"quoted"')]
    assert [config.column_of(name) for name in config.features] == features


def test_a_quote_in_a_csv_header_survives(polyhead, tmp_path):
    exotic(tmp_path, "table.csv")
    assert polyhead("init", "table.csv", "--target", "yes").code == 0
    config = load_config(tmp_path / "polyhead.yaml")
    assert '"quoted"' in [config.column_of(name) for name in config.features]


def test_a_line_break_in_a_column_that_is_left_out_stays_in_its_comment(polyhead, tmp_path):
    exotic(tmp_path, "table.parquet", more={"constant\nkey: x": ["the same"] * ROWS})
    result = polyhead("init", "table.parquet", "--target", "yes")
    assert result.code == 0, result.err
    assert "constant" in (tmp_path / "polyhead.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("none.csv", "--target", "price"),
            "error: a problem with the data\n  none.csv: no such table [file-not-found]\n",
        ),
        (
            ("table.csv", "--target", "prize", "--target", "tag"),
            "error: 2 problems with the data\n"
            "  table.csv: no column 'prize' [unknown-column]\n    → did you mean 'price'?\n"
            "  table.csv: no column 'tag' [unknown-column]\n    → did you mean 'tags'?\n",
        ),
        (
            ("table.csv", "--target", "same"),
            "error: a problem with the data\n"
            "  column 'same': has the value 'x' only: nothing to learn [constant-target]\n",
        ),
    ],
    ids=["no table", "no column", "nothing to learn"],
)
def test_what_cannot_be_is_said(polyhead, tiny, tmp_path, arguments, message):
    tiny(change=lambda frame: frame.assign(same="x"))
    result = polyhead("init", *arguments, "-o", "first.yaml")
    assert (result.code, result.out, result.err) == (1, "", message)
    assert not (tmp_path / "first.yaml").exists()


@pytest.mark.parametrize("table", ["houses", "houses/", "houses/town=*/part-*.parquet"])
def test_a_table_of_many_files_is_proposed_and_validated(polyhead, tmp_path, table):
    """Its partitions are columns; the configuration runs as it is."""
    frame = pd.DataFrame({"id": range(ROWS), "area": [i * 1.5 for i in range(ROWS)], "price": range(ROWS)})
    for number, town in enumerate(("Bonn", "K%C3%B6ln")):
        folder = tmp_path / "houses" / f"town={town}"
        folder.mkdir(parents=True)
        frame[number::2].to_parquet(folder / f"part-{number}.parquet", index=False)
    assert polyhead("init", table, "--target", "price").code == 0
    config = load_config(tmp_path / "polyhead.yaml")
    assert config.features["town"].kind == "category"
    assert polyhead("validate", "polyhead.yaml", "--out", "V").code == 0
    clean = pd.read_parquet(tmp_path / "V" / "clean.parquet")
    assert clean["town"].tolist() == ["Bonn"] * (ROWS // 2) + ["Köln"] * (ROWS // 2)
    assert clean["price"].tolist() == [*range(0, ROWS, 2), *range(1, ROWS, 2)]
