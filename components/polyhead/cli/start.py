"""Where to start: the whole pipeline on this machine, a first configuration, predictions."""

from __future__ import annotations

import json
import os
import re
import sys
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from polyhead.cli.options import (
    BundleArgument,
    ConfigArgument,
    JsonOption,
    PartitionsOption,
    PredictionsOption,
    SeedOption,
    TableOption,
    WorkersOption,
    compared,
    destination,
    finish,
    load,
    local_folder,
    print_json,
    table_place,
)

if TYPE_CHECKING:
    from polyhead_pipelines.local.run import LocalRun
    from polyhead_pipelines.local.runners.base import Runner

app = typer.Typer()
_DOCKER = "Docker"
_SCHEMA = ".polyhead.schema.json"


class RunnerName(StrEnum):
    """Where `run` and `demo` carry the steps out."""

    SUBPROCESS = "subprocess"
    DOCKER = "docker"


RunnerOption = Annotated[
    RunnerName, typer.Option(help="Where each step runs: in a process of this environment, or in a container.")
]
ImageOption = Annotated[
    str | None,
    typer.Option(
        metavar="IMAGE",
        help="Container image. Default: polyhead:<version> of this version.",
        rich_help_panel=_DOCKER,
    ),
]


@app.command(rich_help_panel="Start here")
def demo(
    out: Annotated[
        Path,
        typer.Option(
            "-o", "--out", parser=local_folder, metavar="FOLDER", help="Local folder for the sample and the results."
        ),
    ] = Path("polyhead-demo"),
    partitions: PartitionsOption = 1,
    runner: RunnerOption = RunnerName.SUBPROCESS,
    image: ImageOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write the embedded sample (600 mugs, four things to predict) and run the whole pipeline on it."""
    from polyhead.errors import ArtifactError
    from polyhead.sample import write_sample

    place = _runner(runner, image=image)
    try:
        config = write_sample(out / "sample")
    except OSError as error:
        raise ArtifactError(
            "not-writable", f"cannot be written: {error.strerror}", where=str(out), hint="give another --out"
        ) from None
    _run(config, out, place, as_json, partitions=partitions)


@app.command(rich_help_panel="Start here")
def init(
    table: Annotated[str, typer.Argument(metavar="TABLE", help="Parquet, Arrow, ORC, CSV or JSON Lines.")],
    target: Annotated[
        list[str] | None,
        typer.Option(
            metavar="COL",
            help="A column to predict; repeat for several. Without one, lists columns that look like outcomes.",
        ),
    ] = None,
    out: Annotated[
        Path, typer.Option("-o", "--out", metavar="FILE", help="The file to write; - writes to stdout only.")
    ] = Path("polyhead.yaml"),
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
    schema: Annotated[
        bool,
        typer.Option(
            "--schema/--no-schema",
            help=f"Write {_SCHEMA} beside the file too, by which editors complete and check it.",
        ),
    ] = True,
    as_json: JsonOption = False,
) -> None:
    """Write a first configuration for a table, with the reason for each line."""
    from polyhead.contracts.config import json_schema, parse_config
    from polyhead.errors import ConfigError
    from polyhead.progress import say
    from polyhead.storage.objects import write_whole
    from polyhead.storage.places import relative_to
    from polyhead.tables.reading import read_table
    from polyhead.validate.infer import propose

    to_file = str(out) != "-"
    if to_file and target and out.exists() and not force:
        raise ConfigError(
            "already-exists", "already exists", where=str(out), hint="give another -o, or --force to replace it"
        )
    named = relative_to(table, out.parent if to_file else Path())
    proposal = propose(read_table(table), named, target or [], place=table)
    text = proposal.text()
    if to_file and schema:
        text = f"# yaml-language-server: $schema=./{_SCHEMA}\n{text}"
    config = parse_config(text, name=out.name)
    if to_file:
        write_whole(out, text.encode())
    if to_file and schema:
        write_whole(out.parent / _SCHEMA, (json.dumps(json_schema(), indent=1, ensure_ascii=False) + "\n").encode())
    if as_json:
        columns = [asdict(choice) for choice in proposal.choices]
        print_json(
            {
                "out": str(out) if to_file else None,
                "config": config.model_dump(mode="json", by_alias=True),
                "columns": columns,
                "notes": list(proposal.notes),
            }
        )
    else:
        sys.stdout.write(text)
        if to_file:
            say(f"wrote {out}; next: polyhead run {out}")


@app.command(rich_help_panel="Start here")
def run(
    config: ConfigArgument,
    table: TableOption = None,
    out: Annotated[
        Path,
        typer.Option(
            "-o", "--out", parser=local_folder, metavar="FOLDER", help="Local folder for one artifact per step."
        ),
    ] = Path("polyhead-out"),
    seed: SeedOption = None,
    partitions: PartitionsOption = 1,
    runner: RunnerOption = RunnerName.SUBPROCESS,
    image: ImageOption = None,
    gpus: Annotated[
        str | None,
        typer.Option(
            metavar="N",
            help="Number of GPUs for each step, or all; the default image is then the one for GPUs.",
            rich_help_panel=_DOCKER,
        ),
    ] = None,
    memory: Annotated[
        str | None,
        typer.Option(metavar="SIZE", help="Memory limit of each container, such as 4g.", rich_help_panel=_DOCKER),
    ] = None,
    network: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="The containers' network. Default: none if all places are local, otherwise Docker's default.",
            rich_help_panel=_DOCKER,
        ),
    ] = None,
    env: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME[=VALUE]",
            help="A variable for the steps, by default with its value here; repeat for several. "
            "A file that the value names is mounted.",
            rich_help_panel=_DOCKER,
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Run the whole pipeline on this machine, by KFP's local runner, and print every head beside its baseline."""
    place = _runner(runner, image=image, gpus=gpus, memory=memory, network=network, env=env)
    _run(config, out, place, as_json, table=table, seed=seed, partitions=partitions)


@app.command(rich_help_panel="Start here")
def cross_validate(
    config: ConfigArgument,
    table: TableOption = None,
    out: Annotated[
        str,
        typer.Option(
            "-o", "--out", metavar="FOLDER", help="Folder for the clean table and the scores, here or in a bucket."
        ),
    ] = "polyhead-cross-validation",
    seed: SeedOption = None,
    workers: WorkersOption = None,
    as_json: JsonOption = False,
) -> None:
    """Fit again for every fold of the rows, in one process, and score the predictions of all rows."""
    from polyhead.contracts.evaluation import REPORT_PAGE
    from polyhead.cross_validate.step import run as cross_validate_table
    from polyhead.progress import step
    from polyhead.results import print_cross_validation
    from polyhead.storage.places import join
    from polyhead.validate.step import run as validate_table

    checked = load(config).with_seed(seed)
    data, scores = join(out, "validate"), join(out, "cross-validate")
    with step("validate"):
        validate_table(config=checked, table=table_place(config, checked, table), out=data, workers=workers)
    with step("cross-validate"):
        result = cross_validate_table(config=checked, data=data, out=scores, workers=workers)
    if as_json:
        finish(result, as_json)
    else:
        print_cross_validation(result, join(scores, REPORT_PAGE))


@app.command(rich_help_panel="Start here")
def predict(
    bundle: BundleArgument,
    table: Annotated[str, typer.Argument(metavar="TABLE", help="Rows to predict; only features are needed.")],
    out: PredictionsOption,
    workers: WorkersOption = None,
    as_json: JsonOption = False,
) -> None:
    """Predict the rows of a table with a trained bundle."""
    from polyhead.predict.step import run as predict_table
    from polyhead.progress import step

    with step("predict"):
        result = predict_table(bundle=bundle, table=table, out=out, workers=workers)
    finish(result, as_json)


def _runner(
    name: RunnerName,
    *,
    image: str | None = None,
    gpus: str | None = None,
    memory: str | None = None,
    network: str | None = None,
    env: list[str] | None = None,
) -> Runner | None:
    """The runner that the options ask for; None for the usual one."""
    if name != RunnerName.DOCKER:
        options = {"--image": image, "--gpus": gpus, "--memory": memory, "--network": network, "--env": env}
        given = [option for option, value in options.items() if value]
        if given:
            raise typer.BadParameter("is for --runner docker", param_hint=f"'{given[0]}'")
        return None
    if gpus is not None and gpus != "all" and not (gpus.isascii() and gpus.isdigit() and int(gpus) > 0):
        raise typer.BadParameter(f"'{gpus}' is neither a number of GPUs nor all", param_hint="'--gpus'")
    if memory is not None and re.fullmatch(r"[1-9][0-9]*[bkmg]?", memory) is None:
        raise typer.BadParameter(f"'{memory}' is not a size such as 512m or 4g", param_hint="'--memory'")
    environment = {}
    for word in env or []:
        variable, given_here, value = word.partition("=")
        if not variable or not (given_here or variable in os.environ):
            raise typer.BadParameter(f"'{word}' is not set here and has no =VALUE", param_hint="'--env'")
        environment[variable] = value if given_here else os.environ[variable]
    from polyhead_pipelines.define.training import DEFAULT_IMAGE
    from polyhead_pipelines.local.runners.containers import ALL_GPUS, Containers

    return Containers(
        image or f"{DEFAULT_IMAGE}{'-gpu' if gpus else ''}",
        gpus=ALL_GPUS if gpus == "all" else int(gpus or 0),
        memory=memory,
        network=network,
        environment=environment,
    )


def _run(
    path: Path,
    out: Path,
    runner: Runner | None,
    as_json: bool,
    *,
    table: str | None = None,
    seed: int | None = None,
    partitions: int,
) -> None:
    from polyhead.contracts.config import ConfigFile
    from polyhead.storage.places import join

    config = ConfigFile.read(path)
    place = join(str(Path.cwd()), table_place(path, config.config, table))
    publish_to = destination(path, config.config, None)
    against = compared(path, config.config, None)
    if seed is not None or against != config.config.evaluate.against:
        settled = config.config.with_seed(seed).with_against(against)
        config = ConfigFile.parse(settled.model_dump_json(by_alias=True), path)
    from polyhead_pipelines.local.run import run_training

    finished = run_training(config, place, out, runner, partitions=partitions, publish_to=publish_to)
    if as_json:
        print_json(_summary(finished))
    else:
        from polyhead.results import print_results

        print_results(finished.report, finished.out, finished.seconds, finished.steps)


def _summary(finished: LocalRun) -> dict[str, Any]:
    """What `run --json` and `demo --json` print."""
    from polyhead.contracts.evaluation import REPORT_PAGE

    return {
        "out": str(finished.out),
        "report": str(finished.out / "evaluate" / REPORT_PAGE),
        "verdict": finished.report.verdict,
        "seconds": round(finished.seconds, 1),
        "steps": [
            {"step": use.step, "seconds": round(use.seconds, 1), "peak_memory_bytes": use.peak_memory}
            for use in finished.steps
        ],
        "rows": finished.report.rows,
        "rows_read": finished.report.rows_read,
        "rows_rejected": finished.report.rows_rejected,
        "gate": [check.model_dump(mode="json") for check in finished.report.gate],
        "heads": {
            name: {
                "kind": head.kind,
                "n": head.n,
                "missing": head.missing,
                "sentence": head.sentence,
                "metrics": {metric: numbers.model_dump(mode="json") for metric, numbers in head.metrics.items()},
            }
            for name, head in finished.report.heads.items()
        },
    }
