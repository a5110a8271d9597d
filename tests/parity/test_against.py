"""Another bundle as a reference on the same rows, and the rows that the report shows."""

from __future__ import annotations

import io
import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from PIL import Image
from refusals import refusal

from polyhead.contracts.bundle import ModelBundle
from polyhead.contracts.evaluation import EvaluationReport
from polyhead.contracts.preprocessing import Preprocessing
from polyhead.contracts.publication import LATEST, Latest
from polyhead.contracts.shards import ShardManifest
from polyhead.errors import ArtifactError, ConfigError
from polyhead.evaluate import step as evaluate_step
from polyhead.evaluate.scoring.deployed import check_comparable, place_of, why_not
from polyhead.predict import step as predict_step


def publish(finished: Any, destination: Path) -> Path:
    """A destination in which a run's bundle is in force, and the place of the bundle there."""
    fingerprint = ModelBundle.read(finished.place("train")).fingerprint()
    report = EvaluationReport.read(finished.place("evaluate"))
    latest = Latest.after(None, fingerprint, report, rollback=False)
    shutil.copytree(finished.place("train"), destination / latest.path)
    (destination / LATEST).write_bytes(latest.content())
    return destination / latest.path


def test_a_model_is_no_better_than_itself_deployed_and_its_worst_rows_are_shown(
    finished: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The version in force gives the same numbers; the report gets pictures and values of the rows that it lists."""
    publish(finished, tmp_path / "models")
    drawn: dict[str, Any] = {}

    def render(report: Any, table: Any, **given: Any) -> str:
        drawn.update(given, report=report)
        return ""

    monkeypatch.setattr(evaluate_step, "render_report", render)
    places = {"bundle": "train", "shards": "shard", "preprocessing": "preprocess"}
    inputs = {name: finished.place(step) for name, step in places.items()}
    report = evaluate_step.run(
        config=finished.config, out=tmp_path / "out", against=str(tmp_path / "models" / LATEST), **inputs
    )
    for head in report.heads.values():
        for name, score in head.references["deployed"].items():
            assert score.value == head.metrics[name].value
            if score.value is not None:
                assert (score.difference, score.verdict) == (0.0, "not clearly better")
        assert "the deployed model" in head.sentence

    rows = {row["mug_id"]: row for row in finished.rows().to_dicts()}
    assert len(drawn["shown"]) >= 10
    for key, shown in drawn["shown"].items():
        assert shown.values["clay"] == rows[key]["clay"].strip()
        assert set(shown.pictures) == ({"photo"} if rows[key]["photo"] else set())
        for content in shown.pictures.values():
            picture = Image.open(io.BytesIO(content))
            assert picture.format == "JPEG"
            assert max(picture.size) <= 64

    suspects = pl.read_parquet(tmp_path / "out" / "suspects.parquet")
    table = pl.read_parquet(tmp_path / "out" / "predictions.parquet")
    for name, head in report.heads.items():
        own = suspects.filter(pl.col("head") == name)
        assert own["key"].n_unique() == head.suspects
        if name == "collection":
            joined = own.join(table, on="key")
            assert joined["true"].to_list() == joined["collection.true"].to_list()


def test_a_bundle_predicts_the_shards_of_another_by_its_own_statistics(finished: Any, elsewhere: Any) -> None:
    """As it predicts the raw rows that they were made of."""
    from polyhead.examples.reading import records
    from polyhead.model.predictor import Predictor

    held = Preprocessing.read(elsewhere.place("preprocess"))
    check_comparable(finished.place("train"), elsewhere.place("shard"), held)
    manifest = ShardManifest.read(elsewhere.place("shard"))
    predictor = Predictor(finished.place("train"), layout=held)
    (said,) = predictor.predict(records(manifest, elsewhere.place("shard"), "test", batch_size=64))
    out = elsewhere.folder / "by-finished.parquet"
    predict_step.run(bundle=finished.place("train"), table=str(elsewhere.table), out=out)
    expected = dict(pl.read_parquet(out).select("key", "price.predicted").iter_rows())
    for key, price in zip(said.keys, said.outputs["price"], strict=True):
        assert price == pytest.approx(expected[key], rel=1e-4)


def test_shards_that_mean_something_else_are_refused_feature_by_feature(finished: Any) -> None:
    held = Preprocessing.read(finished.place("preprocess"))
    features = dict(held.features)
    del features["clay"]
    features["photo"] = features["photo"].model_copy(update={"size": (32, 32)})
    other = held.model_copy(update={"features": features})
    with refusal(ArtifactError, "not-comparable", "not-comparable", shows=["clay", "size"]):
        check_comparable(finished.place("train"), finished.place("shard"), other)


def test_heads_are_compared_where_they_answer_alike(finished: Any) -> None:
    statistics = Preprocessing.read(finished.place("preprocess")).target_statistics
    assert why_not(statistics["price"], statistics["price"]) == ""
    assert "no such head" in why_not(statistics["price"], None)
    assert "multiclass" in why_not(statistics["price"], statistics["collection"])
    fewer = statistics["tags"].model_copy(update={"labels": ["gift"]})
    assert "other classes" in why_not(statistics["tags"], fewer)


def test_the_place_to_compare_with(finished: Any, tmp_path: Path) -> None:
    """A bundle's own place; the version in force; nothing, where none is; an error without a destination."""
    assert place_of("gs://models/a", None) == "gs://models/a"
    assert place_of("latest", str(tmp_path / "models")) is None
    version = publish(finished, tmp_path / "models")
    assert Path(place_of("latest", str(tmp_path / "models")) or "") == version
    assert Path(place_of(str(tmp_path / "models" / LATEST), None) or "") == version
    with refusal(ConfigError, "no-destination", where="evaluate.against"):
        place_of("latest", None)
