"""A feature that no train row lacks may be missing later: what stands in for it is learned all the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from PIL import Image
from trainings import leave_out_serving

from polyhead.contracts.config import Config
from polyhead.kinds.features.category.config import MISSING_ID, UNSEEN_ID
from polyhead.model import backend
from polyhead.predict import step as predict_step
from polyhead.preprocess import step as preprocess_step
from polyhead.shard import step as shard_step
from polyhead.train import step as train_step
from polyhead.validate import step as validate_step

ROWS = 240
FEATURES = {
    "photo": {"kind": "image", "size": [8, 8]},
    "size": {"kind": "numeric"},
    "colour": {"kind": "category"},
    "note": {"kind": "text"},
}


def whole_table(folder: Path) -> pl.DataFrame:
    """Nothing is missing, and every feature moves the price."""
    generator = np.random.default_rng(5)
    bright, size, colour, new = (generator.integers(0, n, ROWS) for n in (2, 12, 3, 2))
    for name, level in (("dark", 30), ("bright", 220)):
        Image.new("RGB", (8, 8), (level,) * 3).save(folder / f"{name}.png")
    return pl.DataFrame(
        {
            "photo": np.array(["dark.png", "bright.png"])[bright].tolist(),
            "size": size.astype(float),
            "colour": np.array(["red", "green", "blue"])[colour].tolist(),
            "note": np.array(["an old thing", "a new thing"])[new].tolist(),
            "price": 100.0 + 8 * bright + 2 * size + 8 * colour + 16 * new,
            "part": ["train"] * (ROWS - 60) + ["val"] * 30 + ["test"] * 30,
        }
    )


def test_a_value_never_missing_in_training_may_be_missing_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without one feature, the predictions lie among those that its values would give, for every kind."""
    leave_out_serving(monkeypatch)
    table = whole_table(tmp_path)
    config = Config.model_validate(
        {
            "table": "t",
            "image_root": str(tmp_path),
            "features": FEATURES,
            "targets": {"price": {"kind": "regression"}},
            "split": {"column": "part"},
            "train": {"epochs": 25, "learning_rate": 0.01, "patience": 25},
            "model": {"image_dropout": 0, "width": 16},
            "ensemble": {"members": []},
        }
    )
    validate_step.run(config=config, table=table, out=tmp_path / "V")
    preprocess_step.run(config=config, data=tmp_path / "V", out=tmp_path / "P")
    shard_step.run(config=config, data=tmp_path / "V", preprocessing=tmp_path / "P", out=tmp_path / "S")
    train_step.run(config=config, shards=tmp_path / "S", preprocessing=tmp_path / "P", out=tmp_path / "T")

    base = table.head(20).select(list(FEATURES))
    versions = [base]
    for name in FEATURES:
        values = [*sorted(set(table[name])), None]
        versions += [base.with_columns(pl.lit(value, table.schema[name]).alias(name)) for value in values]
    predict_step.run(bundle=tmp_path / "T", table=pl.concat(versions), out=tmp_path / "p.parquet")
    predicted = iter(pl.read_parquet(tmp_path / "p.parquet")["price.predicted"].to_numpy().reshape(-1, len(base)))
    np.testing.assert_allclose(next(predicted), table["price"][:20], atol=8)  # it has learned something
    for name in FEATURES:
        *known, missing = [next(predicted) for _ in range(len(set(table[name])) + 1)]
        lowest, highest = np.min(known, 0), np.max(known, 0)
        assert (missing > lowest - 1).all(), name
        assert (missing < highest + 1).all(), name


def test_values_are_hidden_at_the_rate_given_while_training() -> None:
    """Hidden numbers are as missing ones, hidden ids are missing or unseen, one as often as the other."""
    backend.load()
    from polyhead.kinds.features.category.graph import HideCategory
    from polyhead.kinds.features.graph import Hide, HideNumber

    rows, rate = 40_000, 0.1
    known = np.ones(rows, np.float32)
    numbers = np.tile(np.array([[0.5, -2.0, 0.0]], np.float32), (rows, 1))
    ids = np.full(rows, 7, np.int32)
    for layer, values in ((Hide(rate, 1), known), (HideNumber(rate, 1), numbers), (HideCategory(rate, 1), ids)):
        np.testing.assert_array_equal(layer(values, training=False), values)
    assert 1 - np.asarray(Hide(rate, 1)(known, training=True)).mean() == pytest.approx(rate, abs=0.01)
    shown = np.asarray(HideNumber(rate, 1)(numbers, training=True))
    hidden = (shown == [0, 0, 1]).all(1)
    assert hidden.mean() == pytest.approx(rate, abs=0.01)
    assert (shown[~hidden] == numbers[0]).all()
    some: Any = np.asarray(HideCategory(rate, 1)(ids, training=True))
    for stand_in in (MISSING_ID, UNSEEN_ID):
        assert (some == stand_in).mean() == pytest.approx(rate, abs=0.01)
    assert set(some.tolist()) == {MISSING_ID, UNSEEN_ID, 7}
