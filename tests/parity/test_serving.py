"""One transform: serving, the training path, `predict` and `evaluate` give the same numbers for the same row."""

from __future__ import annotations

import base64
import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from polyhead.contracts.preprocessing import Fitted, Preprocessing
from polyhead.contracts.shards import ShardManifest
from polyhead.kinds.targets.classes import ClassStatistics
from polyhead.kinds.targets.multilabel.config import LabelStatistics
from polyhead.predict import step as predict_step

HUNDRED = 100
NUMBERS = ("volume_ml", "wall_mm", "weight_g", "kiln_c")
WORDS = ("clay", "sold_at", "note")

CLIENT = """
import base64, json, sys
import tensorflow as tf
rows = json.load(open(sys.argv[1], encoding="utf-8"))
serve = tf.saved_model.load(sys.argv[2]).signatures["serving_default"]
numbers = set(rows["numbers"])
def batch(start, end):
    given = {}
    for name, values in rows["inputs"].items():
        values = values[start:end]
        if name in numbers:
            given[name] = tf.constant([float(value) for value in values], tf.float64)
        elif name == "photo":
            given[name] = tf.constant([base64.b64decode(value) for value in values])
        else:
            given[name] = tf.constant(values)
    return {name: value.numpy() for name, value in serve(**given).items()}
def plain(value):
    return [item.decode() for item in value] if value.dtype == object else value.tolist()
parts = [batch(0, 1), batch(1, 40), batch(40, None)]
result = {name: [item for part in parts for item in plain(part[name])] for name in parts[0]}
assert not [name for name in sys.modules if name.split(".")[0] == "polyhead"]
json.dump(result, open(sys.argv[3], "w", encoding="utf-8"))
"""


@pytest.fixture(scope="module")
def raw(finished: Any) -> pl.DataFrame:
    """A hundred raw rows that no step rejected, the hard ones and those with missing values among them."""
    rejected = [
        row
        for step in ("validate", "shard")
        for row in pl.read_parquet(finished.place(step) / "rejected.parquet")["row"]
    ]
    rows = finished.rows().with_row_index("row").filter(~pl.col("row").is_in(rejected))
    incomplete = pl.any_horizontal(pl.col("photo", "note", *NUMBERS) == "")
    chosen = pl.concat([rows.filter(incomplete), rows.filter(~incomplete)]).head(HUNDRED)
    assert chosen.height == HUNDRED
    assert (chosen["photo"] == "").any()
    assert (chosen["note"] == "").any()
    assert any((chosen[name] == "").any() for name in NUMBERS)
    assert chosen["photo"].str.ends_with(".jpg").sum() >= 10
    assert chosen["note"].str.contains("ΟΔΟΣ").any()
    return chosen


@pytest.fixture(scope="module")
def served(finished: Any, raw: pl.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a process that has only TensorFlow gets from the SavedModel for the raw cells and the files' bytes."""
    folder = tmp_path_factory.mktemp("client")
    photos = [(finished.folder / path).read_bytes() if path else b"" for path in raw["photo"]]
    inputs: dict[str, list[Any]] = {
        "photo": [base64.b64encode(content).decode() for content in photos],
        **{name: [value or "nan" for value in raw[name]] for name in NUMBERS},
        "clay": raw["clay"].to_list(),
        "sold_at": raw["sold_at"].to_list(),
        "note": raw["note"].to_list(),
        **{name: raw[name].to_list() for name in WORDS},
    }
    (folder / "rows.json").write_text(json.dumps({"inputs": inputs, "numbers": NUMBERS}), encoding="utf-8")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-c", CLIENT, "rows.json", str(finished.place("train") / "serving"), "served.json"],
        cwd=folder,
        env=environment,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    result: dict[str, Any] = json.loads((folder / "served.json").read_text(encoding="utf-8"))
    return result


@pytest.fixture(scope="module")
def trained(finished: Any) -> dict[str, dict[str, Any]]:
    """By key, what the network says on the shards' rows through the transforms of training."""
    import keras

    from polyhead.contracts.bundle import CORE_MODEL, ModelBundle
    from polyhead.examples.parsing import Parser
    from polyhead.examples.reading import records
    from polyhead.model.outputs import predictions
    from polyhead.train.data import Feed
    from polyhead.train.sizes import sized

    manifest = ShardManifest.read(finished.place("shard"))
    place = finished.place("preprocess")
    fitted = Fitted.of(Preprocessing.read(place), finished.config, place)
    feed = Feed(sized(finished.config, manifest.rows["train"])[0], fitted, manifest, finished.place("shard"))
    bundle = ModelBundle.read(finished.place("train"))
    core = keras.saving.load_model(finished.place("train") / CORE_MODEL, compile=False, safe_mode=True)
    parse = Parser(fitted)
    found: dict[str, dict[str, Any]] = {}
    for split in ("train", "val", "test"):
        keys = [
            key.decode()
            for batch in records(manifest, finished.place("shard"), split, batch_size=128)
            for key in parse(batch)[0].numpy()
        ]
        at = 0
        for inputs, _, _ in feed.fixed(split):
            outputs = {
                name: value.numpy()
                for name, value in predictions(
                    fitted, core(inputs, training=False), bundle.corrections, bundle.thresholds, bundle.radii
                ).items()
            }
            size = len(next(iter(outputs.values())))
            for i in range(size):
                found[keys[at + i]] = {name: value[i] for name, value in outputs.items()}
            at += size
        assert at == len(keys)
    return found


@pytest.fixture(scope="module")
def predicted(finished: Any, tmp_path_factory: pytest.TempPathFactory) -> pl.DataFrame:
    """What `predict` writes for the whole raw table."""
    out = tmp_path_factory.mktemp("predict") / "predictions.parquet"
    predict_step.run(bundle=finished.place("train"), table=str(finished.table), out=out)
    return pl.read_parquet(out)


def close(one: Any, other: Any) -> None:
    np.testing.assert_allclose(np.asarray(one, float), np.asarray(other, float), rtol=1e-5, atol=1e-5)


def test_serving_equals_the_training_path(
    raw: pl.DataFrame, served: dict[str, Any], trained: dict[str, dict[str, Any]]
) -> None:
    """A hundred raw rows give the same labels and, to 1e-5, the same numbers in a process without Polyhead."""
    rows = [trained[key] for key in raw["mug_id"]]
    assert set(served) == {*rows[0], "photo__failed"}
    assert not any(served["photo__failed"])
    for name in ("collection", "returned"):
        assert served[name] == [row[name].decode() for row in rows]
    assert served["tags"] == [row["tags"].tolist() for row in rows]
    for name in ("collection", "returned", "tags"):
        close(served[f"{name}__probabilities"], [row[f"{name}__probabilities"] for row in rows])
    for name in ("collection", "returned"):
        assert served[f"{name}__set"] == [row[f"{name}__set"].tolist() for row in rows]
    for name in ("price", "price__low", "price__high"):
        np.testing.assert_allclose(served[name], [row[name] for row in rows], rtol=1e-5)


def test_the_rows_differ(served: dict[str, Any]) -> None:
    """The compared numbers depend on the row, so agreeing on them means something."""
    for name in ("collection__probabilities", "returned__probabilities", "tags__probabilities", "price"):
        assert len({json.dumps(value) for value in served[name]}) > 0.95 * HUNDRED


def columns_of(row: dict[str, Any], preprocessing: Preprocessing) -> dict[str, Any]:
    """A row of the network's outputs under the names of the prediction table."""
    cells: dict[str, Any] = {}
    for name, statistics in preprocessing.target_statistics.items():
        if not isinstance(statistics, ClassStatistics | LabelStatistics):
            cells[f"{name}.predicted"] = float(row[name])
            cells |= {f"{name}.{end}": float(row[f"{name}__{end}"]) for end in ("low", "high")}
            continue
        if isinstance(statistics, LabelStatistics):
            labels = statistics.labels
            cells[f"{name}.predicted"] = [label for label, on in zip(labels, row[name], strict=True) if on]
        else:
            labels = statistics.classes
            cells[f"{name}.predicted"] = row[name].decode()
            cells[f"{name}.set"] = [label for label, on in zip(labels, row[f"{name}__set"], strict=True) if on]
        for label, probability in zip(labels, row[f"{name}__probabilities"], strict=True):
            cells[f"{name}.probability.{label}"] = float(probability)
    return cells


def check_rows(table: pl.DataFrame, trained: dict[str, dict[str, Any]], preprocessing: Preprocessing) -> None:
    for cells in table.iter_rows(named=True):
        for column, expected in columns_of(trained[cells["key"]], preprocessing).items():
            if isinstance(expected, float):
                assert cells[column] == pytest.approx(expected, rel=1e-5, abs=1e-5), column
            else:
                assert cells[column] == expected, column


def test_predict_equals_the_training_path(
    finished: Any, predicted: pl.DataFrame, trained: dict[str, dict[str, Any]]
) -> None:
    """`predict` on the raw table gives every clean row of the shards the same labels and numbers."""
    assert set(trained) <= set(predicted["key"])
    check_rows(
        predicted.filter(pl.col("key").is_in(list(trained))), trained, Preprocessing.read(finished.place("preprocess"))
    )


def test_evaluate_equals_the_training_path(finished: Any, trained: dict[str, dict[str, Any]]) -> None:
    """predictions.parquet holds exactly the test rows, with the same labels and numbers."""
    table = pl.read_parquet(finished.place("evaluate") / "predictions.parquet")
    splits = pl.read_parquet(finished.place("preprocess") / "splits.parquet")
    assert sorted(table["key"]) == sorted(splits.filter(pl.col("__split__") == "test")["__key__"])
    check_rows(table, trained, Preprocessing.read(finished.place("preprocess")))


def test_truths_beside_the_predictions_are_the_tables(finished: Any) -> None:
    """Each test row's true columns are its raw cells: label, set of labels, number, or nothing."""
    table = pl.read_parquet(finished.place("evaluate") / "predictions.parquet")
    raw = {row["mug_id"]: row for row in reversed(finished.rows().to_dicts())}
    missing = 0
    for row in table.iter_rows(named=True):
        cells = raw[row["key"]]
        for name in ("collection", "returned"):
            assert row[f"{name}.true"] == (cells[name] or None)
        tags = {"": None, "[]": []}.get(cells["tags"], sorted(cells["tags"].split("|")))
        assert row["tags.true"] == tags
        price = float(cells["price"]) if cells["price"] else None
        assert row["price.true"] == (price if price is None else pytest.approx(price, rel=1e-6))
        missing += sum(row[f"{name}.true"] is None for name in ("collection", "returned", "tags", "price"))
    assert missing > 0


def test_a_missing_row_is_served(tf: Any, finished: Any) -> None:
    """A row of which nothing is known still gets finite predictions."""
    serve = tf.saved_model.load(str(finished.place("train") / "serving")).signatures["serving_default"]
    outputs = serve(
        **{name: tf.constant([math.nan], tf.float64) for name in NUMBERS},
        **{name: tf.constant([""]) for name in ("photo", *WORDS)},
    )
    for name, value in outputs.items():
        if value.dtype != tf.string:
            assert np.isfinite(value.numpy()).all(), name
    assert outputs["price"].shape == (1,)


def test_a_picture_that_cannot_be_decoded_fails_its_row_alone(tf: Any, finished: Any) -> None:
    """The row is flagged and answered as one without a picture; the others are answered as if alone."""
    serve = tf.saved_model.load(str(finished.place("train") / "serving")).signatures["serving_default"]
    good = (finished.folder / "images" / "mug-0001.png").read_bytes()

    def answers(*photos: bytes) -> dict[str, Any]:
        count = len(photos)
        numbers = {name: tf.constant([250.0] * count, tf.float64) for name in NUMBERS}
        words = {name: tf.constant(["terracotta"] * count) for name in WORDS}
        return {name: value.numpy() for name, value in serve(photo=tf.constant(photos), **numbers, **words).items()}

    mixed = answers(b"junk", good, b"RIFF\0\0\0\0WEBPVP8 ", good[: len(good) // 2], b"", good)
    alone = {photo: answers(photo) for photo in (good, b"")}
    assert mixed["photo__failed"].tolist() == [True, False, True, True, False, False]
    for name in set(mixed) - {"photo__failed"}:
        for row, photo in enumerate((b"", good, b"", b"", b"", good)):
            value = alone[photo][name][0]
            if mixed[name].dtype.kind == "f":
                close(mixed[name][row], value)
            else:
                assert np.array_equal(mixed[name][row], value), name


def test_any_feature_name_can_be_served(tf: Any, tmp_path: Path) -> None:
    """Names that TensorFlow or our own code use themselves are fine, upper case too."""
    from polyhead.contracts.config import parse_config
    from polyhead.model.build import build_core
    from polyhead.preprocess import step as preprocess_step
    from polyhead.train.export import export_serving
    from polyhead.train.sizes import sized
    from polyhead.validate import step as validate_step

    names = ["raw", "Area", "name", "training", "values", "raw_encoder", "combiner", "core", "outputs_head"]
    features = ", ".join(f"{name}: {{kind: numeric}}" for name in names)
    config = parse_config(
        f"table: t.parquet\nfeatures: {{{features}}}\n"
        "targets: {outputs: {kind: regression}}\nsplit: {column: part}\n"
    )
    table = pl.DataFrame(
        {
            **{name: [1.0 + at, 2.0, 3.5, 7.0, 9.0] for at, name in enumerate(names)},
            "outputs": [1.0, 2.0, 3.0, 4.0, 5.0],
            "part": ["train", "train", "train", "val", "test"],
        }
    )
    validate_step.run(config=config, table=table, out=tmp_path / "v")
    held = preprocess_step.run(config=config, data=tmp_path / "v", out=tmp_path / "p")
    fitted = Fitted.of(held, config, tmp_path / "p")
    core = build_core(fitted, sized(config, 3)[0])
    export_serving(core, fitted, {}, {}, {}, tmp_path / "serving")
    serve = tf.saved_model.load(str(tmp_path / "serving")).signatures["serving_default"]
    by_name = {name: tf.constant([0.5 * at, math.nan], tf.float64) for at, name in enumerate(names)}
    outputs = serve(**by_name)
    assert set(outputs) == {"outputs"}
    changed = serve(**{**by_name, "raw": tf.constant([50.0, 50.0], tf.float64)})
    assert (changed["outputs"].numpy() != outputs["outputs"].numpy()).all()
