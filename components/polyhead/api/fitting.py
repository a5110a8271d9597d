"""`fit`: from a table to a model, in this process or as the pipeline."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from polyhead.api.config import Config, infer
from polyhead.api.model import Model, load
from polyhead.api.reports import Report
from polyhead.api.tables import Data, Given
from polyhead.contracts import config as contract
from polyhead.errors import ConfigError
from polyhead.progress import in_notebook, quietly, result_console, say
from polyhead.storage.objects import write_whole
from polyhead.storage.places import is_remote, join
from polyhead.tables.reading import read_table
from polyhead.tables.writing import parquet_bytes

if TYPE_CHECKING:
    from polyhead_pipelines.local.runners.base import Runner

RUNS = "polyhead-runs"
_CONFIG, _TABLE = "polyhead.yaml", "table.parquet"
_DIGITS, _NAMED = 8, 40

Configuration = Config | contract.Config | Mapping[str, Any] | str | Path
"""A configuration: from `infer`, a dict, or the path of a YAML file."""


def fit(
    data: Data | None = None,
    config: Configuration | None = None,
    *,
    targets: str | Sequence[str] | None = None,
    out: str | Path | None = None,
    image_root: str | Path | None = None,
    minutes: float | None = None,
    seed: int | None = None,
    workers: int | None = None,
    runner: Literal["processes", "containers"] | Runner | None = None,
    verbose: bool = True,
) -> Model:
    """Train a model, evaluate it, and judge it by the configuration's gate: the steps of `polyhead run`.

    Interrupted, as by Ctrl-C or a notebook's stop, it keeps what is finished; the same call again goes on from there,
    and so does training, from its last whole epoch. What did not change since the last call is not done again.

    >>> import pandas as pd
    >>> import polyhead as ph
    >>> flats = pd.read_csv("flats.csv")
    >>> model = ph.fit(flats, "flats.yaml", out="runs/flats", verbose=False)
    >>> model.heads
    {'rent': 'regression', 'band': 'multiclass', 'tags': 'multilabel'}
    >>> model.report.verdict
    'passed'

    Args:
        data: A path or remote place, a pandas or polars frame, or an Arrow table. Default: the configuration's table.
        config: From `infer`, the path of a YAML file, or its values as a dict. Default: one is inferred.
        targets: The columns to predict, where there is no configuration.
        out: A folder of this machine for one artifact per step, the report and the configuration. Default: a folder in
            `polyhead-runs` below the working directory, called after the targets and a digest of the configuration and
            the table, so that the same call finds it again.
        image_root: The folder that paths of pictures start in, relative to the working directory. Default: as the
            configuration has it, from the table's folder, of a frame from the working directory.
        minutes: The longest that all may take until the network has learned; the export and the evaluation, often half
            a minute, come after that. It replaces `train.time_budget`; with a runner it bounds the training step alone.
            Default: as the configuration says.
        seed: Replaces `train.seed`.
        workers: Threads that check, decode and fit. Default: the processors at hand.
        runner: Where the steps are carried out: None in this process; `processes` each in one of its own, or
            `containers`, by Kubeflow Pipelines' local runner, as `polyhead run` does. Or a runner of
            `polyhead_pipelines.local.runners`.
        verbose: Whether to show how it goes, and the scores at the end. The logger `polyhead` hears of it anyway.

    Returns:
        The model, whose `report` has the verdict and the scores. A model that fails its gate is returned too.

    Raises:
        ConfigError: There is neither a configuration nor a target, or the configuration is wrong.
        DataError: The table cannot be read, or too many of its rows do not fit; all problems at once.
        ArtifactError: `out` holds something else.
    """
    started = time.monotonic()
    with quietly(not verbose):
        given, settled = _settled(data, config, targets, image_root, verbose)
        settled = settled.replaced(train__seed=seed)
        folder = _folder(out, given, settled)
        settled = settled.replaced(train__time_budget=minutes)
        checked = settled.check()
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(str(folder / _CONFIG), str(settled).encode())
        if runner is not None:
            report = _as_pipeline(given, settled, folder, runner)
        else:
            from polyhead.chain import Chain

            until = None if minutes is None else started + 60 * minutes
            chain = Chain(checked, folder, workers=workers, until=until)
            try:
                report = Report(chain.run(given.table, settled.destination()), folder / "evaluate")
            except KeyboardInterrupt:
                done = ", ".join(chain.finished) or "no step"
                say(f"stopped; finished in {folder}: {done}; the same call goes on from there")
                raise
    if verbose:
        shown = result_console()
        if not in_notebook:  # where `model.report` is a table
            shown.print(repr(report), markup=False, soft_wrap=True)
        shown.print(f"model and report: {folder}", markup=False, soft_wrap=True)
    return load(folder)


def _settled(
    data: Data | None,
    config: Configuration | None,
    targets: str | Sequence[str] | None,
    image_root: str | Path | None,
    verbose: bool,
) -> tuple[Given, Config]:
    """The table, of which only the columns needed are held, and the configuration for it.

    Raises:
        ConfigError: There is neither a configuration nor a target, or there are both; or there is no table.
        DataError: The table cannot be read.
    """
    if config is not None and targets is not None:
        raise ConfigError(
            "conflicting-keys",
            "a configuration has its targets already",
            where="targets",
            hint="give one of both; change config.targets for others",
        )
    if config is None:
        if data is None or targets is None:
            what = "there is neither a configuration nor a column to predict"
            hint = 'fit(table, targets=["COLUMN"]), or fit(table, config)'
            raise ConfigError("no-target", what, where="targets", hint=hint)
        given = Given.of(data)
        settled = infer(data, targets, image_root=image_root, verbose=verbose)
    else:
        settled = Config.of(config)
        given = Given.of(settled.place() if data is None else data)
        if image_root is not None:
            root = str(image_root)
            settled = settled.replaced(image_root=root if is_remote(root) else str(Path(root).absolute()))
    return given.in_memory(settled.check().columns), settled


def _folder(out: str | Path | None, given: Given, config: Config) -> Path:
    """Where the artifacts go.

    Raises:
        ConfigError: It is no folder of this machine.
    """
    if out is not None:
        if "://" in str(out):
            raise ConfigError(
                "not-a-folder",
                "must be a folder of this machine",
                where=f"out: {out}",
                hint="to have a model elsewhere, set publish.to",
            )
        return Path(out)
    decides = hashlib.sha256(f"{given.digest()} {config.check().model_dump_json()}".encode()).hexdigest()
    return Path(RUNS, f"{'-'.join(config.targets)[:_NAMED]}-{decides[:_DIGITS]}")


def _as_pipeline(given: Given, config: Config, folder: Path, runner: Any) -> Report:
    """Run the steps under a runner.

    Raises:
        ConfigError: There is no such runner.
    """
    from polyhead_pipelines.local.run import run_training

    table = given.place
    if table is None:
        table = str(folder.absolute() / _TABLE)
        write_whole(table, parquet_bytes(read_table(given.table)))
        if config.check().pictured:  # whose paths would otherwise start where the table now lies
            config = config.replaced(image_root=join(str(Path.cwd()), config.check().image_root or "."))
    place = table if is_remote(table) else str(Path(table).absolute())
    finished = run_training(config.file(), place, folder, _runner(runner), publish_to=config.destination())
    return Report(finished.report, folder / "evaluate")


def _runner(runner: Any) -> Any:
    if runner == "processes":
        return None
    if runner == "containers":
        from polyhead_pipelines.define.training import DEFAULT_IMAGE
        from polyhead_pipelines.local.runners.containers import Containers

        return Containers(DEFAULT_IMAGE)
    if isinstance(runner, str):
        raise ConfigError(
            "invalid-choice", f"received '{runner}'", where="runner", hint="one of: processes, containers"
        )
    return runner
