"""`polyhead drift`: rows as the train rows are, rows that are not, and how programs are told."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import write_tiny
from PIL import Image
from refusals import refusal
from trainings import leave_out_serving

from polyhead.contracts.bundle import ModelBundle
from polyhead.contracts.config import load_config
from polyhead.contracts.drifted import DriftReport
from polyhead.contracts.profile import ColumnDrift
from polyhead.drift.step import run
from polyhead.errors import ArtifactError, DataError
from polyhead.validate import step as validate


@pytest.fixture(scope="module")
def table(made: Any) -> pd.DataFrame:
    return pd.read_csv(made.table)


def drifted(report: DriftReport) -> dict[tuple[str, str], ColumnDrift]:
    return {(one.column, one.of): one for one in report.columns if one.drift != "none"}


def test_the_own_rows_do_not_drift(polyhead: Any, made: Any) -> None:
    """Features and targets, pictures too; the classifier cannot tell them apart."""
    result = polyhead("drift", made.bundle, made.table, "--train", made.data)
    assert result.code == 0, result.err
    assert "drift:   none" in result.out
    assert "told apart with a ROC AUC of 0.500" in result.out


def test_what_changed_is_found_and_ends_with_3(polyhead: Any, made: Any, table: pd.DataFrame, tmp_path: Path) -> None:
    """Numbers, unseen categories, missing texts, labels, and the artifact that programs read."""
    shutil.copytree(made.folder / "images", tmp_path / "images")
    other = table.copy()
    other["size"] = other["size"] * 1.5 + 2
    other.loc[other.index % 3 == 0, "colour"] = "violet"
    other.loc[other.index % 4 == 0, "note"] = None
    other["sold"] = "yes"
    other.drop(columns="price").to_csv(tmp_path / "other.csv", index=False)
    arguments = ("drift", made.bundle, "other.csv", "--train", made.data, "--out", "D", "--json")
    result = polyhead(*arguments)
    assert result.code == 3, result.err
    report = DriftReport.read(tmp_path / "D")
    assert result.out == report.content().decode()
    found = drifted(report)
    assert {("size", "value"), ("colour", "unseen"), ("note", "missing"), ("sold", "words")} <= set(found)
    assert not any(column == "price" for column, _ in found)
    assert found["colour", "unseen"].detail == "33.3%, in train 0.0%"
    assert report.classifier is not None
    assert report.classifier.auc > 0.85
    assert report.made_from == {"bundle": ModelBundle.read(made.bundle).fingerprint()}
    assert polyhead(*arguments).out == result.out
    assert json.loads(polyhead("show", "D", "--json").out)["facts"]["drift"] == "large"


def test_pictures_that_got_dark_or_broke_drift(made: Any, table: pd.DataFrame, tmp_path: Path) -> None:
    """By a sample of them, without the model."""
    (tmp_path / "images").mkdir()
    for i, name in enumerate(table["photo"]):
        if i % 2:
            (tmp_path / name).write_bytes(b"no picture")
        else:
            pixels = np.asarray(Image.open(made.folder / name)) // 4
            Image.fromarray(pixels).resize((90, 80)).save(tmp_path / name)
    table.to_csv(tmp_path / "table.csv", index=False)
    found = drifted(run(bundle=made.bundle, table=str(tmp_path / "table.csv")))
    assert {of for column, of in found if column == "photo"} >= {"width", "height", "brightness", "unreadable"}


def test_rejected_rows_count_as_drift(made: Any, table: pd.DataFrame) -> None:
    """Where they are more than the configuration allows."""
    other = table.astype({"size": object})
    other.loc[other.index % 2 == 0, "size"] = "large"
    report = run(bundle=made.bundle, table=other.drop(columns="photo").assign(photo=None))
    assert (report.rows_rejected, report.drift) == (120, "large")


def test_a_bundle_keeps_no_rows(made: Any, table: pd.DataFrame) -> None:
    """Profiles are counts: no key, no text, no path of a row is in them."""
    fitted = made.fitted
    text = json.dumps([profile.model_dump() for profile in fitted.profiles.values()])
    for column in ("id", "photo", "note"):
        assert not any(str(value) in text for value in table[column])
    assert set(fitted.profiles) == {*made.config.features, *made.config.targets}


def test_the_test_rows_are_compared_with_the_train_rows(made: Any) -> None:
    """By preprocess; a split by hash does not drift."""
    drift = made.fitted.drift
    assert {one.column for one in drift} == set(made.config.features)
    assert {one.of for one in drift if one.column == "photo"} >= {"brightness", "contrast", "missing", "unreadable"}
    assert {one.drift for one in drift} == {"none"}


def test_wrong_inputs_are_refused(made: Any, table: pd.DataFrame, tiny: Any) -> None:
    """No bundle, a table without a feature, rows of another model, no row that can be used."""
    with refusal(ArtifactError, "artifact-not-found", where=made.data):
        run(bundle=made.data, table=str(made.table))
    with refusal(DataError, "unknown-column", shows=["size"]):
        run(bundle=made.bundle, table=table.drop(columns="size"))
    with refusal(DataError, "no-clean-rows"):
        run(bundle=made.bundle, table=table.assign(size="many", photo=None))
    other = tiny()
    validate.run(config=load_config(other.config), table=str(other.table), out=other.folder / "V")
    with refusal(ArtifactError, "origin-mismatch"):
        run(bundle=made.bundle, table=str(made.table), train=other.folder / "V")


@pytest.fixture(scope="module")
def embedding(tf: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, pd.DataFrame]:
    """A folder with a model of pictures, one and several a row, and texts, and the table that it was trained on."""
    from polyhead.preprocess import step as preprocess
    from polyhead.shard import step as shard
    from polyhead.train import step as train

    folder = tmp_path_factory.mktemp("embedding")
    features = {
        "photo": {"kind": "image", "size": [16, 16]},
        "gallery": {"kind": "images", "size": [16, 16], "max_pictures": 2},
        "note": {"kind": "text", "min_documents": 1},
    }

    def with_gallery(frame: pd.DataFrame) -> pd.DataFrame:
        return frame.assign(gallery=frame["photo"] + "|" + frame["photo"][::-1].to_numpy())

    data = write_tiny(
        folder,
        rows=320,
        change=with_gallery,
        features=features,
        targets={"price": {"kind": "regression"}},
        split={"fractions": {"train": 0.5, "val": 0.3, "test": 0.2}},
        train={"epochs": 1},
        ensemble={"use": "off", "members": []},
    )
    with pytest.MonkeyPatch.context() as patch:
        leave_out_serving(patch)
        config, made = load_config(data.config), {name: folder / name for name in "VPST"}
        validate.run(config=config, table=str(data.table), out=made["V"])
        preprocess.run(config=config, data=made["V"], out=made["P"])
        shard.run(config=config, data=made["V"], preprocessing=made["P"], out=made["S"])
        train.run(config=config, shards=made["S"], preprocessing=made["P"], out=made["T"])
    return folder, data.frame


def vectors_of(report: DriftReport) -> dict[str, ColumnDrift]:
    return {one.column: one for one in report.columns if one.of == "vectors"}


def test_what_a_network_makes_of_rows_is_compared(
    embedding: tuple[Path, pd.DataFrame], polyhead: Any, tmp_path: Path
) -> None:
    """Its own rows are alike; pictures of other colours are not, and what is compared beside them still is.

    A profile is of rows that the network has not learned from, and no row is in it.
    """
    folder, frame = embedding
    kept = {path.stem: json.loads(path.read_text()) for path in (folder / "T" / "embeddings").iterdir()}
    assert kept.keys() == {"photo", "gallery", "note"}
    splits = pd.read_parquet(folder / "P" / "splits.parquet")["__split__"]
    assert {of["rows"] for of in kept.values()} == {(splits == "val").sum()}
    assert {len(of["axes"]) + 1 for of in kept.values()} == {len(of["mean"]) for of in kept.values()}
    own = polyhead("drift", folder / "T", folder / "table.csv")
    assert (own.code, "Fréchet" in own.out, "drift:   none" in own.out) == (0, True, True), own.err
    (tmp_path / "images").mkdir()
    for at, name in enumerate(frame["photo"]):
        pixels = 255 - np.asarray(Image.open(folder / name))
        Image.fromarray(pixels).save(tmp_path / name)
        if at % 5 == 0:
            (tmp_path / name).write_bytes(b"no picture")
    frame.assign(note=frame["note"].where(frame.index < 300)).to_csv(tmp_path / "other.csv", index=False)
    result = polyhead("drift", folder / "T", "other.csv", "--json")
    assert result.code == 3, result.err
    found = vectors_of(DriftReport.parse(result.out.encode(), "stdout"))
    assert {name: one.drift for name, one in found.items()} == {"photo": "large", "gallery": "large", "note": "none"}
    assert 50 <= found["note"].rows <= found["photo"].rows < 320
    assert all(one.psi is None and one.frechet is not None for one in found.values())


def test_few_rows_are_said_to_be_too_few_for_vectors_and_none_are_made_where_these_are_not_asked_for(
    embedding: tuple[Path, pd.DataFrame], polyhead: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, frame = embedding
    monkeypatch.setattr("polyhead.drift.embedding.vectors_of", None)
    bare = polyhead("drift", folder / "T", folder / "table.csv", "--no-embeddings")
    assert (bare.code, "vectors" in bare.out) == (0, False), bare.err
    monkeypatch.undo()
    monkeypatch.chdir(folder)
    report = run(bundle=folder / "T", table=frame.assign(note=frame["note"].where(frame.index < 10)).head(60))
    assert vectors_of(report).keys() == {"photo", "gallery"}
    assert [note.split(":")[0] for note in report.notes] == ["note"]
    assert "10 rows" in report.notes[0]
