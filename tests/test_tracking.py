"""Steps in a pod that has the id of an MLflow run, as Kubeflow Pipelines 2.17 gives it, log to that run."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from flats import Fitted, fitted  # noqa: F401

from polyhead import tracking
from polyhead.contracts.evaluation import EvaluationReport
from polyhead.evaluate import component as evaluate_component
from polyhead.train import component as train_component

Steps = Callable[[], None]


@pytest.fixture
def steps(fitted: Fitted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Steps:  # noqa: F811
    """Runs the components of train and evaluate as a pod does, with what was trained and evaluated before."""
    report = EvaluationReport.read(fitted.out / "evaluate")
    monkeypatch.setattr("polyhead.train.step.run", lambda **_: fitted.model.bundle)
    monkeypatch.setattr("polyhead.evaluate.step.run", lambda **_: report)
    config = (fitted.out / "polyhead.yaml").read_text("utf-8")

    def artifact(name: str) -> Any:
        return SimpleNamespace(path=str(fitted.out / name), uri=f"minio://bucket/{name}", metadata={})

    def run() -> None:
        given = {"config": config, "shards": artifact("shard"), "preprocessing": artifact("preprocess")}
        train_component.component("image").python_func(**given, bundle=artifact("train"))
        metrics = artifact("metrics")
        pages = {name: SimpleNamespace(path=str(tmp_path / name)) for name in ("report", "summary")}
        evaluate_component.component("image").python_func(
            **given, bundle=artifact("train"), evaluation=artifact("evaluate"), metrics=metrics, **pages
        )
        assert metrics.metadata == report.flat_metrics()

    return run


def test_the_steps_log_to_the_run_of_their_pod(
    fitted: Fitted,  # noqa: F811
    steps: Steps,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Settings, the course of the training, every metric, and where the bundle is; twice, as after a retry."""
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    mlflow = pytest.importorskip("mlflow", reason="pip install 'polyhead[mlflow]'")
    store = f"file://{tmp_path}/store"
    client = mlflow.MlflowClient(tracking_uri=store)
    run = client.create_run(client.create_experiment("flats")).info.run_id
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    monkeypatch.setenv("MLFLOW_RUN_ID", run)
    steps()
    steps()
    found, bundle = client.get_run(run), fitted.model.bundle
    assert found.info.status == "RUNNING"  # Kubeflow Pipelines ends it
    scores = fitted.model.report.contract.flat_metrics()
    assert {name: found.data.metrics[name] for name in scores} == scores
    assert found.data.metrics["best_score"] == bundle.best_score
    assert [one.step for one in client.get_metric_history(run, "val_loss.rent")] == [1, 1]
    assert found.data.params["train.batch_size"] == str(bundle.sizes["train.batch_size"].value)
    tags = {name: tag for name, tag in found.data.tags.items() if name.startswith("polyhead.")}
    assert tags.pop("polyhead.version")
    assert tags == {
        "polyhead.bundle": "minio://bucket/train",
        "polyhead.bundle_fingerprint": bundle.fingerprint(),
        "polyhead.evaluation": "minio://bucket/evaluate",
        "polyhead.verdict": "passed",
    }
    assert "MLFLOW_HTTP_REQUEST_TIMEOUT" not in os.environ


def test_a_server_that_does_not_answer_is_said_and_fails_no_step(
    steps: Steps, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("mlflow", reason="pip install 'polyhead[mlflow]'")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_RUN_ID", "0123")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    steps()
    assert capsys.readouterr().err.count("warning: nothing more is logged to the MLflow run 0123") == 2


@pytest.mark.parametrize("lacks", ["MLFLOW_TRACKING_URI", "MLFLOW_RUN_ID", "mlflow"])
def test_nothing_is_logged_without_a_run_a_server_or_mlflow(
    lacks: str, steps: Steps, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Kubeflow Pipelines gives a pod the id and the address, or neither; others may do otherwise."""
    monkeypatch.setattr(tracking, "log_to_run", lambda *_: pytest.fail("logged"))
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_RUN_ID"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv(lacks, raising=False)
    monkeypatch.setitem(sys.modules, "mlflow", None)
    steps()
    assert ("polyhead[mlflow]" in capsys.readouterr().err) == (lacks == "mlflow")


def test_a_metric_has_a_name_that_mlflow_takes() -> None:
    assert tracking.metric_name("prix (€).mae") == "prix ___.mae"
    assert tracking.metric_name("rent.mae") == "rent.mae"
    assert len(tracking.metric_name("a" * 300)) == 250
