"""`polyhead drift`: rows as the train rows are, rows that are not, and how programs are told."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from refusals import refusal

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
