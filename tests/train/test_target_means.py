"""Means of the targets by category: those of scikit-learn's `TargetEncoder`, of train rows, never of a row's own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray
from sklearn.preprocessing import TargetEncoder

from polyhead.contracts.bundle import BUNDLED_PREPROCESSING, ModelBundle
from polyhead.contracts.config import Config
from polyhead.contracts.preprocessing import Fitted, Preprocessing
from polyhead.contracts.shards import ShardManifest
from polyhead.evaluate import step as evaluate_step
from polyhead.kinds.features.category.config import CategoryStatistics
from polyhead.kinds.vocabulary import read_vocabulary
from polyhead.preprocess import step as preprocess_step
from polyhead.shard import step as shard_step
from polyhead.train import step as train_step
from polyhead.train.sizes import sized
from polyhead.validate import step as validate_step

ROWS, TOWNS = 240, 24
CONFIG: dict[str, Any] = {
    "key": "id",
    "features": {
        "colour": {"kind": "category"},
        "town": {"kind": "category", "target_means": True},
        "street": {"kind": "category", "target_means": True, "min_count": 2, "hash_buckets": 3},
    },
    "targets": {
        "rent": {"kind": "regression", "transform": "log"},
        "sold": {"kind": "binary", "class_weight": "balanced"},
        "band": {"kind": "multiclass"},
        "tags": {"kind": "multilabel"},
        "visits": {"kind": "count"},
        "spread": {"kind": "quantile"},
    },
    "split": {"column": "part"},
    "train": {"epochs": 1, "batch_size": 32},
    "model": {"width": 8},
    "evaluate": {"bootstrap": 0, "worth": False},
}
NUMBERS = ["rent", "sold", "band high", "band low", "tags big", "tags new", "visits", "spread"]
"""What the means are of, in order."""


@dataclass(frozen=True)
class Trained:
    """A bundle `T` and its evaluation `E` in a folder, and the table that they are of."""

    folder: Path
    config: Config
    table: pl.DataFrame

    @property
    def fitted(self) -> Fitted:
        """As the bundle has it."""
        place = self.folder / "T" / BUNDLED_PREPROCESSING
        return Fitted.of(Preprocessing.read(place), self.config, place)

    def numbers(self) -> NDArray[np.float64]:
        """What each row holds of `NUMBERS`, NaN where missing, (rows, numbers)."""
        of = self.table
        high, big, new = of["band"] == "high", of["tags"].str.contains("big"), of["tags"].str.contains("new")
        found = [of["rent"].log(), of["sold"] == "yes", high, ~high, big, new, of["visits"], of["spread"]]
        return np.stack([one.cast(pl.Float64).to_numpy() for one in found], 1)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, tf: Any) -> Trained:
    """Towns of 4 to 16 rows, and streets of which some are in one row."""
    folder = tmp_path_factory.mktemp("means")
    generator = np.random.default_rng(0)
    town = generator.choice(TOWNS, ROWS, p=np.linspace(1, 3, TOWNS) / np.linspace(1, 3, TOWNS).sum())
    rent = np.exp(6 + town / TOWNS + generator.normal(size=ROWS) / 4)
    table = pl.DataFrame(
        {
            "id": [f"row{at:03d}" for at in range(ROWS)],
            "colour": generator.choice(["red", "blue"], ROWS),
            "town": [f"t{at}" if row % 11 else None for row, at in enumerate(town.tolist())],
            "street": [f"s{at}" for at in generator.integers(0, 150, ROWS)],
            "rent": [number if row % 13 else None for row, number in enumerate(rent.tolist())],
            "sold": np.where(generator.random(ROWS) < town / TOWNS / 2, "yes", "no"),
            "band": np.where(rent > 650, "high", "low"),
            "tags": np.where(generator.random(ROWS) < 0.3, "new|big", np.where(rent > 700, "new", "[]")),
            "visits": generator.poisson(1 + town / 4),
            "spread": generator.normal(town, 2.0),
            "part": [("train", "train", "train", "val", "train", "test")[row % 6] for row in range(ROWS)],
        }
    )
    table.write_csv(folder / "t.csv")
    config = Config.model_validate({"table": str(folder / "t.csv"), **CONFIG})
    validate_step.run(config=config, table=config.table, out=folder / "V")
    preprocess_step.run(config=config, data=folder / "V", out=folder / "P")
    shard_step.run(config=config, data=folder / "V", preprocessing=folder / "P", out=folder / "S")
    steps: dict[str, Any] = {"shards": folder / "S", "preprocessing": folder / "P"}
    train_step.run(config=config, **steps, out=folder / "T")
    evaluate_step.run(config=config, bundle=folder / "T", **steps, out=folder / "E")
    return Trained(folder, config, table)


def seen(trained: Trained, *splits: Any) -> dict[str, NDArray[np.float32]]:
    """The means that the network sees of some splits' rows, (columns, numbers), by key."""
    import tensorflow as tf

    from polyhead.examples.parsing import Parser
    from polyhead.examples.reading import records
    from polyhead.train.data import Feed

    manifest = ShardManifest.read(trained.folder / "S")
    settled, _ = sized(trained.config, manifest.rows["train"])
    feed = Feed(settled, trained.fitted, manifest, trained.folder / "S")
    parse = Parser(trained.fitted)
    found: dict[str, NDArray[np.float32]] = {}
    examples = records(manifest, trained.folder / "S", *splits, batch_size=128)
    for batch, (inputs, _, _) in zip(examples, feed.fixed(*splits), strict=True):
        keys = [key.decode() for key in parse(batch)[0].numpy()]
        found |= dict(zip(keys, tf.convert_to_tensor(inputs["category_means"]).numpy(), strict=True))
    return found


def by_scikit_learn(trained: Trained, column: str, number: int, rows: NDArray[np.bool_]) -> Callable[[str], float]:
    """What `TargetEncoder`, fitted on some rows, says of a value."""
    numbers = trained.numbers()[:, number]
    fits = rows & np.isfinite(numbers)
    words = trained.table[column].fill_null("").to_numpy()
    encoder = TargetEncoder(target_type="continuous", smooth="auto").fit(words[fits, None], numbers[fits])
    return lambda word: float(encoder.transform(np.array([[word]], object))[0, 0])


@pytest.mark.parametrize("column", ["town", "street"])
def test_they_are_those_of_scikit_learn(trained: Trained, column: str) -> None:
    """Of train rows those of the other parts, of all others those of all train rows; 0 where there is no value."""
    import tensorflow as tf

    from polyhead.kinds.features.category.graph import FOLDS, fold_of

    statistics = trained.fitted.feature_statistics[column]
    assert isinstance(statistics, CategoryStatistics)
    known = set(read_vocabulary(trained.fitted.directory, statistics.vocabulary)["token"])
    train = (trained.table["part"] == "train").to_numpy()
    folds = np.where(train, fold_of(tf.constant(trained.table["id"].to_list())).numpy(), 0)
    assert set(folds[train]) == set(range(1, FOLDS + 1))
    place = list(trained.config.features).index(column)
    found = seen(trained, "train") | seen(trained, "val", "test")
    assert len(found) == ROWS
    numbers = trained.numbers()
    for at in range(len(NUMBERS)):
        mean, deviation = np.nanmean(numbers[train, at]), np.nanstd(numbers[train, at])
        said = [by_scikit_learn(trained, column, at, train & (folds != fold)) for fold in range(FOLDS + 1)]
        for row, (key, word) in enumerate(trained.table.select("id", column).iter_rows()):
            expected = (said[folds[row]](word) - mean) / deviation if word in known else 0.0
            assert found[key][place, at] == pytest.approx(expected, abs=1e-5), (key, word, NUMBERS[at])
    assert any(word not in known for word in trained.table[column])


def test_a_column_that_does_not_ask_has_none(trained: Trained) -> None:
    """Zeros stand in its place."""
    assert not np.stack(list(seen(trained, "train").values()))[:, 0].any()


def test_the_saved_model_and_the_evaluation_see_the_same(trained: Trained, tf: Any) -> None:
    """What is served of raw test rows is what was evaluated; a value that no train row has is answered."""
    rows = trained.table.filter(pl.col("part") == "test")
    serve = tf.saved_model.load(str(trained.folder / "T" / "serving")).signatures["serving_default"]
    raw = {name: tf.constant(rows[name].fill_null("").to_list()) for name in trained.config.features}
    said = serve(**raw)
    table = pl.read_parquet(trained.folder / "E" / "predictions.parquet")
    assert sorted(table["key"]) == sorted(rows["id"])
    expected = rows.select("id").join(table, left_on="id", right_on="key", how="left", maintain_order="left")
    for name in ("rent", "visits"):
        np.testing.assert_allclose(said[name].numpy(), expected[f"{name}.predicted"].to_numpy(), rtol=1e-5)
    yes = expected["sold.probability.yes"].to_numpy()
    np.testing.assert_allclose(said["sold__probabilities"].numpy()[:, 1], yes, rtol=1e-5)
    assert np.isfinite(serve(**{name: tf.constant(["nowhere"]) for name in raw})["rent"].numpy()).all()


def test_the_bundle_keeps_them(trained: Trained) -> None:
    """Beside the vocabularies, under a digest."""
    files = ModelBundle.read(trained.folder / "T").files
    assert {f"preprocessing/target_means/{name}.npy" for name in ("town", "street")} <= set(files)
