"""A bundle as an MLflow model, which every tool of MLflow loads as a Python function.

    import polyhead as ph

    ph.mlflow.log_model(model, name="flats")            # to the run that is active
    loaded = ph.mlflow.load_model("models:/flats/1")    # or mlflow.pyfunc.load_model
    loaded.predict(new_rows)                            # what model.predict says

The model holds the bundle's folder as it is, and no pickles; this module loads it. It needs the extra `mlflow`.
"""

from __future__ import annotations

import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from polyhead import __version__
from polyhead.api.model import Model, load
from polyhead.errors import MachineError
from polyhead.tracking import metric_name, metrics_of, tags_of

if TYPE_CHECKING:
    import pandas as pd

FLAVOR = "polyhead"
"""The name of what `MLmodel` says beside `python_function`."""


class _Function:
    """What MLflow calls.

    Args:
        model: The bundle's.
    """

    def __init__(self, model: Model) -> None:
        self._model = model

    def predict(self, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """As `Model.predict`."""
        del params
        return self._model.predict(model_input)

    def get_raw_model(self) -> Model:
        """What `PyFuncModel.get_raw_model` gives."""
        return self._model


def save_model(
    model: Model | str | Path,
    path: str | Path,
    *,
    pip_requirements: list[str] | None = None,
    mlflow_model: Any = None,
) -> None:
    """Write a folder that MLflow takes for a model.

    Its signature has the columns of the features, in any type: what they may hold is the bundle's to say.

    Args:
        model: A model, or what `load` takes.
        path: The folder to write, which is not there yet.
        pip_requirements: What an environment needs to load it. Default: this Polyhead, Keras and TensorFlow, with
            MLflow's own.
        mlflow_model: What MLflow knows of it so far. Default: nothing.

    Raises:
        ArtifactError: There is no model.
        MachineError: The packages of the extra `mlflow` are not installed.
    """
    mlflow = _mlflow()
    from mlflow.models import Model as Described
    from mlflow.models import ModelSignature
    from mlflow.types.schema import AnyType, ColSpec, Schema

    model = model if isinstance(model, Model) else load(model)
    config = model.bundle.config(model.folder)
    columns = [column for feature in config.features for column in config.columns_of(feature)]
    described = mlflow_model if mlflow_model is not None else Described()
    described.signature = ModelSignature(inputs=Schema([ColSpec(AnyType(), column) for column in columns]))
    described.add_flavor(
        FLAVOR,
        polyhead_version=__version__,
        bundle=model.bundle.fingerprint(),
        heads=model.heads,
        features=model.features,
    )
    mlflow.pyfunc.save_model(
        str(path),
        loader_module=__name__,
        data_path=str(model.folder),
        mlflow_model=described,
        pip_requirements=_requirements() if pip_requirements is None else pip_requirements,
    )


def log_model(
    model: Model | str | Path,
    name: str = "model",
    *,
    registered_model_name: str | None = None,
    run_id: str | None = None,
    pip_requirements: list[str] | None = None,
) -> Any:
    """Log a model to a run of MLflow.

    Args:
        model: A model, or what `load` takes.
        name: What MLflow calls it.
        registered_model_name: Under which it is registered too. Default: it is not.
        run_id: The run. Default: the active one, or a new one.
        pip_requirements: As for `save_model`.

    Returns:
        MLflow's `ModelInfo`, whose `model_uri` is what `load_model` takes.

    Raises:
        ArtifactError: There is no model.
        MachineError: The packages of the extra `mlflow` are not installed.
    """
    _mlflow()
    from mlflow.models import Model as Described

    return Described.log(
        artifact_path=None,
        flavor=sys.modules[__name__],
        name=name,
        registered_model_name=registered_model_name,
        run_id=run_id,
        model=model,
        pip_requirements=pip_requirements,
    )


def load_model(model_uri: str) -> Any:
    """A model that was logged or saved, as `mlflow.pyfunc.load_model` gives it.

    Args:
        model_uri: A folder, `models:/…`, `runs:/…` or whatever else MLflow takes.

    Returns:
        A `PyFuncModel`. Its `predict` takes a pandas frame with the columns of the features and gives what
        `Model.predict` does; its `get_raw_model` is that model, with probabilities and all else.

    Raises:
        MachineError: The packages of the extra `mlflow` are not installed.
    """
    return _mlflow().pyfunc.load_model(model_uri)


def log_evaluation(model: Model | str | Path) -> None:
    """Log every metric of a model's evaluation to the active run, or a new one, and the verdict as a tag.

    Args:
        model: A model, or what `load` takes.

    Raises:
        ArtifactError: There is no model, or it was not evaluated.
        MachineError: The packages of the extra `mlflow` are not installed.
    """
    mlflow = _mlflow()
    model = model if isinstance(model, Model) else load(model)
    report = model.report.contract
    mlflow.log_metrics({metric_name(name): value for name, value, _ in metrics_of(report)})
    mlflow.set_tags(tags_of(report))


def _load_pyfunc(data_path: str) -> _Function:
    """What `mlflow.pyfunc.load_model` calls with the bundle's folder."""
    return _Function(Model(data_path))


def _mlflow() -> Any:
    """MLflow, with the part that this module needs."""
    try:
        import mlflow.pyfunc
    except ImportError as error:
        what, hint = f"needs the package {error.name}", "pip install 'polyhead[mlflow]'"
        raise MachineError("mlflow-not-installed", what, where=__name__, hint=hint) from None
    return mlflow


def _requirements() -> list[str]:
    """Beside MLflow, which adds itself."""
    return [f"polyhead=={__version__}", f"keras=={version('keras')}", f"tensorflow=={_tensorflow()}"]


def _tensorflow() -> str:
    """The version of TensorFlow, whose package has another name where it was built without CUDA."""
    try:
        return version("tensorflow")
    except PackageNotFoundError:
        return version("tensorflow-cpu")
