"""Artifacts that do not belong together, or were changed on disk, are refused by name instead of scored."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from refusals import refusal

from polyhead.contracts.bundle import ModelBundle
from polyhead.contracts.evaluation import EvaluationReport
from polyhead.contracts.preprocessing import Preprocessing
from polyhead.contracts.shards import ShardManifest
from polyhead.errors import ArtifactError
from polyhead.predict import step as predict_step
from polyhead.train import step as train_step


def fingerprints(*runs: Any) -> list[str]:
    found = [Preprocessing.read(run.place("preprocess")).fingerprint()[:12] for run in runs]
    assert len(set(found)) == len(runs)
    return found


def test_evaluate_refuses_other_preprocessing_naming_both(finished: Any, elsewhere: Any, tmp_path: Path) -> None:
    """Statistics other than those the model was trained with are an error with both fingerprints, not a bad score."""
    with pytest.raises(ArtifactError) as caught:
        finished.evaluate(tmp_path / "out", preprocessing=elsewhere.place("preprocess"))
    for fingerprint in fingerprints(finished, elsewhere):
        assert fingerprint in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_evaluate_refuses_shards_of_other_preprocessing(finished: Any, elsewhere: Any, tmp_path: Path) -> None:
    """Shards made with other statistics are refused, also where the preprocessing given is theirs."""
    for instead in (
        {"shards": elsewhere.place("shard")},
        {"shards": elsewhere.place("shard"), "preprocessing": elsewhere.place("preprocess")},
    ):
        with pytest.raises(ArtifactError) as caught:
            finished.evaluate(tmp_path / "out", **instead)
        for fingerprint in fingerprints(finished, elsewhere):
            assert fingerprint in str(caught.value)


def test_train_refuses_other_preprocessing(finished: Any, elsewhere: Any, tmp_path: Path) -> None:
    """Training on shards with other statistics is refused naming both."""
    with pytest.raises(ArtifactError) as caught:
        train_step.run(
            config=finished.config,
            shards=finished.place("shard"),
            preprocessing=elsewhere.place("preprocess"),
            out=tmp_path / "out",
        )
    for fingerprint in fingerprints(finished, elsewhere):
        assert fingerprint in str(caught.value)


def test_artifacts_of_another_kind_are_refused(finished: Any, tmp_path: Path) -> None:
    """A folder of another step is refused with what it holds and which command makes the right one."""
    shown = ["ModelBundle.json", "ShardManifest", "polyhead train"]
    with refusal(ArtifactError, "artifact-not-found", shows=shown):
        finished.evaluate(tmp_path / "out", bundle=finished.place("shard"))


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_a_changed_shard_is_refused(finished: Any, copied: Any, tmp_path: Path) -> None:
    """One changed bit in a test shard stops the evaluation with the file's name."""
    shards = copied("shard")
    name = ShardManifest.read(shards).of("test")[0].path
    flip(shards / name)
    with refusal(ArtifactError, "artifact-changed", shows=[name]):
        finished.evaluate(tmp_path / "out", shards=shards)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("how", ["changed", "gone"])
@pytest.mark.parametrize(
    "name", ["core.keras", "preprocessing/vocabularies/note.arrow", "preprocessing/vocabularies/clay.arrow"]
)
def test_a_changed_model_or_vocabulary_is_refused(copied: Any, name: str, how: str) -> None:
    """A bundle whose network or vocabulary is not the trained one is refused with the file's name."""
    from polyhead.model.predictor import Predictor

    bundle = copied("train")
    if how == "gone":
        (bundle / name).unlink()
    else:
        flip(bundle / name)
    code = "artifact-file-missing" if how == "gone" else "artifact-changed"
    with refusal(ArtifactError, code, where=bundle / name):
        Predictor(bundle)


def test_changed_statistics_in_a_bundle_are_refused(copied: Any) -> None:
    """A mean that was edited in the bundle's preprocessing is noticed, although its files are all there."""
    from polyhead.model.predictor import Predictor

    bundle = copied("train")
    path = bundle / "preprocessing" / "Preprocessing.json"
    contract = json.loads(path.read_text(encoding="utf-8"))
    contract["feature_statistics"]["volume_ml"]["mean"] += 1
    path.write_text(json.dumps(contract), encoding="utf-8")
    with refusal(ArtifactError, "artifact-changed", where=path):
        Predictor(bundle)


@pytest.mark.parametrize("content", [None, "", "{", '[{"epoch": 1}]', "[1]", "3"])
def test_a_lost_or_damaged_history_is_refused(finished: Any, copied: Any, tmp_path: Path, content: str | None) -> None:
    """A bundle without its training history is named as such before anything is predicted."""
    bundle = copied("train")
    path = bundle / "history.json"
    path.unlink()
    if content is not None:
        path.write_text(content, encoding="utf-8")
    code = "artifact-file-missing" if content is None else "artifact-changed"
    with refusal(ArtifactError, code, where=path):
        finished.evaluate(tmp_path / "out", bundle=bundle)


@pytest.mark.parametrize("how", ["gone", "damaged", "other"])
def test_a_lost_or_other_config_in_a_bundle_is_refused(finished: Any, copied: Any, tmp_path: Path, how: str) -> None:
    """`predict` names a bundle's config that is missing, damaged, or not the one the model was trained by."""
    bundle = copied("train")
    path = bundle / "config.json"
    text = path.read_text(encoding="utf-8")
    if how == "gone":
        path.unlink()
    else:
        path.write_text(text[:-20] if how == "damaged" else text.replace('"note"', '"notes"'), encoding="utf-8")
    code = "config-mismatch" if how == "other" else "artifact-damaged"
    with refusal(ArtifactError, code, shows=["config"]):
        predict_step.run(bundle=bundle, table=str(finished.table), out=tmp_path / "out.parquet")
    assert not (tmp_path / "out.parquet").exists()


def test_the_report_counts_what_happened(finished: Any) -> None:
    """Rows, rejections and missing targets of the report are those of the table and its splits."""
    report = EvaluationReport.read(finished.place("evaluate"))
    table = pl.read_parquet(finished.place("evaluate") / "predictions.parquet")
    assert report.rows_read == 200
    assert sum(report.rows.values()) + report.rows_rejected == 200
    assert table.height == report.rows["test"]
    for name, head in report.heads.items():
        assert head.n == table[f"{name}.true"].is_not_null().sum()
        assert head.n + head.missing == table.height
    assert sum(map(sum, report.heads["collection"].confusion)) == report.heads["collection"].n
    slices = [score for score in report.heads["price"].slices if score.feature == "clay"]
    assert sum(score.n for score in slices) == report.heads["price"].n
    assert {score.value for score in slices} >= {"stoneware", "porcelain", "terracotta"}
    assert report.made_from["bundle"] == ModelBundle.read(finished.place("train")).fingerprint()
    assert (finished.place("evaluate") / "report.html").stat().st_size > 10_000


def test_evaluating_twice_gives_the_same_numbers(finished: Any, tmp_path: Path) -> None:
    """The same artifacts give the same report and the same predictions."""
    report = finished.evaluate(tmp_path / "again")
    assert report == EvaluationReport.read(finished.place("evaluate"))
    again, before = (
        pl.read_parquet(f / "predictions.parquet") for f in (tmp_path / "again", finished.place("evaluate"))
    )
    assert again.equals(before)
