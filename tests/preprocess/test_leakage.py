"""What crosses the split that this step makes, and what `validate.leakage: move` does about it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from refusals import refusal

from polyhead.contracts.config import Config
from polyhead.contracts.preprocessing import SPLITS_TABLE, Preprocessing
from polyhead.contracts.validation import KEY, ROW, SPLIT
from polyhead.errors import DataError
from polyhead.leakage.duplicates import SCHEMA
from polyhead.preprocess import step as preprocess
from polyhead.preprocess.leakage import together
from polyhead.validate import step as validate

ROWS = 60
PAIRS = [(row, row + 30) for row in range(10)]


def frame() -> pd.DataFrame:
    """Sixty rows, the first ten of which are there twice."""
    random = np.random.default_rng(0)
    made = pd.DataFrame(
        {
            "id": [f"r{row}" for row in range(ROWS)],
            "size": random.normal(size=ROWS).round(4),
            "label": random.choice(["low", "high"], ROWS),
            "part": np.array(["train", "val", "test"])[(np.arange(ROWS) + np.arange(ROWS) // 30) % 3],
        }
    )
    for first, second in PAIRS:
        made.loc[second, ["size", "label"]] = made.loc[first, ["size", "label"]]
    return made


def run(folder: Path, split: dict[str, Any], leakage: str = "warn") -> tuple[Preprocessing, dict[str, str]]:
    """The artifact, and the split of every row."""
    config = Config.model_validate(
        {
            "table": "table.csv",
            "key": "id",
            "features": {"size": {"kind": "numeric"}},
            "targets": {"label": {"kind": "multiclass"}},
            "split": split,
            "validate": {"leakage": leakage},
        }
    )
    data, out = folder / f"V-{leakage}", folder / f"P-{leakage}"
    validate.run(config=config, table=frame(), out=data)
    made = preprocess.run(config=config, data=data, out=out)
    return made, dict(pl.read_parquet(out / SPLITS_TABLE).select(KEY, SPLIT).rows())


SPLITS: dict[str, dict[str, Any]] = {"of a column": {"column": "part"}, "by a hash": {"seed": 1}}


@pytest.mark.parametrize("name", SPLITS)
def test_rows_across_splits_are_found_whatever_makes_the_split(tmp_path: Path, name: str) -> None:
    made, splits = run(tmp_path, SPLITS[name])
    apart = [pair for pair in PAIRS if len({splits[f"r{row}"] for row in pair}) > 1]
    findings = {finding.code: finding for finding in made.findings}
    assert list(findings) == ["duplicate_rows", "duplicate_rows_across_splits"]
    assert findings["duplicate_rows"].count == len(PAIRS)
    crossing = findings["duplicate_rows_across_splits"]
    assert (crossing.count, crossing.affected, crossing.moved) == (len(apart), 2 * len(apart), 0)
    assert crossing.rows == [f"r{row}" for pair in apart for row in pair][:10]


def test_rows_in_the_gap_of_a_split_by_time_cross_nothing(tmp_path: Path) -> None:
    """They are in no split; and that time separates the splits is what was asked for."""
    days = pd.DataFrame({"day": np.arange(ROWS, dtype=float), "id_number": np.arange(ROWS) // 6})
    table = frame().drop(columns="part").join(days)
    config = Config.model_validate(
        {
            "table": "table.csv",
            "key": "id",
            "features": {"size": {"kind": "numeric"}, "id_number": {"kind": "category"}},
            "targets": {"label": {"kind": "multiclass"}},
            "split": {"time": "day", "gap": 3},
        }
    )
    validate.run(config=config, table=table, out=tmp_path / "V")
    made = preprocess.run(config=config, data=tmp_path / "V", out=tmp_path / "P")
    splits = dict(pl.read_parquet(tmp_path / "P" / SPLITS_TABLE).select(KEY, SPLIT).rows())
    groups: dict[int, set[str]] = {}
    for number, group in zip(table["id"], table["id_number"], strict=True):
        if splits[number] is not None:
            groups.setdefault(group, set()).add(splits[number])
    assert made.rows_rejected == 4  # the two days before each of the val and the test rows
    found = {finding.code: finding.count for finding in made.findings}
    assert found.get("group_crosses", 0) == sum(len(group) > 1 for group in groups.values())
    assert "time_separates_splits" not in found


def test_groups_that_a_column_of_splits_divides_are_found(tmp_path: Path) -> None:
    """The configuration names them, so nothing is guessed from the column's name."""
    table = frame().assign(house=np.arange(ROWS) // 4)
    config = Config.model_validate(
        {
            "table": "table.csv",
            "key": "id",
            "features": {"size": {"kind": "numeric"}},
            "targets": {"label": {"kind": "multiclass"}},
            "split": {"column": "part", "group": "house"},
        }
    )
    report = validate.run(config=config, table=table, out=tmp_path / "V")
    (found,) = [finding for finding in report.findings if finding.code == "group_crosses"]
    assert (found.column, found.count, found.affected) == ("house", 15, ROWS)
    assert found.message == "15 of 15 groups of 'house' are in several splits"


@pytest.mark.parametrize("name", SPLITS)
def test_move_keeps_duplicates_in_one_split_and_says_so(tmp_path: Path, name: str) -> None:
    """No set is in two splits, no other row moves, and ties go to train before val before test."""
    _, before = run(tmp_path, SPLITS[name])
    made, after = run(tmp_path, SPLITS[name], "move")
    alone = {f"r{row}" for row in range(ROWS)} - {f"r{row}" for pair in PAIRS for row in pair}
    assert {key: after[key] for key in alone} == {key: before[key] for key in alone}
    order = ["train", "val", "test"]
    for pair in PAIRS:
        first, second = (f"r{row}" for row in pair)
        assert after[first] == after[second] == min(before[first], before[second], key=order.index)
    finding = made.findings[-1]
    assert finding.code == "duplicate_rows_across_splits"
    assert finding.moved == sum(before[key] != after[key] for key in before) > 0
    assert made.rows == {split: list(after.values()).count(split) for split in order}


def test_fail_stops_where_the_split_is_known(tmp_path: Path) -> None:
    """A column's split in validate, one by a hash here: rows that are the same stop the first step in any case."""
    with refusal(DataError, "leakage-found", "duplicate-rows"):
        run(tmp_path, {"seed": 1}, "fail")
    with refusal(DataError, "leakage-found", "duplicate-rows", "duplicate-rows-across-splits"):
        run(tmp_path, {"column": "part"}, "fail")


def test_moving_makes_another_preprocessing_of_the_configuration(tmp_path: Path) -> None:
    warned, _ = run(tmp_path, {"seed": 1})
    moved, _ = run(tmp_path, {"seed": 1}, "move")
    assert warned.made_from["config"] != moved.made_from["config"]
    assert warned.made_from["validation"] == moved.made_from["validation"]


@pytest.mark.parametrize(
    ("sets", "splits", "expected"),
    [
        ([[0, 1, 2]], "train test test val", "test test test val"),
        ([[0, 1]], "test val", "val val"),
        ([[0, 1], [1, 2]], "train val test test", "train train train test"),
        ([[0, 1], [2, 3], [1, 3]], "test train test test", "test test test test"),
        ([], "test val", "test val"),
    ],
    ids=["most rows", "a tie", "sets that share a row", "a chain", "nothing"],
)
def test_what_hangs_together_goes_where_most_of_it_is(sets: list[list[int]], splits: str, expected: str) -> None:
    lines = [("duplicate_images", number, row, str(row), "photo") for number, rows in enumerate(sets) for row in rows]
    parts = splits.split()
    table = pl.DataFrame({ROW: range(len(parts)), KEY: map(str, range(len(parts))), SPLIT: parts})
    moved = together(pl.DataFrame(lines, schema=SCHEMA, orient="row"), table)
    assert moved[SPLIT].to_list() == expected.split()
    assert moved.select(ROW, KEY).equals(table.select(ROW, KEY))
