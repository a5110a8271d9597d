"""A model of fewer features and targets than the shards hold, by the commands, down to its predictions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml
from refusals import refusal
from trainings import leave_out_serving

from polyhead.contracts.bundle import ModelBundle
from polyhead.contracts.config import Config, load_config
from polyhead.contracts.preprocessing import Fitted, Preprocessing
from polyhead.contracts.shards import ShardManifest
from polyhead.errors import ArtifactError

FEATURES, TARGETS = ("size", "colour"), ("shape",)
TRAIN = {"epochs": 2, "batch_size": 8}


def write_config(data: Any, name: str, **sections: Any) -> Path:
    """The data set's config with some sections replaced."""
    path = Path(data.folder / name)
    path.write_text(yaml.safe_dump({**data.sections, "train": TRAIN, **sections}, sort_keys=False), encoding="utf-8")
    return path


def part(sections: Any, group: str, names: tuple[str, ...]) -> dict[str, Any]:
    return {group: {name: sections[group][name] for name in names}}


@pytest.fixture
def prepared(polyhead: Any, tiny: Any) -> Any:
    """The tiny data set and its shards, of four features and four targets."""
    data = tiny()
    for command in (
        ("validate", "--out", "V"),
        ("preprocess", "--data", "V", "--out", "P"),
        ("shard", "--data", "V", "--preprocessing", "P", "--out", "S"),
    ):
        result = polyhead(command[0], data.config, *command[1:])
        assert result.code == 0, result.err
    return data


@pytest.fixture
def fewer(prepared: Any) -> Path:
    """A config of two of the features and one of the targets."""
    chosen = part(prepared.sections, "features", FEATURES) | part(prepared.sections, "targets", TARGETS)
    return write_config(prepared, "fewer.yaml", **chosen)


def test_a_model_of_fewer_columns_needs_only_them(polyhead: Any, prepared: Any, fewer: Path, tmp_path: Path) -> None:
    """It is trained and evaluated on the whole shards, and its table and served rows have its own columns only.

    To evaluate it with a config that names more than it knows is refused.
    """
    inputs = ("--shards", "S", "--preprocessing", "P")
    trained = polyhead("train", fewer, *inputs, "--out", "M")
    assert trained.code == 0, trained.err
    refused = polyhead("evaluate", prepared.config, "--bundle", "M", *inputs, "--out", "E")
    assert refused.code == 1
    assert "M: was made from other features, targets, key, split or numbers" in refused.err
    bundle = ModelBundle.read("M")
    assert list(bundle.heads) == list(TARGETS)
    assert bundle.made_from["preprocessing"] == Preprocessing.read("P").fingerprint()
    assert bundle.made_from["shards"] == ShardManifest.read("S").fingerprint()
    assert bundle.made_from["config"] == load_config(fewer).fingerprint(ModelBundle)

    evaluated = polyhead("evaluate", fewer, "--bundle", "M", *inputs, "--out", "E")
    assert evaluated.code == 0, evaluated.err
    report = json.loads((tmp_path / "E" / "EvaluationReport.json").read_text(encoding="utf-8"))
    assert list(report["heads"]) == list(TARGETS)
    truths = prepared.frame.set_index("id")["shape"]
    table = pl.read_parquet("E/predictions.parquet")
    assert (
        dict(zip(table["key"], table["shape.true"], strict=True))
        == truths[prepared.frame.part.values == "test"].to_dict()
    )

    rows = prepared.frame[["id", *FEATURES]]
    rows.to_csv("rows.csv", index=False)
    predicted = polyhead("predict", "M", "rows.csv", "--out", "predictions.parquet")
    assert predicted.code == 0, predicted.err
    predictions = pl.read_parquet("predictions.parquet")
    assert predictions.height == len(rows)
    assert {column.split(".")[0] for column in predictions.columns} == {"row", "key", *TARGETS}
    by_key = dict(zip(predictions["key"], predictions["shape.predicted"], strict=True))
    assert all(by_key[key] == label for key, label in zip(table["key"], table["shape.predicted"], strict=True))

    import tensorflow as tf

    serve = tf.saved_model.load("M/serving").signatures["serving_default"]
    assert set(serve.structured_input_signature[1]) == set(FEATURES)
    served = serve(size=tf.constant(rows["size"], tf.float64), colour=tf.constant(rows["colour"].tolist()))
    assert [label.decode() for label in served["shape"].numpy()] == predictions["shape.predicted"].to_list()


def test_a_model_of_fewer_columns_is_that_of_shards_with_only_them(
    polyhead: Any, prepared: Any, fewer: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Columns that a config does not use have no influence: training on shards without them gives the same network."""
    import numpy as np

    leave_out_serving(monkeypatch)
    (tmp_path / "alone").mkdir()
    for command in (
        ("validate", "--out", "alone/V"),
        ("preprocess", "--data", "alone/V", "--out", "alone/P"),
        ("shard", "--data", "alone/V", "--preprocessing", "alone/P", "--out", "alone/S"),
        ("train", "--shards", "alone/S", "--preprocessing", "alone/P", "--out", "alone/M"),
        ("train", "--shards", "S", "--preprocessing", "P", "--out", "M"),
    ):
        result = polyhead(command[0], fewer, *command[1:])
        assert result.code == 0, result.err
    from polyhead.model.predictor import Predictor

    alone, together = (Predictor(place)._core.get_weights() for place in ("alone/M", "M"))
    assert all(np.array_equal(one, other) for one, other in zip(alone, together, strict=True))


def test_what_decides_the_model_alone_needs_no_new_shards(
    polyhead: Any, prepared: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another weight, loss or augmentation leaves every artifact before the bundle as it is: it trains on these."""
    leave_out_serving(monkeypatch)
    other = write_config(
        prepared,
        "other.yaml",
        features={
            **prepared.sections["features"],
            "photo": {"kind": "image", "size": [16, 16], "augment": {"flip": False}},
        },
        targets={
            "price": {"kind": "regression", "transform": "log", "loss": "mse", "predict": "mean", "loss_weight": 0.5},
            "shape": {"kind": "multiclass", "class_weight": "balanced"},
            "sold": {"kind": "binary", "class_weight": "balanced"},
            "tags": {"kind": "multilabel", "class_weight": "balanced"},
        },
        ensemble={"members": []},
    )
    Path("again").mkdir()
    for command in (
        ("validate", "--out", "again/V"),
        ("preprocess", "--data", "again/V", "--out", "again/P"),
        ("shard", "--data", "again/V", "--preprocessing", "again/P", "--out", "again/S"),
    ):
        assert polyhead(command[0], other, *command[1:]).code == 0
    for artifact in ("V/ValidationReport.json", "P/Preprocessing.json", "S/ShardManifest.json"):
        assert (Path("again") / artifact).read_bytes() == Path(artifact).read_bytes()
    inputs = ("--shards", "S", "--preprocessing", "P")
    trained = polyhead("train", other, *inputs, "--out", "M")
    assert trained.code == 0, trained.err
    assert polyhead("evaluate", other, "--bundle", "M", *inputs, "--out", "E").code == 0
    refused = polyhead("evaluate", prepared.config, "--bundle", "M", *inputs, "--out", "F")
    assert "M: was made from other features, targets, key, split or numbers" in refused.err


def test_the_weight_of_a_class_that_there_is_not_is_refused(polyhead: Any, prepared: Any) -> None:
    """By preprocess, and by train where the weight was given after that."""
    targets = {
        **prepared.sections["targets"],
        "shape": {"kind": "multiclass", "class_weight": {"none": 2}},
        "tags": {"kind": "multilabel", "class_weight": {"neu": 2}},
    }
    other = write_config(prepared, "other.yaml", targets=targets)
    for command in (
        ("preprocess", other, "--data", "V", "--out", "Q"),
        ("train", other, "--shards", "S", "--preprocessing", "P", "--out", "M"),
    ):
        refused = polyhead(*command)
        assert refused.code == 1
        for words in ("target 'shape': class_weight names 'none'", "target 'tags': class_weight names 'neu'"):
            assert words in refused.err


def test_differences_are_explained_all_at_once(polyhead: Any, prepared: Any) -> None:
    """What the shards lack, hold otherwise, or were split otherwise is named with its place in the config."""
    other = write_config(
        prepared,
        "other.yaml",
        features={"sise": {"kind": "numeric"}, "photo": {"kind": "image", "size": [8, 16], "augment": {"flip": False}}},
        targets={"price": {"kind": "regression"}},
        split={"column": "part", "seed": 5},
    )
    refused = polyhead("train", other, "--shards", "S", "--preprocessing", "P", "--out", "M")
    assert refused.code == 1
    for words in (
        "features.sise: P has no 'sise'",
        "did you mean 'size'?",
        "features.photo: P was made with a different size",
        "targets.price: P was made with a different transform",
        "key, split, numbers: P was made with a different key, split or spelling of numbers",
    ):
        assert words in refused.err


def test_a_view_keeps_the_artifacts_order_and_statistics(polyhead: Any, prepared: Any) -> None:
    """The config's order does not matter, every statistic of what is chosen is there, and nothing else."""
    held = Preprocessing.read("P")
    config = load_config(prepared.config)
    turned = config.model_copy(update={"features": {name: config.features[name] for name in reversed(FEATURES)}})
    view = Fitted.of(held, turned, "P")
    assert list(view.features) == list(view.feature_statistics) == list(FEATURES)
    assert all(view.feature_statistics[name] == held.feature_statistics[name] for name in FEATURES)
    assert view.targets == held.targets
    assert Fitted.of(held, config, "P").features == held.features
    with refusal(ArtifactError, "config-mismatch", where="key, split, numbers"):
        Fitted.of(held, Config.model_validate({**config.model_dump(by_alias=True), "key": None}), "P")
