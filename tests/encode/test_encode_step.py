"""The encode step: features once, the same rows, the same bytes however it went."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commandline import digests
from networks import WIDTH, Seen, write_network
from refusals import refusal

from polyhead.contracts.encoded import EncodedShards
from polyhead.contracts.preprocessing import Preprocessing
from polyhead.contracts.shards import ShardManifest
from polyhead.encode import step as encode_step
from polyhead.errors import ArtifactError, ConfigError
from polyhead.evaluate import step as evaluate_step
from polyhead.model import encoding
from polyhead.predict import step as predict_step

PICTURES = ("feature/image/photo", "feature/image/other")


@pytest.fixture(scope="module")
def encoded(seen: Callable[..., Seen]) -> Seen:
    """The data set with encoded shards and a trained bundle. Tests only read it."""
    made = seen()
    made.encode()
    made.train()
    return made


def examples(tf: Any, folder: Path, manifest: ShardManifest) -> list[Any]:
    """Every row, by TensorFlow's and protobuf's own readers."""
    paths = [str(folder / shard.path) for shard in manifest.shards]
    return [tf.train.Example.FromString(record.numpy()).features.feature for record in tf.data.TFRecordDataset(paths)]


def test_features_are_what_the_network_gives_and_all_else_stays(tf: Any, encoded: Seen, small_network: Path) -> None:
    import keras

    raw, made = ShardManifest.read(encoded.folder / "shard"), EncodedShards.read(encoded.folder / "encode")
    assert made.rows == raw.rows
    assert made.made_from["shards"] == raw.fingerprint()
    network = keras.saving.load_model(small_network)
    missing, pictures, splits = 0, 0, [shard.split for shard in made.shards for _ in range(shard.rows)]
    rows = zip(examples(tf, encoded.folder / "shard", raw), examples(tf, encoded.folder / "encode", made), strict=True)
    for split, (before, after) in zip(splits, rows, strict=True):
        assert {n: v for n, v in before.items() if n not in PICTURES} == {
            n: v for n, v in after.items() if n.removeprefix("picture/") not in PICTURES
        }
        for entry in PICTURES:
            assert (entry in before) == (entry in after)
            assert (f"picture/{entry}" in after) == (entry in before and split == "test")
            if f"picture/{entry}" in after:
                kept = tf.io.decode_jpeg(after[f"picture/{entry}"].bytes_list.value[0]).numpy()
                whole = np.frombuffer(before[entry].bytes_list.value[0], np.uint8).reshape(16, 16, 3)
                assert np.abs(kept.astype(int) - whole).mean() < 32
                pictures += 1
            missing += entry not in before
            if entry in before:
                pixels = np.frombuffer(before[entry].bytes_list.value[0], np.uint8).reshape(1, 16, 16, 3)
                features = np.frombuffer(after[entry].bytes_list.value[0], "<f4")
                np.testing.assert_allclose(features, network(pixels.astype(np.float32))[0], atol=1e-6)
    assert missing == 5
    assert pictures > 0


def test_the_networks_digest_and_width_are_kept(encoded: Seen, small_network: Path) -> None:
    from polyhead.contracts.bundle import ModelBundle
    from polyhead.storage.artifact import sha256_of

    digest = sha256_of(small_network)
    held = Preprocessing.read(encoded.folder / "preprocess")
    for name in ("photo", "other"):
        backbone = EncodedShards.read(encoded.folder / "encode").encoded[name]
        assert (backbone.sha256, backbone.width) == (digest, WIDTH)
        assert held.files[backbone.path].sha256 == digest
        assert ModelBundle.read(encoded.folder / "train").made_from[f"backbone/{name}"] == digest


def test_a_killed_step_resumes_with_the_same_bytes(encoded: Seen, monkeypatch: pytest.MonkeyPatch) -> None:
    call = encoding.ExampleEncoding.__call__
    calls = []

    def dies(self: Any, given: Any, **options: Any) -> Any:
        calls.append(len(given))
        if len(calls) == 2:
            raise KeyboardInterrupt
        return call(self, given, **options)

    monkeypatch.setattr(encoding.ExampleEncoding, "__call__", dies)
    with pytest.raises(KeyboardInterrupt):
        encoded.encode("again")
    encoded.encode("again")
    first, *others = ShardManifest.read(encoded.folder / "shard").shards
    assert calls == [first.rows, others[0].rows, *(shard.rows for shard in others)]
    assert digests(encoded.folder / "again") == digests(encoded.folder / "encode")


def test_features_of_earlier_shards_are_copied(
    encoded: Seen, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    encoded.encode("copied", reuse=encoded.folder / "encode")
    assert digests(encoded.folder / "copied") == digests(encoded.folder / "encode")
    assert "0 pictures" in capsys.readouterr().err


def test_another_network_copies_nothing(
    encoded: Seen, seen: Callable[..., Seen], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = seen(backbone=str(write_network(tmp_path / "wide.keras", width=WIDTH + 2)))
    made = other.encode(reuse=encoded.folder / "encode")
    assert made.encoded["photo"].width == WIDTH + 2
    assert "copied" not in capsys.readouterr().err


def test_training_and_evaluation_want_features(encoded: Seen, tmp_path: Path) -> None:
    with refusal(ArtifactError, "not-encoded", "not-encoded", shows=["'photo'", "'other'", "polyhead encode"]):
        encoded.train(shards="shard", out="refused")
    with refusal(ArtifactError, "not-encoded", "not-encoded"):
        evaluate_step.run(
            config=encoded.config,
            bundle=encoded.folder / "train",
            shards=encoded.folder / "shard",
            preprocessing=encoded.folder / "preprocess",
            out=tmp_path / "E",
        )


def test_a_network_that_trains_wants_pictures(encoded: Seen) -> None:
    with refusal(ArtifactError, "already-encoded", "already-encoded"):
        encoded.train(out="refused", config=encoded.training("top"))


def test_without_a_frozen_encoder_there_is_nothing_to_encode(encoded: Seen, tmp_path: Path) -> None:
    features = {name: one for name, one in encoded.config.features.items() if not one.PICTURES}
    with refusal(ConfigError, "nothing-to-encode"):
        encode_step.run(
            config=encoded.config.model_copy(update={"features": features}),
            shards=encoded.folder / "shard",
            preprocessing=encoded.folder / "preprocess",
            out=tmp_path / "N",
        )


def test_evaluation_prediction_and_the_served_graph_agree(tf: Any, encoded: Seen, tmp_path: Path) -> None:
    """On every row, pictures missing in some: from features, from a table, from the files' bytes."""
    import polars as pl

    evaluate_step.run(
        config=encoded.config,
        bundle=encoded.folder / "train",
        shards=encoded.folder / "encode",
        preprocessing=encoded.folder / "preprocess",
        out=tmp_path / "E",
    )
    assert '<img src="data:image/jpeg' in (tmp_path / "E" / "report.html").read_text(encoding="utf-8")
    evaluated = pl.read_parquet(tmp_path / "E" / "predictions.parquet").sort("key")
    predict_step.run(bundle=encoded.folder / "train", table=str(encoded.table), out=tmp_path / "p.parquet")
    predicted = pl.read_parquet(tmp_path / "p.parquet").filter(pl.col("key").is_in(evaluated["key"].to_list()))
    table = pl.read_csv(encoded.table, infer_schema=False).filter(pl.col("id").is_in(evaluated["key"].to_list()))
    files = {
        name: [(encoded.folder / path).read_bytes() if path else b"" for path in table[name]]
        for name in ("photo", "other")
    }
    serving = tf.saved_model.load(str(encoded.folder / "train" / "serving")).signatures["serving_default"]
    served = serving(
        **{name: tf.constant(contents) for name, contents in files.items()},
        size=tf.constant(table["size"].cast(float).to_list(), tf.float64),
    )
    assert predicted["key"].to_list() == evaluated["key"].to_list() == table["id"].to_list()
    for found in (evaluated, predicted):
        np.testing.assert_allclose(found["price.predicted"], served["price"], rtol=1e-5)


def test_the_answers_move_as_if_a_part_of_the_kept_picture_were_painted(
    tf: Any, encoded: Seen, small_network: Path
) -> None:
    """Pictures of which the shards hold features: what the network makes of the painted ones, one by one."""
    import keras

    from polyhead.contracts.bundle import CORE_MODEL
    from polyhead.examples.reading import records_at
    from polyhead.model.predictor import Predictor

    shards, predictor = encoded.folder / "encode", Predictor(encoded.folder / "train")
    examples = records_at(EncodedShards.read(shards), shards, "test", [0, 1, 2, 3])
    pictures = predictor.shown(examples)[1]
    found = predictor.moved(examples, pictures)
    assert [of is None for of in found["other"]] == [of is None for of in pictures["other"]]
    network = keras.saving.load_model(small_network)
    core = keras.saving.load_model(encoded.folder / "train" / CORE_MODEL)
    inputs = {name: tf.constant(of[:1]) for name, of in predictor.inputs([examples]).items()}
    picture = pictures["photo"][0]
    first = found["photo"][0]
    assert picture is not None
    assert first is not None

    def said(pixels: Any) -> dict[str, Any]:
        features = network(pixels[None].astype(np.float32))
        return {head: of.numpy() for head, of in core(inputs | {"photo__features": features}).items()}

    for at, (rows, columns) in {(0, 0): (slice(0, 4), slice(0, 4)), (2, 3): (slice(8, 12), slice(12, 16))}.items():
        painted = picture.copy()
        painted[rows, columns] = picture.mean((0, 1)).round()
        change = said(painted)["price"] - said(picture)["price"]
        assert first["price"][at] == pytest.approx(np.linalg.norm(change), rel=1e-3, abs=1e-6)
