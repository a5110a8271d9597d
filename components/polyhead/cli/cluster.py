"""The cluster: compile for it, and start runs there."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from polyhead.cli.options import (
    BundleOption,
    ConfigArgument,
    JsonOption,
    PartitionsOption,
    TableOption,
    by_flag,
    grouped,
    print_json,
)

if TYPE_CHECKING:
    from polyhead_pipelines.define.platform import Platform
    from polyhead_pipelines.remote.definition import Definition
    from polyhead_pipelines.remote.platform import RemotePlatform
    from polyhead_pipelines.remote.request import Request
    from polyhead_pipelines.remote.server import Server

AnyPlatform = TypeVar("AnyPlatform", bound="Platform")

DEFAULT_PLATFORM = "kfp"

app = typer.Typer()

_FORMER_NAMES = {"target": "platform"}
_SPELLING = {"token_normalize_func": lambda word: _FORMER_NAMES.get(word, word)}
"""Options that had another name: `--target`, which is a column elsewhere, is taken for `--platform`."""


def _seconds(text: str) -> float:
    """A time such as 90s, 45m or 2h30m, in seconds; a number alone is seconds."""
    found = re.fullmatch(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s?)?", text)
    if not text or found is None:
        raise typer.BadParameter(f"'{text}' is not a time such as 90s, 45m or 2h30m")
    hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return 3600.0 * hours + 60 * minutes + seconds


@app.command("compile", rich_help_panel="The cluster", context_settings=_SPELLING)
def compile_(
    config: ConfigArgument,
    out: Annotated[Path | None, typer.Option("-o", "--out", metavar="FILE", help="The YAML file to write.")] = None,
    table: TableOption = None,
    image: Annotated[
        str | None, typer.Option(metavar="IMAGE", help="Container image of every step, by tag or digest.")
    ] = None,
    platform: Annotated[
        str, typer.Option(metavar="<kfp|vertex|kubernetes|local>", help="Platform that runs it.")
    ] = DEFAULT_PLATFORM,
    pipeline_root: Annotated[
        str | None, typer.Option(metavar="URI", help="Object store for artifacts, such as gs://bucket/path.")
    ] = None,
    partitions: PartitionsOption = 1,
    bundle: BundleOption = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what each step requests, and write nothing.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Compile the training pipeline, or the one that predicts, into one YAML file for a cluster."""
    from polyhead.contracts.config import ConfigFile
    from polyhead.progress import say
    from polyhead_pipelines.compiling.pipeline import compile_pipeline
    from polyhead_pipelines.platforms.table import PLATFORMS, REMOTE

    chosen = _chosen(platform, PLATFORMS)
    if out is None and not dry_run:
        raise typer.BadParameter("Missing option '-o' / '--out'.")
    compiled = compile_pipeline(
        ConfigFile.read(config),
        chosen,
        table=table,
        image=image,
        pipeline_root=pipeline_root,
        partitions=partitions,
        bundle=bundle,
    )
    if out is not None and not dry_run:
        compiled.write(out)
    for warning in compiled.warnings:
        say(f"warning: {warning}")
    if not dry_run:
        say(f"wrote {out}, to run in the image {compiled.image}")
        if compiled.service_account and platform in REMOTE:
            say(f"submit it with: --service-account {compiled.service_account}")
        for note in compiled.notes:
            say(f"note: {note}")
    elif not as_json:
        from polyhead_pipelines.compiling.dry_run import print_plan

        print_plan(compiled)
    if as_json:
        print_json({"pipeline": None if dry_run else str(out), **compiled.summary()})


@dataclass(frozen=True)
class ServerOptions:
    """Where a run is submitted to."""

    platform: Annotated[str, typer.Option(metavar="<kfp|vertex>", help="Platform that runs it.")] = DEFAULT_PLATFORM
    host: Annotated[
        str, typer.Option(metavar="URL", help="The pipelines API. Default for kfp: KF_PIPELINES_ENDPOINT.")
    ] = ""
    namespace: Annotated[
        str, typer.Option(metavar="NAME", help="Your namespace, on a kfp server with several users.")
    ] = ""
    project: Annotated[str, typer.Option(metavar="ID", help="The Google Cloud project, for vertex.")] = ""
    region: Annotated[str, typer.Option(metavar="NAME", help="The region, for vertex.")] = ""
    token_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Holds a bearer token; read again for every request.")
    ] = None
    cookie_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Holds a Cookie header, for kfp behind a login page.")
    ] = None
    ca_cert: Annotated[
        Path | None, typer.Option(metavar="FILE", help="PEM file of certificate authorities to trust.")
    ] = None


@dataclass(frozen=True)
class ConfigurationOptions:
    """What only a configuration takes, and no compiled file."""

    table: TableOption = None
    image: Annotated[str | None, typer.Option(metavar="IMAGE", help="Container image of every step.")] = None
    partitions: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Workers that share a step's rows. Default: 1.")
    ] = None
    bundle: BundleOption = None


@dataclass(frozen=True)
class RunOptions:
    """What a run is."""

    param: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="A pipeline parameter; repeat for several.")
    ] = None
    experiment: Annotated[str, typer.Option(metavar="NAME", help="For kfp; created if missing.")] = "Default"
    run_name: Annotated[str, typer.Option(metavar="NAME", help="Default: the pipeline's name and the time.")] = ""
    run_id: Annotated[
        str, typer.Option(metavar="ID", help="Your id for the run: no second run is started under it.")
    ] = ""
    pipeline_root: Annotated[str, typer.Option(metavar="URI", help="Object store for the artifacts.")] = ""
    service_account: Annotated[str, typer.Option(metavar="NAME", help="What the steps run as.")] = ""
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Compute every step again.")] = False


@dataclass(frozen=True)
class WaitOptions:
    """Whether a run's end is waited for."""

    wait: Annotated[
        bool,
        typer.Option("--wait", help="Wait for the end. Exit code 0: SUCCEEDED, 3: FAILED, 4: CANCELED, 5: timeout."),
    ] = False
    timeout: Annotated[
        float | None, typer.Option(parser=_seconds, metavar="TIME", help="The longest wait, such as 90s or 2h30m.")
    ] = None


@dataclass(frozen=True)
class LaterOptions:
    """What to do instead of starting a run now."""

    schedule: Annotated[
        str, typer.Option(metavar="CRON", help="Start a run at these times, for example '0 6 * * 1'. For kfp.")
    ] = ""
    upload_only: Annotated[
        bool, typer.Option("--upload-only", help="Upload the pipeline and start nothing. For kfp.")
    ] = False


@app.command(rich_help_panel="The cluster", context_settings=_SPELLING)
@grouped
def submit(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A configuration, or a compiled pipeline; - for stdin.")],
    where: ServerOptions,
    configuration: ConfigurationOptions,
    run: RunOptions,
    waiting: WaitOptions,
    later: LaterOptions,
    as_json: JsonOption = False,
) -> None:
    """Start a run on Kubeflow Pipelines or Vertex AI, and wait for its end if wanted."""
    platform = _remote_platform(where.platform)
    host = where.host or platform.default_host()
    _check_together(platform, {**by_flag(where, run, waiting, later), "--host": host})

    from polyhead_pipelines.remote.access import Access
    from polyhead_pipelines.remote.definition import read_definition
    from polyhead_pipelines.remote.platform import Connection
    from polyhead_pipelines.remote.schedule import parse_schedule

    access = Access(where.token_file, where.cookie_file, where.ca_cert)
    cron = parse_schedule(later.schedule) if later.schedule else ""
    definition = read_definition(file, platform, pipeline_root=run.pipeline_root or None, options=asdict(configuration))
    if run.no_cache:
        definition = definition.without_cache()
    request = _request(definition, run, with_arguments=not later.upload_only)
    server = platform.connect(Connection(access, host, where.namespace, run.experiment, where.project, where.region))
    if later.upload_only:
        _upload(server, definition, as_json)
    elif cron:
        _schedule(server, request, cron, as_json)
    else:
        _start(server, request, waiting, as_json)


@app.command(rich_help_panel="The cluster")
def schema() -> None:
    """Print the JSON Schema of the configuration file, for editors."""
    from polyhead.contracts.config import json_schema

    print_json(json_schema())


def _remote_platform(name: str) -> RemotePlatform:
    """A platform that runs are submitted to."""
    from polyhead_pipelines.platforms.table import REMOTE

    return _chosen(name, REMOTE)


def _chosen(name: str, platforms: Mapping[str, AnyPlatform]) -> AnyPlatform:
    if name not in platforms:
        raise typer.BadParameter(f"'{name}' is not one of: {', '.join(platforms)}", param_hint="--platform")
    return platforms[name]


def _check_together(platform: RemotePlatform, options: Mapping[str, object]) -> None:
    """End a call of `submit` whose options do not go together.

    Args:
        platform: The chosen platform.
        options: The value of each option.
    """
    from polyhead_pipelines.platforms.table import REMOTE

    def some(*names: str) -> dict[str, object]:
        return {name: options[name] for name in names}

    why = f"--platform {platform.name}{' (the default)' if platform.name == DEFAULT_PLATFORM else ''}"
    _require(why, some(*platform.needed_options))
    of_others = [name for other in REMOTE.values() for name in other.own_options if name not in platform.own_options]
    _refuse(why, some(*of_others))
    of_a_run = some("--run-id", "--wait", "--timeout")
    if options["--upload-only"]:
        of_any = some("--param", "--run-name", "--pipeline-root", "--service-account", "--schedule")
        _refuse("--upload-only", {**of_any, **of_a_run})
    if options["--schedule"]:
        _refuse("--schedule", of_a_run)
    if options["--timeout"] is not None and not options["--wait"]:
        raise typer.BadParameter("has no effect without --wait", param_hint="--timeout")


def _refuse(why: str, options: Mapping[str, object]) -> None:
    """End a call that has options which mean nothing beside another one."""
    given = [name for name, value in options.items() if value not in (None, "", []) and value is not False]
    if given:
        raise typer.BadParameter(f"has no effect with {why}", param_hint=", ".join(given))


def _require(why: str, options: Mapping[str, object]) -> None:
    """End a call that lacks options which another one needs."""
    missing = [name for name, value in options.items() if not value]
    if missing:
        raise typer.BadParameter(f"is missing, and needed with {why}", param_hint=", ".join(missing))


def _request(definition: Definition, run: RunOptions, *, with_arguments: bool) -> Request:
    from polyhead_pipelines.remote.request import Request, check_arguments

    return Request(
        definition,
        check_arguments(definition, run.param or [], run.pipeline_root) if with_arguments else {},
        run_name=run.run_name or f"{definition.name} {datetime.now():%Y-%m-%d %H:%M:%S}",
        run_id=run.run_id,
        pipeline_root=run.pipeline_root,
        service_account=run.service_account or definition.service_account,
    )


def _upload(server: Server, definition: Definition, as_json: bool) -> None:
    """Upload a pipeline, and print where it is."""
    from polyhead.progress import say

    uploaded = server.upload(definition)
    say(f"version {uploaded.version} of {definition.name} {'already exists' if uploaded.found else 'uploaded'}")
    print_json(asdict(uploaded)) if as_json else _print_link(uploaded.link)


def _schedule(server: Server, request: Request, cron: str, as_json: bool) -> None:
    """Make a schedule, and print where it is."""
    from polyhead.progress import say

    scheduled = server.schedule(request, cron)
    say(f"runs start at '{cron}': second, minute, hour, day, month, weekday, in the server's time zone")
    print_json(asdict(scheduled)) if as_json else _print_link(scheduled.link)


def _start(server: Server, request: Request, waiting: WaitOptions, as_json: bool) -> None:
    """Start a run or find it, print its link, and with `wait` end with the exit code of its end."""
    from polyhead.errors import PolyheadError
    from polyhead.progress import say, show_error
    from polyhead_pipelines.remote.waiting import explain, wait_for

    run = server.start(request)
    status = run.status
    say(f"run {run.run_id} {'already exists' if run.found else 'started'}")
    if not as_json:
        _print_link(run.link)
    if waiting.wait:
        try:
            status = wait_for(server, run, request.definition, waiting.timeout)
        except (KeyboardInterrupt, PolyheadError):
            say(f"the run continues; to wait again, submit the same with --run-id {run.run_id} --wait")
            raise
    if as_json:
        print_json({"run_id": run.run_id, "link": run.link, "found": run.found, **asdict(status)})
    if waiting.wait and status.exit_code:
        show_error("the run", explain(run, status))
        raise typer.Exit(status.exit_code)


def _print_link(link: str) -> None:
    sys.stdout.write(f"{link}\n")
    sys.stdout.flush()  # it may be long until the next line
