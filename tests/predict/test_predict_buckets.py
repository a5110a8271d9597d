"""Predicting by a bundle in a bucket, into a bucket."""

from __future__ import annotations

import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote

import polars as pl
import pytest
from buckets import Store, left_in
from refusals import refusal

from polyhead.errors import ArtifactError, DataError
from polyhead.predict import component, step
from polyhead.storage.objects import read_bytes, stat
from polyhead.storage.transfer import upload_folder


@pytest.fixture
def bundle(model: Any, gs_store: Store) -> str:
    place = gs_store.place("models/0123456789abcdef")
    upload_folder(model.bundle, place, last="ModelBundle.json")
    gs_store.gate.requests.clear()
    return place


def test_the_files_in_the_bucket_are_those_of_a_local_run(
    model: Any, bundle: str, gs_store: Store, tmp_path: Path, temporary: Path
) -> None:
    """Predictions and rejected rows; of the bundle nothing is fetched that is not needed."""
    frame = model.rows(20).with_columns(path=pl.when(pl.col("id") == "k3").then(pl.lit("gone.png")).otherwise("path"))
    table = model.folder / f"{tmp_path.name}.csv"
    frame.write_csv(table)
    local = step.run(bundle=model.bundle, table=str(table), out=tmp_path / "rows.parquet")
    out = gs_store.place("out/rows.parquet")
    remote = step.run(bundle=bundle, table=str(table), out=out)
    beside = gs_store.place("out/rows.rejected.parquet")
    assert (remote.path, remote.rejected_path) == (out, beside)
    assert remote.model_copy(update={"path": local.path, "rejected_path": local.rejected_path}) == local
    assert read_bytes(out) == (tmp_path / "rows.parquet").read_bytes()
    assert pl.read_parquet(io.BytesIO(read_bytes(beside))).equals(pl.read_parquet(str(local.rejected_path)))
    fetched = [unquote(path) for method, path, _ in gs_store.gate.requests if method == "GET"]
    assert any("core.keras" in path for path in fetched)
    assert not any("saved_model.pb" in path or "variables" in path for path in fetched)
    assert left_in(temporary) == []


def test_where_no_row_can_be_predicted_the_rejected_ones_are_in_the_bucket(
    model: Any, bundle: str, gs_store: Store, tmp_path: Path
) -> None:
    """The message names their place; there are no predictions."""
    table = model.folder / f"{tmp_path.name}.csv"
    model.rows(2).with_columns(path=pl.lit("gone.png")).write_csv(table)
    out, beside = gs_store.place("rows.parquet"), gs_store.place("rows.rejected.parquet")
    with refusal(DataError, "no-clean-rows", shows=[beside]):
        step.run(bundle=bundle, table=str(table), out=out)
    assert stat(out) is None
    assert pl.read_parquet(io.BytesIO(read_bytes(beside)))["key"].to_list() == ["k0", "k1"]


@pytest.mark.parametrize("place", ["", "models", "models/", "new/"])
def test_a_folder_in_a_bucket_is_no_file(model: Any, bundle: str, gs_store: Store, place: str) -> None:
    """Before any row is predicted."""
    out = gs_store.place(place) if place else gs_store.root
    with refusal(ArtifactError, "not-a-file") as caught:
        step.run(bundle=model.bundle, table=model.rows(2), out=out)
    assert caught.problem.hint == f"-o {out.rstrip('/')}/predictions.parquet"


def test_the_component_takes_a_published_version_in_a_bucket(
    model: Any, bundle: str, tmp_path: Path, temporary: Path
) -> None:
    """As the prediction pipeline's parameter `bundle` gives it."""
    table = model.folder / f"{tmp_path.name}.csv"
    model.rows(20).write_csv(table)
    step.run(bundle=model.bundle, table=str(table), out=tmp_path / "rows.parquet")
    predict = component.component("image:1").python_func
    predict(bundle=bundle, table=str(table), predictions=SimpleNamespace(path=str(tmp_path / "P")))
    assert (tmp_path / "P/predictions.parquet").read_bytes() == (tmp_path / "rows.parquet").read_bytes()
    assert left_in(temporary) == []
