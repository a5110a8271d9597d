"""The split column into the three splits, groups and times into what the split goes by."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import polars as pl
import pytest
from refusals import refusal

from polyhead.contracts.config import Config
from polyhead.contracts.splits import SplitNames, SplitSection
from polyhead.contracts.validation import CLEAN_TABLE, REJECTED_TABLE
from polyhead.errors import DataError
from polyhead.kinds.coercion import Coerced, applied
from polyhead.validate import step
from polyhead.validate.key_and_split import split_coercion


def split_names(column: pl.Series, section: SplitSection | None = None) -> Coerced:
    return applied(column, lambda source: split_coercion(source, section or SplitSection()))


def test_split_names() -> None:
    """The split column knows three words."""
    split = split_names(pl.Series(["train", "val ", "test", "valid", None, "Train"]))
    assert split.values.to_list() == ["train", "val", "test", None, None, None]
    assert [(fault.reason, fault.detail, fault.mask.arg_true().to_list()) for fault in split.faults] == [
        ("missing", "every row needs train, val or test", [4]),
        ("unknown_split", "did you mean 'train'?", [5]),
        ("unknown_split", "did you mean 'val'?", [3]),
    ]


def test_split_names_may_be_other_words() -> None:
    """They stand beside train, val and test, or take one of these for another; all else is as far off as before."""
    section = SplitSection(column="part", names=SplitNames(train=["Training", "1"], val=["dev", "test"]))
    column = pl.Series(["Training", "train", "1", "dev ", "val", "test", "develop", None])
    split = split_names(column, section)
    assert split.values.to_list() == ["train", "train", "train", "val", "val", "val", None, None]
    assert [(fault.reason, fault.detail, fault.mask.arg_true().to_list()) for fault in split.faults] == [
        ("missing", "every row needs train, val or test", [7]),
        ("unknown_split", "did you mean 'dev'?", [6]),
    ]


def test_a_wrong_split_column_rejects_every_row() -> None:
    """However many different words it holds, once each."""
    split = split_names(pl.Series([f"row{i}" for i in range(500)]))
    assert split.values.null_count() == 500
    assert {fault.reason for fault in split.faults} == {"unknown_split"}
    assert sum(int(fault.mask.sum()) for fault in split.faults) == 500
    assert split.faults[-1].detail == "one of: train, val, test"


def kept(frame: pl.DataFrame, folder: Path, **split: object) -> tuple[pl.DataFrame, list[tuple[object, ...]]]:
    """The clean table, and row, column, reason and value of the rejected cells."""
    config = Config.model_validate(
        {
            "table": "t.csv",
            "features": {"x": {"kind": "numeric"}, "sold": {"kind": "datetime", "format": "%d/%m/%Y"}},
            "targets": {"y": {"kind": "regression"}},
            "split": split,
            "validate": {"max_rejected": 1.0},
        }
    )
    step.run(config=config, table=frame, out=folder)
    cells = pl.read_parquet(folder / REJECTED_TABLE)
    return pl.read_parquet(folder / CLEAN_TABLE), cells.select("row", "column", "reason", "value").rows()


TIMES = pl.DataFrame(
    {
        "x": [1.0, 2.0, 3.0, 4.0],
        "y": [1.0, 2.0, 3.0, 4.0],
        "sold": ["01/02/2020", None, "03/02/2020", "02/02/2020"],
        "patient": [1, 2, None, 2],
        "year": [None, " 2020", "2019.5", "2021-01-01"],
        "day": ["1970-01-02", "x", "1970-01-01T10:00:00+01:00", "2020"],
        "week": [3.0, None, float("nan"), 1.0],
        "date": [dt.date(1970, 1, 2), None, None, dt.date(1970, 1, 1)],
    }
)


@pytest.mark.parametrize(
    ("split", "column", "values", "faults"),
    [
        ({"group": "patient"}, "__group__", ["1", "2", None, "2"], []),
        ({"group": "sold"}, "__group__", ["01/02/2020", None, "03/02/2020", "02/02/2020"], []),
        ({"time": "week", "gap": 2}, "__time__", [3, 1],
         [(1, "week", "missing", None), (2, "week", "missing", "nan")]),
        ({"time": "year"}, "__time__", [2020, 2019.5],
         [(0, "year", "missing", None), (3, "year", "not_a_number", "2021-01-01")]),
        ({"time": "day", "gap": "2h"}, "__time__", [86_400, 32_400],
         [(1, "day", "not_a_date", "x"), (3, "day", "a_number", "2020")]),
        ({"time": "date"}, "__time__", [86_400, 0], [(1, "date", "missing", None), (2, "date", "missing", None)]),
        ({"time": {"column": "week", "unit": "s"}, "gap": "2s"}, "__time__", [3, 1],
         [(1, "week", "missing", None), (2, "week", "missing", "nan")]),
        ({"time": "sold"}, "__time__", [1_580_515_200, 1_580_688_000, 1_580_601_600],
         [(1, "sold", "missing", None)]),
    ],
)  # fmt: skip
def test_groups_and_times_are_kept_in_a_canonical_form(
    split: dict[str, object], column: str, values: list[object], faults: list[tuple[object, ...]], tmp_path: Path
) -> None:
    """Also of a column that is a feature, as which it is then read; a row without a time is rejected."""
    table, cells = kept(TIMES, tmp_path / "V", **split)
    assert table[column].to_list() == values
    assert cells == faults


@pytest.mark.parametrize(
    ("split", "values"),
    [
        ({"time": "year", "gap": "30d"}, ["30d", "'year'", "numbers"]),
        ({"time": "week", "gap": "30d"}, ["30d", "'week'", "unit: s"]),
        ({"time": "date", "gap": 30}, ["30", "'date'", "30d"]),
        ({"time": "day", "gap": 1.5}, ["1.5", "'day'"]),
    ],
)
def test_a_gap_is_in_the_units_of_the_times(split: dict[str, object], values: list[str], tmp_path: Path) -> None:
    """A duration of dates, a number of numbers."""
    with refusal(DataError, "gap-mismatch", where="split.gap", shows=values):
        kept(TIMES, tmp_path / "V", **split)


def test_columns_that_hold_no_group_and_no_time(tmp_path: Path) -> None:
    """Lists; refused as a whole."""
    frame = TIMES.with_columns(pl.Series("lists", [[1], [2], [3], [4]]))
    with refusal(DataError, "not-a-single-value", where="column 'lists'"):
        kept(frame, tmp_path / "V", group="lists")
    with refusal(DataError, "not-a-date", where="column 'lists'"):
        kept(frame, tmp_path / "V", time="lists")
