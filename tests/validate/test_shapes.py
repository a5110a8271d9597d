"""Twenty shapes of table: `polyhead init` proposes what is said here, and the result runs as it is."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from samples import draw_pictures
from trainings import leave_out_serving

from polyhead.contracts.config import Config, parse_config
from polyhead.preprocess import step as preprocess_step
from polyhead.shard import step as shard_step
from polyhead.tables.reading import read_table
from polyhead.train import step as train_step
from polyhead.validate import step as validate_step
from polyhead.validate.infer import propose

ROWS = 120
PICTURES = [f"{at}.png" for at in range(12)]


@dataclass(frozen=True)
class Shape:
    """A table and what is to be proposed of it.

    Attributes:
        columns: Makes them, given dice and a folder.
        targets: The columns to predict.
        expected: By feature and target, its kind, with what its options must be, if any.
        left_out: Columns that are no features. Default: none.
        key: Default: no column names the rows.
        suffix: Of the file.
        split: The column that says the split. Default: none.
    """

    columns: Callable[[np.random.Generator, Path], dict[str, Any]]
    targets: tuple[str, ...]
    expected: Mapping[str, str | tuple[str, Mapping[str, Any]]]
    left_out: tuple[str, ...] = ()
    key: str | None = None
    suffix: str = "csv"
    split: str | None = None
    options: dict[str, Any] = field(default_factory=dict)


def words(dice: np.random.Generator, *choices: str, rows: int = ROWS) -> list[str]:
    return [choices[at] for at in dice.integers(0, len(choices), rows)]


def amounts(dice: np.random.Generator, low: float = 0, high: float = 100, rows: int = ROWS) -> list[float]:
    return [float(number) for number in dice.uniform(low, high, rows).round(2)]


def sparse(dice: np.random.Generator, cells: list[Any], share: float = 0.2) -> list[Any]:
    return [None if gone else cell for cell, gone in zip(cells, dice.uniform(size=len(cells)) < share, strict=True)]


def ids(prefix: str = "r", rows: int = ROWS) -> list[str]:
    return [f"{prefix}{(row * 7919) % 100003:06d}" for row in range(rows)]


def sentences(dice: np.random.Generator) -> list[str]:
    what, how = words(dice, "mug", "bowl", "plate"), words(dice, "arrived broken", "is lovely", "was late again")
    return [f"The {a} that I bought in week {row} {b}." for row, (a, b) in enumerate(zip(what, how, strict=True))]


def pictures(folder: Path) -> list[str]:
    (folder / "photos").mkdir(exist_ok=True)
    draw_pictures(folder / "photos", PICTURES)
    return [f"photos/{PICTURES[row % 12]}" for row in range(ROWS)]


def several(dice: np.random.Generator, folder: Path) -> list[list[str]]:
    paths = pictures(folder)[:12]
    return [[paths[at] for at in dice.integers(0, 12, 1 + row % 3)] for row in range(ROWS)]


SHAPES: dict[str, Shape] = {
    "numbers and categories": Shape(
        lambda dice, _: {
            "area": amounts(dice, 20, 200),
            "rooms": dice.integers(1, 30, ROWS).tolist(),
            "city": words(dice, "Rome", "Oslo", "Bern"),
            "price": np.exp(dice.normal(5, 1, ROWS)).round(2).tolist(),
        },
        ("price",),
        {"area": "numeric", "rooms": "numeric", "city": "category", "price": ("regression", {"transform": "log"})},
    ),
    "yes or no with a key": Shape(
        lambda dice, _: {
            "customer_id": ids("c"),
            "age": dice.integers(18, 90, ROWS).tolist(),
            "member": words(dice, "yes", "no"),
            "churned": words(dice, "yes", "no"),
        },
        ("churned",),
        {"age": "numeric", "member": "boolean", "churned": "binary"},
        key="customer_id",
    ),
    "texts with a label": Shape(
        lambda dice, _: {"review": sentences(dice), "stars": words(dice, "good", "fair", "bad")},
        ("stars",),
        {"review": "text", "stars": "multiclass"},
    ),
    "paths of pictures": Shape(
        lambda dice, folder: {"photo": pictures(folder), "weight": amounts(dice), "defect": words(dice, "yes", "no")},
        ("defect",),
        {"photo": "image", "weight": "numeric", "defect": "binary"},
    ),
    "several paths in a cell": Shape(
        lambda dice, folder: {
            "photos": sparse(dice, [";".join(paths) for paths in several(dice, folder)]),
            "price": amounts(dice),
        },
        ("price",),
        {"photos": ("images", {"separator": ";", "max_pictures": 3}), "price": "regression"},
    ),
    "lists of paths": Shape(
        lambda dice, folder: {"photos": several(dice, folder), "price": amounts(dice)},
        ("price",),
        {"photos": ("images", {"max_pictures": 3}), "price": "regression"},
        suffix="parquet",
    ),
    "lists of paths as text": Shape(
        lambda dice, folder: {"photos": [str(paths) for paths in several(dice, folder)], "price": amounts(dice)},
        ("price",),
        {"photos": "images", "price": "regression"},
    ),
    "pictures in the table": Shape(
        lambda dice, folder: {
            "scan": [(folder / path).read_bytes() for path in pictures(folder)],
            "more": [[(folder / path).read_bytes() for path in paths] for paths in several(dice, folder)],
            "grade": words(dice, "a", "b"),
        },
        ("grade",),
        {"scan": "image", "more": "images", "grade": "binary"},
        suffix="parquet",
    ),
    "counted columns": Shape(
        lambda dice, _: {
            "key": ids(),
            **{f"emb_{at}": column for at, column in enumerate(dice.normal(size=(32, ROWS)).tolist())},
            "month_1": amounts(dice),
            "month_2": amounts(dice),
            "label": words(dice, "a", "b", "c"),
        },
        ("label",),
        {
            "emb": ("vector", {"columns": "emb_0..emb_31"}),
            "month_1": "numeric",
            "month_2": "numeric",
            "label": "multiclass",
        },
        key="key",
        suffix="parquet",
    ),
    "counted columns with gaps": Shape(
        lambda dice, _: {
            **{f"x{at:02d}": sparse(dice, amounts(dice), 0.05) for at in range(20)},
            "y": amounts(dice),
        },
        ("y",),
        {**{f"x{at:02d}": "numeric" for at in range(20)}, "y": "regression"},
    ),
    "vectors in cells": Shape(
        lambda dice, _: {"embedding": dice.normal(size=(ROWS, 8)).tolist(), "class": words(dice, "x", "y", "z")},
        ("class",),
        {"embedding": ("vector", {"length": 8}), "column_class": "multiclass"},
        suffix="parquet",
    ),
    "tags": Shape(
        lambda dice, _: {
            "tags": [
                "|".join(dict.fromkeys(words(dice, "new", "sale", "eco", rows=1 + row % 3))) for row in range(ROWS)
            ],
            "topics": [
                ",".join(sorted(set(words(dice, "art", "law", "war", rows=1 + row % 3)))) for row in range(ROWS)
            ],
        },
        ("topics",),
        {"tags": "multicategory", "topics": ("multilabel", {"separator": ","})},
    ),
    "dates": Shape(
        lambda dice, _: {
            "sold_on": [f"2024-{1 + row % 12:02d}-{1 + row * 7 % 28:02d}" for row in range(ROWS)],
            "store": words(dice, "north", "south"),
            "revenue": amounts(dice),
        },
        ("revenue",),
        {"sold_on": "datetime", "store": "category", "revenue": "regression"},
    ),
    "a split of its own": Shape(
        lambda dice, _: {
            "width": amounts(dice),
            "split": [("train", "train", "train", "valid", "test")[row % 5] for row in range(ROWS)],
            "species": words(dice, "cat", "dog", "owl"),
        },
        ("species",),
        {"width": "numeric", "species": "multiclass"},
        split="split",
    ),
    "numbers with commas": Shape(
        lambda dice, _: {
            "menge": [f"{number:,.2f}".translate(str.maketrans(",.", ".,")) for number in amounts(dice, 0, 9000)],
            "preis": [f"{number:.2f}".replace(".", ",") for number in amounts(dice)],
        },
        ("preis",),
        {"menge": "numeric", "preis": "regression"},
        options={"numbers": {"decimal": ",", "thousands": "."}},
    ),
    "many missing": Shape(
        lambda dice, _: {
            "a": sparse(dice, amounts(dice), 0.5),
            "b": [None if row % 40 else "seen" for row in range(ROWS)],
            "c": sparse(dice, words(dice, "p", "q", "s"), 0.4),
            "y": sparse(dice, words(dice, "up", "down"), 0.3),
        },
        ("y",),
        {"a": "numeric", "c": "category", "y": "binary"},
        left_out=("b",),
    ),
    "columns that tell nothing": Shape(
        lambda dice, _: {
            "Unnamed: 0": list(range(ROWS)),
            "source": ["import"] * ROWS,
            "size": (sizes := amounts(dice)),
            "size_again": sizes,
            "empty": [None] * ROWS,
            "y": amounts(dice),
        },
        ("y",),
        {"size": "numeric", "y": "regression"},
        left_out=("source", "size_again", "empty"),
        key="Unnamed: 0",
    ),
    "a column that gives the answer away": Shape(
        lambda dice, _: {
            "height": amounts(dice),
            "verdict": (verdicts := words(dice, "guilty", "innocent")),
            "verdict_code": [{"guilty": "A", "innocent": "B"}[verdict] for verdict in verdicts],
        },
        ("verdict",),
        {"height": "numeric", "verdict": "binary"},
        left_out=("verdict_code",),
    ),
    "names that are no names": Shape(
        lambda dice, _: {
            "Größe (m²)": amounts(dice),
            "9 lives": words(dice, "tom", "kit", "mau"),
            "a.b": amounts(dice),
            "Preis €": amounts(dice),
        },
        ("Preis €",),
        {"gr_e_m": "numeric", "column_9_lives": "category", "a_b": "numeric", "preis": "regression"},
    ),
    "records of JSON Lines": Shape(
        lambda dice, _: {
            "name": ids("n"),
            "labels": [[word for word in ("warm", "wide") if dice.uniform() < 0.6] for _ in range(ROWS)],
            "flag": [bool(row % 3) for row in range(ROWS)],
            "inner": [{"a": row, "b": "x"} for row in range(ROWS)],
            "score": amounts(dice),
        },
        ("score",),
        {"labels": "multicategory", "flag": "boolean", "score": "regression"},
        left_out=("inner",),
        key="name",
        suffix="jsonl",
    ),
    "two targets": Shape(
        lambda dice, _: {
            "key": ids(),
            "note": sentences(dice),
            "age": amounts(dice),
            "price": amounts(dice),
            "band": words(dice, "low", "mid", "high"),
        },
        ("price", "band"),
        {"note": "text", "age": "numeric", "price": "regression", "band": "multiclass"},
        key="key",
    ),
    "a single feature": Shape(
        lambda dice, _: {"x": amounts(dice, rows=40), "y": words(dice, "a", "b", rows=40)},
        ("y",),
        {"x": "numeric", "y": "binary"},
    ),
}


def written(shape: Shape, folder: Path) -> Path:
    """The table's file."""
    columns = shape.columns(np.random.default_rng(7), folder)
    path = folder / f"table.{shape.suffix}"
    if shape.suffix == "jsonl":
        rows = [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]
        path.write_text("\n".join(json.dumps(row) for row in rows) + "\n", encoding="utf-8")
        return path
    frame = pl.DataFrame({name: pl.Series(cells, strict=False) for name, cells in columns.items()})
    frame.write_parquet(path) if shape.suffix == "parquet" else frame.write_csv(path)
    return path


def proposed(shape: Shape, path: Path) -> Config:
    proposal = propose(read_table(str(path)), str(path), shape.targets)
    config = parse_config(proposal.text(), name="polyhead.yaml")
    members = {**config.features, **config.targets}
    for name, expected in shape.expected.items():
        kind, options = (expected, {}) if isinstance(expected, str) else expected
        assert members[name].kind == kind, proposal.text()
        assert {key: getattr(members[name], key) for key in options} == dict(options), proposal.text()
    assert members.keys() == shape.expected.keys(), proposal.text()
    left_out = {choice.column for choice in proposal.of("left out")}
    assert left_out >= set(shape.left_out), proposal.text()
    assert (config.key, config.split.column) == (shape.key, shape.split), proposal.text()
    for key, value in shape.options.items():
        assert getattr(config, key).model_dump() == value
    return config


@pytest.mark.parametrize("name", SHAPES)
def test_what_is_proposed_runs_as_it_is(name: str, tmp_path: Path) -> None:
    """Every row is clean, and every column is fitted."""
    shape = SHAPES[name]
    config = proposed(shape, written(shape, tmp_path))
    report = validate_step.run(config=config, out=tmp_path / "V")
    assert report.rows_rejected == 0
    fitted = preprocess_step.run(config=config, data=tmp_path / "V", out=tmp_path / "P")
    assert {*fitted.feature_statistics, *fitted.target_statistics} == set(shape.expected)


def test_there_are_twenty() -> None:
    assert len(SHAPES) >= 20


def test_what_is_proposed_trains(tf: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One of them, from its file to a bundle."""
    leave_out_serving(monkeypatch)
    config = proposed(SHAPES["counted columns"], written(SHAPES["counted columns"], tmp_path))
    validate_step.run(config=config, out=tmp_path / "V")
    preprocess_step.run(config=config, data=tmp_path / "V", out=tmp_path / "P")
    made: dict[str, Any] = {"config": config, "preprocessing": tmp_path / "P"}
    shard_step.run(**made, data=tmp_path / "V", out=tmp_path / "S")
    short = config.model_copy(update={"train": config.train.model_copy(update={"epochs": 1})})
    bundle = train_step.run(config=short, shards=tmp_path / "S", preprocessing=tmp_path / "P", out=tmp_path / "T")
    assert bundle.heads == {"label": "multiclass"}
