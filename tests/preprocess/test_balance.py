"""The balance of the splits: exact, of every head, with the largest deviation, and said where it is far off."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from polyhead.contracts.config import Config
from polyhead.contracts.preprocessing import SPLITS_TABLE, Preprocessing
from polyhead.preprocess import step
from polyhead.validate import step as validate

TARGETS = {"price": {"kind": "regression"}, "band": {"kind": "multiclass"}, "tags": {"kind": "multilabel"}}


def run(folder: Path, frame: pl.DataFrame, **split: Any) -> tuple[Preprocessing, pl.DataFrame]:
    """The artifact, and the table with `__split__`."""
    sections = {"table": "t.csv", "features": {"x": {"kind": "numeric"}}, "targets": TARGETS, "split": split}
    config = Config.model_validate(sections)
    validate.run(config=config, table=frame, out=folder / "V")
    made = step.run(config=config, data=folder / "V", out=folder / "P")
    assert Preprocessing.read(folder / "P") == made
    return made, frame.with_columns(pl.read_parquet(folder / "P" / SPLITS_TABLE)["__split__"])


def table(rows: int = 120) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "x": [float(i) for i in range(rows)],
            "price": [None if i % 11 == 0 else float(i % 13) for i in range(rows)],
            "band": [None if i % 17 == 0 else "abc"[i % 5 % 3] for i in range(rows)],
            "tags": [[tag for tag, each in (("u", 2), ("v", 3), ("w", 7)) if i % each == 0] for i in range(rows)],
            "part": [("train", "train", "val", "test", "train")[i * 7 % 11 % 5] for i in range(rows)],
            "who": ["giant" if i < 70 else f"g{i % 9}" if i % 4 else None for i in range(rows)],
        }
    )


def test_what_each_split_holds_of_every_head_is_counted(tmp_path: Path) -> None:
    """As polars counts it, and the largest difference of each head and of all."""
    made, frame = run(tmp_path, table(), column="part")
    balance = made.balance
    assert list(balance.heads) == list(TARGETS)
    assert (balance.fractions, balance.groups) == ({}, None)
    assert balance.shares == {name: rows / 120 for name, rows in made.rows.items()}
    expected: dict[str, dict[tuple[str, str], float]] = {"price": {}, "band": {}, "tags": {}}
    for name in ("train", "val", "test"):
        rows = frame.filter(pl.col("__split__") == name)
        price, band, tags = (balance.heads[head].splits[name] for head in TARGETS)
        assert (price.rows, price.missing) == (rows["price"].count(), rows["price"].null_count())
        assert price.mean == pytest.approx(rows["price"].mean(), rel=1e-14)
        assert price.deviation == pytest.approx(rows["price"].std(ddof=0), rel=1e-14)
        assert band.labels == {label: rows["band"].drop_nulls().eq(label).sum() for label in "abc"}
        assert band.missing == rows["band"].null_count()
        assert tags.labels == {tag: rows["tags"].list.contains(tag).sum() for tag in "uvw"}
        deviation: Any = frame["price"].std(ddof=0)
        expected["price"][name, "mean"] = (price.mean - frame["price"].mean()) / deviation  # type: ignore[operator]
        for head in ("band", "tags"):
            for label, count in balance.heads[head].splits[name].labels.items():
                whole = frame.select(pl.col(head).drop_nulls().explode().eq(label).sum()).item() / frame[head].count()
                expected[head][name, label] = count / balance.heads[head].splits[name].rows - whole
    for head, differences in expected.items():
        largest: Any = balance.heads[head].largest
        (split, of), value = max(differences.items(), key=lambda item: abs(item[1]))
        assert abs(largest.value) == pytest.approx(abs(value), rel=1e-12)
        assert differences[largest.split, largest.of] == pytest.approx(largest.value, rel=1e-12)
        assert abs(differences[split, of]) == pytest.approx(abs(largest.value), rel=1e-12)
    most = max(expected, key=lambda head: max(map(abs, expected[head].values())))
    assert balance.most_unlike == most


def test_a_giant_group_is_said(tmp_path: Path) -> None:
    """In the balance, and in a warning where it keeps a split from its fraction."""
    made, frame = run(tmp_path, table(), group="who", fractions={"train": 0.2, "val": 0.4, "test": 0.4})
    groups = made.balance.groups
    assert groups is not None
    who = frame["who"].drop_nulls()
    assert (groups.groups, groups.ungrouped) == (who.n_unique(), frame["who"].null_count())
    assert (groups.largest, groups.largest_rows, groups.crossing) == ("giant", 70, 0)
    assert made.balance.fractions == {"train": 0.2, "val": 0.4, "test": 0.4}
    (far,) = [warning for warning in made.warnings if warning.startswith("train")]
    assert [word in far for word in ("20.0%", "'giant'", "58.3%")] == [True] * 3


def test_groups_that_a_split_column_divides_are_said(tmp_path: Path) -> None:
    """The column decides."""
    made, frame = run(tmp_path, table(), column="part", group="who")
    crossing = frame.drop_nulls("who").group_by("who").agg(pl.col("part").n_unique()).filter(pl.col("part") > 1).height
    assert made.balance.groups is not None
    assert made.balance.groups.crossing == crossing > 1
    assert any(f"{crossing} groups of column 'who'" in warning for warning in made.warnings)


def test_a_stratified_split_is_more_alike_than_one_by_hash(tmp_path: Path) -> None:
    """In the head that is most unlike."""
    by_hash, _ = run(tmp_path / "hash", table(), seed=1)
    stratified, _ = run(tmp_path / "strata", table(), seed=1, stratify=list(TARGETS))

    def largest(made: Preprocessing) -> float:
        found = made.balance.heads[made.balance.most_unlike or ""].largest
        assert found is not None
        return abs(found.value)

    assert largest(stratified) < 0.35 * largest(by_hash)


def test_many_labels_are_cut_and_still_compared(tmp_path: Path) -> None:
    """A hundred are listed, the largest difference is over all."""
    frame = table(1_000).with_columns(band=pl.Series([f"b{i % 150:03d}" for i in range(1_000)]))
    made, _ = run(tmp_path, frame)
    assert {len(held.labels) for held in made.balance.heads["band"].splits.values()} == {100}
