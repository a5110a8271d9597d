"""What steps log to the MLflow run that their environment names.

From 2.17 on Kubeflow Pipelines can make an MLflow run for every task, and puts its id and its server's address into the
task's pod. It ends the run itself, and logs the task's parameters and its scalar metrics there once the task has ended.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence

from polyhead import __version__
from polyhead.contracts.bundle import HISTORY, Epoch, ModelBundle
from polyhead.contracts.evaluation import EvaluationReport
from polyhead.errors import counted
from polyhead.progress import say
from polyhead.storage.objects import read_bytes
from polyhead.storage.places import join

RUN, SERVER = "MLFLOW_RUN_ID", "MLFLOW_TRACKING_URI"

_PATIENCE = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2", "MLFLOW_HTTP_REQUEST_TIMEOUT": "10"}
"""MLflow's own tries go on for minutes, which a step that is done should not wait for."""
_METRICS, _PARAMETERS = 1000, 100
"""Most that a request may have."""
_LONGEST = 250
"""Of a metric's name."""

Metric = tuple[str, float, int]
"""A name, a value, and the epoch that it is of; 0 where it is of none."""


def track_training(bundle: ModelBundle, directory: str, place: str) -> None:
    """Log what was trained, where the environment names a run; see `log_to_run`.

    Args:
        bundle: What `train` returned.
        directory: Where it wrote it.
        place: What others call that place.
    """
    if not _is_wanted():
        return
    epochs = [Epoch.model_validate(one) for one in json.loads(read_bytes(join(directory, HISTORY)))]
    course = [
        (name, value, epoch.epoch)
        for epoch in epochs
        for name, value in (
            ("score", epoch.score),
            *((f"loss.{head}", loss) for head, loss in epoch.losses.items()),
            *((f"val_loss.{head}", loss) for head, loss in epoch.val_losses.items()),
        )
    ]
    metrics = [("best_score", bundle.best_score, 0), ("parameters", float(bundle.parameters), 0), *course]
    parameters = {
        "seed": str(bundle.seed),
        "epochs": str(bundle.epochs),
        "best_epoch": str(bundle.best_epoch),
        **{name: str(size.value) for name, size in bundle.sizes.items()},
    }
    tags = {"polyhead.bundle": place, "polyhead.bundle_fingerprint": bundle.fingerprint()}
    log_to_run(metrics, parameters, tags)


def track_evaluation(report: EvaluationReport, place: str) -> None:
    """Log every metric of every head, where the environment names a run; see `log_to_run`.

    Args:
        report: What `evaluate` returned.
        place: What others call the place that it wrote.
    """
    if _is_wanted():
        log_to_run(metrics_of(report), {}, {"polyhead.evaluation": place, **tags_of(report)})


def metrics_of(report: EvaluationReport) -> list[Metric]:
    """Every metric of every head as `<head>.<metric>`."""
    return [(name, value, 0) for name, value in report.flat_metrics().items()]


def tags_of(report: EvaluationReport) -> dict[str, str]:
    """The verdict, and which bundle it is on."""
    return {"polyhead.verdict": report.verdict, "polyhead.bundle_fingerprint": report.made_from["bundle"]}


def metric_name(name: str) -> str:
    """A name that MLflow takes: it knows Latin letters, digits and some signs; for others there is an underscore."""
    return re.sub(r"[^A-Za-z0-9_\-. :/]", "_", name)[:_LONGEST]


def log_to_run(metrics: Sequence[Metric], parameters: Mapping[str, str], tags: Mapping[str, str]) -> None:
    """Log to the run that the environment names. If that fails, it is said, and nothing else happens.

    The run's state is left as it is: whoever started it ends it.

    Args:
        metrics: Finite.
        parameters: By name. A run may have been given them before, with the same values.
        tags: By name; that of Polyhead's version is added.
    """
    try:
        _log(metrics, parameters, {"polyhead.version": __version__, **tags})
    except Exception as error:  # whatever it is, the step has done its work
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        say(f"warning: nothing more is logged to the MLflow run {os.environ[RUN]}: {reason}")
    else:
        say(f"logged {counted(len(metrics), 'metric')} to the MLflow run {os.environ[RUN]}")


def _is_wanted() -> bool:
    """Whether there is a run, and MLflow to log to it with."""
    if not os.environ.get(RUN) or not os.environ.get(SERVER):
        return False
    if importlib.util.find_spec("mlflow") is None:
        say(f"{RUN} is set, and nothing is logged there without MLflow: pip install 'polyhead[mlflow]'")
        return False
    return True


def _log(metrics: Sequence[Metric], parameters: Mapping[str, str], tags: Mapping[str, str]) -> None:
    with _patience():
        from mlflow import MlflowClient
        from mlflow.entities import Metric as Logged
        from mlflow.entities import Param, RunTag

        client, run, now = MlflowClient(tracking_uri=os.environ[SERVER]), os.environ[RUN], int(time.time() * 1000)
        given = [Param(name, value) for name, value in parameters.items()]
        logged = [Logged(metric_name(name), value, now, step) for name, value, step in metrics]
        client.log_batch(run, tags=[RunTag(name, value) for name, value in tags.items()])
        for at in range(0, len(given), _PARAMETERS):
            client.log_batch(run, params=given[at : at + _PARAMETERS])
        for at in range(0, len(logged), _METRICS):
            client.log_batch(run, metrics=logged[at : at + _METRICS])


@contextlib.contextmanager
def _patience() -> Iterator[None]:
    """A short one, unless the user has set another."""
    added = _PATIENCE.keys() - os.environ.keys()
    os.environ.update({name: _PATIENCE[name] for name in added})
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)
