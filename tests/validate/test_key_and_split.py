"""The split column into the three splits."""

from __future__ import annotations

import polars as pl

from polyhead.contracts.config import SplitNames, SplitSection
from polyhead.kinds.coercion import Coerced, applied
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
