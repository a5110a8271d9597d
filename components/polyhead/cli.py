"""The command line: every command is a thin call of a step or of the pipelines, and imports what it needs itself."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from polyhead import __version__

if TYPE_CHECKING:
    from pydantic import BaseModel

    from polyhead.contracts.config import Config
    from polyhead_pipelines.local import LocalRun
    from polyhead_pipelines.runners import Runner
    from polyhead_pipelines.submitting import Request
    from polyhead_pipelines.waiting import Server


class RunnerName(StrEnum):
    """Where `run` and `demo` carry the steps out."""

    SUBPROCESS = "subprocess"
    DOCKER = "docker"


app = typer.Typer(
    name="polyhead",
    help="From a table to a trained, evaluated, servable multi-input, multi-head Keras model.\n\n"
    "Start with: polyhead demo",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode="rich",
)


def _seconds(text: str) -> float:
    """A time such as 90s, 45m or 2h30m, in seconds; a number alone is seconds."""
    found = re.fullmatch(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s?)?", text)
    if not text or found is None:
        raise typer.BadParameter(f"'{text}' is no time such as 90s, 45m or 2h30m")
    hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return 3600.0 * hours + 60 * minutes + seconds


ConfigArgument = Annotated[Path, typer.Argument(metavar="CONFIG", help="The configuration, a YAML file.")]
TableOption = Annotated[str | None, typer.Option(metavar="T", help="Replaces the configuration's table.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as JSON on stdout, nothing else there.")]
WorkersOption = Annotated[int | None, typer.Option(min=1, metavar="N", help="Threads. Default: all processors.")]
DataOption = Annotated[Path, typer.Option(metavar="V", help="The folder that validate wrote.")]
PreprocessingOption = Annotated[Path, typer.Option(metavar="P", help="The folder that preprocess wrote.")]
ShardsOption = Annotated[Path, typer.Option(metavar="S", help="The folder that shard wrote.")]
DestinationOption = Annotated[
    str | None, typer.Option(metavar="PLACE", help="Replaces the configuration's publish.to.")
]
PartitionsOption = Annotated[int, typer.Option(min=1, metavar="N", help="Workers that share a step's rows.")]
BundleOption = Annotated[
    str | None, typer.Option(metavar="T", help="Predict the table with this trained bundle, instead of training.")
]
SeedOption = Annotated[int | None, typer.Option(min=0, metavar="N", help="Replaces train.seed.")]
RunnerOption = Annotated[
    RunnerName, typer.Option(help="Where each step runs: in a process of this environment, or in a container.")
]
_DOCKER = "Docker"
ImageOption = Annotated[
    str | None,
    typer.Option(
        metavar="IMAGE",
        help="The containers' image. Default: this version's, polyhead:<version>.",
        rich_help_panel=_DOCKER,
    ),
]


def main() -> None:
    """Entry point of the console script."""
    from polyhead.errors import PolyheadError

    try:
        app(prog_name="polyhead")
    except PolyheadError as error:
        from polyhead.progress import exit_with

        exit_with(error)
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.exit(141)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"polyhead {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


@app.command(rich_help_panel="Start here")
def demo(
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder for the sample and the results.")] = Path(
        "polyhead-demo"
    ),
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
        raise ArtifactError(f"cannot be written: {error.strerror}", where=str(out), hint="give another --out") from None
    _run(config, out, place, as_json, partitions=partitions)


@app.command(rich_help_panel="Start here")
def init(
    table: Annotated[str, typer.Argument(metavar="TABLE", help="Parquet, CSV or JSON Lines.")],
    target: Annotated[list[str], typer.Option(metavar="COL", help="A column to predict; repeat for several.")],
    out: Annotated[Path, typer.Option("-o", "--out", metavar="FILE", help="The file to write.")] = Path(
        "polyhead.yaml"
    ),
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Write a first configuration for a table."""
    from polyhead.contracts.config import parse_config
    from polyhead.errors import ConfigError
    from polyhead.progress import say
    from polyhead.storage.artifact import write_whole
    from polyhead.storage.places import relative_to
    from polyhead.storage.tables import read_table
    from polyhead.validate.infer import infer_config

    if out.exists() and not force:
        raise ConfigError("is already there", where=str(out), hint="give another -o, or --force to replace it")
    text = infer_config(read_table(table), relative_to(table, out.parent), target)
    config = parse_config(text, name=out.name)
    write_whole(out, text.encode())
    if as_json:
        _print_json(config)
    else:
        sys.stdout.write(text)
        say(f"wrote {out}; next: polyhead run {out}")


@app.command(rich_help_panel="Start here")
def run(
    config: ConfigArgument,
    table: TableOption = None,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder for one artifact per step.")] = Path("polyhead-out"),
    seed: SeedOption = None,
    partitions: PartitionsOption = 1,
    runner: RunnerOption = RunnerName.SUBPROCESS,
    image: ImageOption = None,
    gpus: Annotated[
        str | None,
        typer.Option(
            metavar="N",
            help="GPUs that a step gets, or all; the default image is then that for GPUs.",
            rich_help_panel=_DOCKER,
        ),
    ] = None,
    memory: Annotated[
        str | None,
        typer.Option(metavar="SIZE", help="Most memory of a container, such as 4g.", rich_help_panel=_DOCKER),
    ] = None,
    network: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="The containers' network. Default: none where table and pictures are local, else Docker's default.",
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
def predict(
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="The folder that train wrote.")],
    table: Annotated[str, typer.Argument(metavar="TABLE", help="Rows to predict; only features are needed.")],
    out: Annotated[Path, typer.Option("-o", "--out", metavar="FILE", help="The Parquet file to write.")],
    workers: WorkersOption = None,
    as_json: JsonOption = False,
) -> None:
    """Predict the rows of a table with a trained bundle."""
    from polyhead.predict.step import run as predict_table
    from polyhead.progress import step

    with step("predict"):
        result = predict_table(bundle=bundle, table=table, out=out, workers=workers)
    _finish(result, as_json)


@app.command(rich_help_panel="One step at a time")
def validate(
    config: ConfigArgument,
    out: Annotated[Path, typer.Option(metavar="V", help="The folder to write.")],
    table: TableOption = None,
    workers: WorkersOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check a table: clean rows, rejected rows with their reasons, a report."""
    from polyhead.progress import step
    from polyhead.validate.step import run as validate_table

    with step("validate"):
        checked = _load(config)
        result = validate_table(config=checked, table=_place(config, checked, table), out=out, workers=workers)
    _finish(result, as_json)


@app.command(rich_help_panel="One step at a time")
def preprocess(
    config: ConfigArgument,
    data: DataOption,
    out: Annotated[Path, typer.Option(metavar="P", help="The folder to write.")],
    as_json: JsonOption = False,
) -> None:
    """Split the rows and fit scalers, vocabularies and class weights on the train rows."""
    from polyhead.preprocess.step import run as preprocess_table
    from polyhead.progress import step

    with step("preprocess"):
        result = preprocess_table(config=_load(config), data=data, out=out)
    _finish(result, as_json)


@app.command(rich_help_panel="One step at a time")
def shard(
    config: ConfigArgument,
    data: DataOption,
    preprocessing: PreprocessingOption,
    out: Annotated[Path, typer.Option(metavar="S", help="The folder to write.")],
    reuse: Annotated[
        str, typer.Option(metavar="S", help="Earlier shards to copy unchanged pictures from. Default: those at --out.")
    ] = "",
    workers: WorkersOption = None,
    as_json: JsonOption = False,
) -> None:
    """Pack rows and resized pictures into TFRecord shards."""
    from polyhead.progress import step
    from polyhead.shard.step import run as shard_table

    with step("shard"):
        result = shard_table(
            config=_load(config), data=data, preprocessing=preprocessing, out=out, reuse=reuse, workers=workers
        )
    _finish(result, as_json)


@app.command(rich_help_panel="One step at a time")
def train(
    config: ConfigArgument,
    shards: ShardsOption,
    preprocessing: PreprocessingOption,
    out: Annotated[Path, typer.Option(metavar="T", help="The folder to write.")],
    seed: SeedOption = None,
    as_json: JsonOption = False,
) -> None:
    """Train the multi-head model and bundle it with its transforms."""
    from polyhead.progress import step
    from polyhead.train.step import run as train_model

    with step("train"):
        checked = _load(config).with_seed(seed)
        result = train_model(config=checked, shards=shards, preprocessing=preprocessing, out=out)
    _finish(result, as_json)


@app.command(rich_help_panel="One step at a time")
def evaluate(
    config: ConfigArgument,
    bundle: Annotated[Path, typer.Option(metavar="T", help="The folder that train wrote.")],
    shards: ShardsOption,
    preprocessing: PreprocessingOption,
    out: Annotated[Path, typer.Option(metavar="E", help="The folder to write.")],
    as_json: JsonOption = False,
) -> None:
    """Predict the test rows, measure every head beside its baseline, write the report and the verdict."""
    from polyhead.evaluate.step import run as evaluate_model
    from polyhead.progress import step

    with step("evaluate"):
        result = evaluate_model(
            config=_load(config), bundle=bundle, shards=shards, preprocessing=preprocessing, out=out
        )
    _finish(result, as_json)


@app.command(rich_help_panel="One step at a time")
def publish(
    config: ConfigArgument,
    bundle: Annotated[Path, typer.Option(metavar="T", help="The folder that train wrote.")],
    evaluation: Annotated[Path, typer.Option(metavar="E", help="The folder that evaluate wrote.")],
    out: Annotated[Path, typer.Option(metavar="P", help="The folder to write.")],
    to: DestinationOption = None,
    as_json: JsonOption = False,
) -> None:
    """Copy a bundle that passed the gate to its version's folder, and point latest.json to it."""
    from polyhead.progress import step
    from polyhead.publish.step import run as publish_model

    with step("publish"):
        checked = _load(config)
        place = _destination(config, checked, to)
        result = publish_model(config=checked, bundle=bundle, evaluation=evaluation, destination=place, out=out)
    _finish(result, as_json)


@app.command(rich_help_panel="One step at a time")
def rollback(
    config: ConfigArgument,
    version: Annotated[str, typer.Argument(metavar="VERSION", help="A version that was published.")],
    to: DestinationOption = None,
    as_json: JsonOption = False,
) -> None:
    """Put a version in force again that was published before."""
    from polyhead.publish.step import roll_back

    checked = _load(config)
    _finish(roll_back(config=checked, version=version, destination=_destination(config, checked, to)), as_json)


@app.command("compile", rich_help_panel="The cluster")
def compile_(
    config: ConfigArgument,
    out: Annotated[Path | None, typer.Option("-o", "--out", metavar="FILE", help="The YAML file to write.")] = None,
    table: TableOption = None,
    image: Annotated[str | None, typer.Option(help="Container image of every step, by tag or digest.")] = None,
    target: Annotated[str, typer.Option(help="What shall run it: kfp, vertex, kubernetes or local.")] = "kfp",
    pipeline_root: Annotated[
        str | None, typer.Option(metavar="URI", help="Object store for the artifacts, such as gs://bucket/path.")
    ] = None,
    partitions: PartitionsOption = 1,
    bundle: BundleOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what each step asks for; write nothing.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Compile the training pipeline, or the one that predicts, into one YAML file for a cluster."""
    from polyhead.progress import say
    from polyhead_pipelines.compiling import compile_pipeline, compiled_pipeline
    from polyhead_pipelines.targets import TARGETS

    known = next((one for one in TARGETS if one == target), None)
    if known is None:
        raise typer.BadParameter(f"'{target}' is not one of: {', '.join(TARGETS)}", param_hint="--target")
    options: dict[str, Any] = {
        "table": table,
        "image": image,
        "target": known,
        "pipeline_root": pipeline_root,
        "partitions": partitions,
        "bundle": bundle,
    }
    if dry_run:
        compiled = compiled_pipeline(config, **options)
        for warning in compiled.warnings:
            say(f"warning: {warning}")
        if not as_json:
            from polyhead_pipelines.dry_run import print_plan

            print_plan(compiled)
    elif out is None:
        raise typer.BadParameter("Missing option '-o' / '--out'.")
    else:
        compiled = compile_pipeline(config, out, **options)
        say(f"wrote {out}, to run in the image {compiled.image}")
    if as_json:
        _print_json({"pipeline": None if dry_run else str(out), **compiled.summary()})


@app.command(rich_help_panel="The cluster")
def submit(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A configuration, or a compiled pipeline.")],
    target: Annotated[str, typer.Option(help="What shall run it: kfp or vertex.")] = "kfp",
    host: Annotated[
        str, typer.Option(metavar="URL", help="The pipelines API. Default for kfp: KF_PIPELINES_ENDPOINT.")
    ] = "",
    namespace: Annotated[str, typer.Option(metavar="NAME", help="Yours, on a kfp server for several users.")] = "",
    project: Annotated[str, typer.Option(metavar="ID", help="The Google Cloud project, for vertex.")] = "",
    region: Annotated[str, typer.Option(metavar="NAME", help="The region, for vertex.")] = "",
    token_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Holds a bearer token; read again for every request.")
    ] = None,
    cookie_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Holds a Cookie header, for kfp behind a login page.")
    ] = None,
    ca_cert: Annotated[Path | None, typer.Option(metavar="FILE", help="PEM file of authorities to trust.")] = None,
    table: TableOption = None,
    image: Annotated[str | None, typer.Option(help="Container image of every step.")] = None,
    partitions: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Workers that share a step's rows. Default: 1.")
    ] = None,
    bundle: BundleOption = None,
    param: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="A pipeline parameter; repeat for several.")
    ] = None,
    experiment: Annotated[str, typer.Option(metavar="NAME", help="For kfp; made where it is missing.")] = "Default",
    run_name: Annotated[str, typer.Option(metavar="NAME", help="Default: the pipeline's name and the time.")] = "",
    run_id: Annotated[
        str, typer.Option(metavar="ID", help="Your id for the run: a second run is not started under it.")
    ] = "",
    pipeline_root: Annotated[str, typer.Option(metavar="URI", help="Object store for the artifacts.")] = "",
    service_account: Annotated[str, typer.Option(metavar="NAME", help="What the steps run as.")] = "",
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Compute every step anew.")] = False,
    wait: Annotated[
        bool,
        typer.Option("--wait", help="Wait for the end. Exit code 0: SUCCEEDED, 3: FAILED, 4: CANCELED, 5: timeout."),
    ] = False,
    timeout: Annotated[
        float | None, typer.Option(parser=_seconds, metavar="TIME", help="The longest wait, such as 90s or 2h30m.")
    ] = None,
    schedule: Annotated[
        str, typer.Option(metavar="CRON", help="Start a run at these times, for example '0 6 * * 1'. For kfp.")
    ] = "",
    upload_only: Annotated[
        bool, typer.Option("--upload-only", help="Upload the pipeline and start nothing. For kfp.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Start a run on Kubeflow Pipelines or Vertex AI, and wait for its end if wanted."""
    host = host or (os.environ.get("KF_PIPELINES_ENDPOINT", "") if target == "kfp" else "")
    run_options = {"--run-id": run_id, "--wait": wait, "--timeout": timeout is not None}
    start_options = {
        "--param": param,
        "--run-name": run_name,
        "--pipeline-root": pipeline_root,
        "--service-account": service_account,
        "--schedule": schedule,
    }
    kfp_options = {
        "--namespace": namespace,
        "--cookie-file": cookie_file,
        "--schedule": schedule,
        "--upload-only": upload_only,
    }
    match target:
        case "kfp":
            _require("--target kfp (the default)", {"--host": host})
            _refuse("--target kfp (the default)", {"--project": project, "--region": region})
        case "vertex":
            _require("--target vertex", {"--project": project, "--region": region})
            _refuse("--target vertex", kfp_options)
        case _:
            raise typer.BadParameter(f"'{target}' is not one of: kfp, vertex", param_hint="--target")
    if upload_only:
        _refuse("--upload-only", {**start_options, **run_options})
    if schedule:
        _refuse("--schedule", run_options)
    if timeout is not None and not wait:
        raise typer.BadParameter("has no effect without --wait", param_hint="--timeout")

    from polyhead.progress import say
    from polyhead_pipelines.access import Access
    from polyhead_pipelines.submitting import Request, check_arguments, parse_schedule, read_definition

    access = Access(token_file, cookie_file, ca_cert)
    cron = parse_schedule(schedule) if schedule else ""
    kind: Literal["kfp", "vertex"] = "vertex" if target == "vertex" else "kfp"
    definition = read_definition(
        file,
        target=kind,
        pipeline_root=pipeline_root or None,
        table=table,
        image=image,
        partitions=partitions,
        bundle=bundle,
    )
    if no_cache:
        definition = definition.without_cache()
    request = Request(
        definition,
        {} if upload_only else check_arguments(definition, param or []),
        run_name=run_name or f"{definition.name} {datetime.now():%Y-%m-%d %H:%M:%S}",
        run_id=run_id,
        pipeline_root=pipeline_root,
        service_account=service_account or definition.service_account,
    )
    if target == "vertex":
        from polyhead_pipelines.vertex import Vertex

        _start(Vertex(project, region, access, host), request, wait, timeout, as_json)
        return

    from polyhead_pipelines.cluster import Cluster

    cluster = Cluster(host, access, namespace, experiment)
    if upload_only:
        uploaded = cluster.upload(definition)
        say(f"version {uploaded.version} of {definition.name} {'was there already' if uploaded.found else 'uploaded'}")
        _print_json(asdict(uploaded)) if as_json else _print_link(uploaded.link)
    elif cron:
        scheduled = cluster.schedule(request, cron)
        say(f"runs start at '{cron}': second, minute, hour, day, month, weekday, in the server's time zone")
        _print_json(asdict(scheduled)) if as_json else _print_link(scheduled.link)
    else:
        _start(cluster, request, wait, timeout, as_json)


@app.command(rich_help_panel="The cluster")
def schema() -> None:
    """Print the JSON Schema of the configuration file, for editors."""
    from polyhead.contracts.config import json_schema

    _print_json(json_schema())


def _load(path: Path) -> Config:
    from polyhead.contracts.config import load_config

    return load_config(path)


def _place(path: Path, config: Config, table: str | None) -> str:
    """The table to read: the option as given, or the config's, relative to the config file."""
    from polyhead.storage.places import join

    return table if table is not None else join(str(path.parent.absolute()), config.table)


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
        raise typer.BadParameter(f"'{memory}' is no size such as 512m or 4g", param_hint="'--memory'")
    environment = {}
    for word in env or []:
        variable, given_here, value = word.partition("=")
        if not variable or not (given_here or variable in os.environ):
            raise typer.BadParameter(f"'{word}' is not set here and has no =VALUE", param_hint="'--env'")
        environment[variable] = value if given_here else os.environ[variable]
    from polyhead_pipelines.runners import ALL_GPUS, Containers
    from polyhead_pipelines.training import DEFAULT_IMAGE

    return Containers(
        image or f"{DEFAULT_IMAGE}{'-gpu' if gpus else ''}",
        gpus=ALL_GPUS if gpus == "all" else int(gpus or 0),
        memory=memory,
        network=network,
        environment=environment,
    )


def _destination(path: Path, config: Config, to: str | None) -> str:
    """Where to publish: the option as given, or the config's, relative to the config file; empty where neither is."""
    from polyhead.storage.places import join

    return to or (join(str(path.parent.absolute()), config.publish.to) if config.publish.to else "")


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
    from polyhead.contracts.config import parse_config, read_config_text
    from polyhead.storage.places import join

    text = read_config_text(path)
    config = parse_config(text, name=path.name)
    place = join(str(Path.cwd()), _place(path, config, table))
    publish_to = _destination(path, config, None)
    if seed is not None:
        text = config.with_seed(seed).model_dump_json(by_alias=True)
    from polyhead_pipelines.local import run_training

    finished = run_training(text, place, out, runner, partitions=partitions, publish_to=publish_to)
    if as_json:
        _print_json(_summary(finished))
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
        "heads": {
            name: {
                "kind": head.kind,
                "n": head.n,
                "metrics": {
                    metric: {"value": numbers.value, "baseline": numbers.baseline}
                    for metric, numbers in head.metrics.items()
                },
            }
            for name, head in finished.report.heads.items()
        },
    }


def _refuse(why: str, options: Mapping[str, object]) -> None:
    """End a call that has options which mean nothing beside another one."""
    given = [name for name, value in options.items() if value]
    if given:
        raise typer.BadParameter(f"has no effect with {why}", param_hint=", ".join(given))


def _require(why: str, options: Mapping[str, object]) -> None:
    """End a call that lacks options which another one needs."""
    missing = [name for name, value in options.items() if not value]
    if missing:
        raise typer.BadParameter(f"is missing, and needed with {why}", param_hint=", ".join(missing))


def _start(server: Server, request: Request, wait: bool, timeout: float | None, as_json: bool) -> None:
    """Start a run or find it, print its link, and with `wait` end with the exit code of its end."""
    from polyhead.errors import PolyheadError
    from polyhead.progress import say, show_error
    from polyhead_pipelines.waiting import explain, wait_for

    run = server.start(request)
    status = run.status
    say(f"run {run.run_id} {'is there already' if run.found else 'started'}")
    if not as_json:
        _print_link(run.link)
    if wait:
        try:
            status = wait_for(server, run, request.definition, timeout)
        except (KeyboardInterrupt, PolyheadError):
            say(f"the run is not stopped; to wait again, submit the same with --run-id {run.run_id} --wait")
            raise
    if as_json:
        _print_json({"run_id": run.run_id, "link": run.link, "found": run.found, **asdict(status)})
    if wait and status.exit_code:
        show_error("the run", explain(run, status))
        raise typer.Exit(status.exit_code)


def _print_link(link: str) -> None:
    sys.stdout.write(f"{link}\n")
    sys.stdout.flush()  # it may be long until the next line


def _finish(result: BaseModel, as_json: bool) -> None:
    if as_json:
        _print_json(result)


def _print_json(value: BaseModel | dict[str, Any]) -> None:
    data = value if isinstance(value, dict) else value.model_dump(mode="json", by_alias=True)
    sys.stdout.write(json.dumps(data, indent=2, ensure_ascii=False) + "\n")
