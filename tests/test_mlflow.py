"""A bundle as an MLflow model: loaded by MLflow alone, it predicts what the model does."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from flats import Fitted, fitted  # noqa: F401
from refusals import refusal

import polyhead as ph
from polyhead.errors import ArtifactError, MachineError


@pytest.fixture(name="mlflow")
def mlflow_with_a_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """MLflow, whose store is a folder of the test."""
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    mlflow = pytest.importorskip("mlflow", reason="pip install 'polyhead[mlflow]'")
    before = mlflow.get_tracking_uri()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")  # MLflow sets it too, and this brings back what it was
    mlflow.set_tracking_uri(f"file://{tmp_path}/store")
    yield mlflow
    mlflow.set_tracking_uri(before)


def test_mlflow_loads_the_bundle_and_predicts_what_the_model_does(fitted: Fitted, mlflow: Any, tmp_path: Path) -> None:  # noqa: F811
    """With whole numbers, a row that cannot be used, missing cells, the table's index, and no pickle."""
    ph.mlflow.save_model(fitted.out, tmp_path / "flats")
    assert {path.suffix for path in (tmp_path / "flats").rglob("*")}.isdisjoint({".pkl", ".pickle", ".joblib"})
    described = mlflow.models.Model.load(tmp_path / "flats")
    assert described.flavors["polyhead"]["bundle"] == fitted.model.bundle.fingerprint()
    assert described.flavors["polyhead"]["heads"] == fitted.model.heads
    assert described.signature.inputs.input_names() == list(fitted.model.features)
    pinned = (tmp_path / "flats" / "requirements.txt").read_text().split()
    assert f"polyhead=={ph.__version__}" in pinned
    assert {line.partition("==")[0] for line in pinned} >= {"keras", "tensorflow"}

    loaded = mlflow.pyfunc.load_model(str(tmp_path / "flats"))
    for area in (fitted.frame["area"], fitted.frame["area"].astype(int)):
        rows = fitted.frame.assign(area=area.astype(object)).drop(columns=["rent", "band", "tags"])
        rows.iloc[0, 0], rows.iloc[1, 0], rows.iloc[2, 1] = "huge", None, None
        found, expected = loaded.predict(rows), fitted.model.predict(rows)
        pd.testing.assert_frame_equal(found, expected, check_frame_type=False)
        assert found.iloc[0].isna().all()
    assert list(loaded.get_raw_model().predict_proba(rows)) == ["band", "tags"]
    with pytest.raises(mlflow.MlflowException, match="town"):
        loaded.predict(rows[["area"]])


def test_a_run_has_the_model_and_its_scores(fitted: Fitted, mlflow: Any) -> None:  # noqa: F811
    with mlflow.start_run() as run:
        logged = ph.mlflow.log_model(fitted.model, name="flats")
        ph.mlflow.log_evaluation(fitted.model)
    data = mlflow.get_run(run.info.run_id).data
    assert data.metrics == pytest.approx(fitted.model.report.contract.flat_metrics())
    assert data.tags["polyhead.verdict"] == "passed"
    loaded = ph.mlflow.load_model(logged.model_uri)
    assert loaded.get_raw_model().bundle == fitted.model.bundle


def test_what_is_no_model_and_what_is_not_installed_is_said(
    fitted: Fitted,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("mlflow", reason="pip install 'polyhead[mlflow]'")
    with refusal(ArtifactError, "artifact-not-found"):
        ph.mlflow.save_model(tmp_path / "none", tmp_path / "out")
    with refusal(ArtifactError, "artifact-not-found"):
        ph.mlflow.log_evaluation(ph.Model(fitted.out / "train"))
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with refusal(MachineError, "mlflow-not-installed", shows=["mlflow", "polyhead[mlflow]"]):
        ph.mlflow.save_model(fitted.model, tmp_path / "out")
