"""The cluster: compile for it, and start runs there."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from polyhead.cli.options import (
    BundleOption,
    ConfigArgument,
    JsonOption,
    PartitionsOption,
    TableOption,
    print_json,
)

if TYPE_CHECKING:
    from polyhead_pipelines.remote.submitting import Request
    from polyhead_pipelines.remote.waiting import Server

app = typer.Typer()

_FORMER_NAMES = {"target": "platform"}
_SPELLING = {"token_normalize_func": lambda word: _FORMER_NAMES.get(word, word)}
"""Options that had another name: `--target`, which is a column elsewhere, is taken for `--platform`."""


def _seconds(text: str) -> float:
    """A time such as 90s, 45m or 2h30m, in seconds; a number alone is seconds."""
    found = re.fullmatch(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s?)?", text)
    if not text or found is None:
        raise typer.BadParameter(f"'{text}' is no time such as 90s, 45m or 2h30m")
    hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return 3600.0 * hours + 60 * minutes + seconds


@app.command("compile", rich_help_panel="The cluster", context_settings=_SPELLING)
def compile_(
    config: ConfigArgument,
    out: Annotated[Path | None, typer.Option("-o", "--out", metavar="FILE", help="The YAML file to write.")] = None,
    table: TableOption = None,
    image: Annotated[str | None, typer.Option(help="Container image of every step, by tag or digest.")] = None,
    platform: Annotated[str, typer.Option(help="What shall run it: kfp, vertex, kubernetes or local.")] = "kfp",
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
    from polyhead_pipelines.compiling.pipeline import compile_pipeline
    from polyhead_pipelines.define.platforms import PLATFORMS

    known = next((one for one in PLATFORMS if one == platform), None)
    if known is None:
        raise typer.BadParameter(f"'{platform}' is not one of: {', '.join(PLATFORMS)}", param_hint="--platform")
    if out is None and not dry_run:
        raise typer.BadParameter("Missing option '-o' / '--out'.")
    compiled = compile_pipeline(
        config,
        table=table,
        image=image,
        platform=known,
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
        if compiled.service_account and platform in ("kfp", "vertex"):
            say(f"submit it with: --service-account {compiled.service_account}")
        for note in compiled.notes:
            say(f"note: {note}")
    elif not as_json:
        from polyhead_pipelines.compiling.dry_run import print_plan

        print_plan(compiled)
    if as_json:
        print_json({"pipeline": None if dry_run else str(out), **compiled.summary()})


@app.command(rich_help_panel="The cluster", context_settings=_SPELLING)
def submit(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A configuration, or a compiled pipeline; - for stdin.")],
    platform: Annotated[str, typer.Option(help="What shall run it: kfp or vertex.")] = "kfp",
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
    host = host or (os.environ.get("KF_PIPELINES_ENDPOINT", "") if platform == "kfp" else "")
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
    match platform:
        case "kfp":
            _require("--platform kfp (the default)", {"--host": host})
            _refuse("--platform kfp (the default)", {"--project": project, "--region": region})
        case "vertex":
            _require("--platform vertex", {"--project": project, "--region": region})
            _refuse("--platform vertex", kfp_options)
        case _:
            raise typer.BadParameter(f"'{platform}' is not one of: kfp, vertex", param_hint="--platform")
    if upload_only:
        _refuse("--upload-only", {**start_options, **run_options})
    if schedule:
        _refuse("--schedule", run_options)
    if timeout is not None and not wait:
        raise typer.BadParameter("has no effect without --wait", param_hint="--timeout")

    from polyhead.progress import say
    from polyhead_pipelines.remote.access import Access
    from polyhead_pipelines.remote.submitting import Request, check_arguments, parse_schedule, read_definition

    access = Access(token_file, cookie_file, ca_cert)
    cron = parse_schedule(schedule) if schedule else ""
    kind: Literal["kfp", "vertex"] = "vertex" if platform == "vertex" else "kfp"
    definition = read_definition(
        file,
        platform=kind,
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
        {} if upload_only else check_arguments(definition, param or [], pipeline_root),
        run_name=run_name or f"{definition.name} {datetime.now():%Y-%m-%d %H:%M:%S}",
        run_id=run_id,
        pipeline_root=pipeline_root,
        service_account=service_account or definition.service_account,
    )
    if platform == "vertex":
        from polyhead_pipelines.remote.vertex import Vertex

        _start(Vertex(project, region, access, host), request, wait, timeout, as_json)
        return

    from polyhead_pipelines.remote.kfp import Cluster

    cluster = Cluster(host, access, namespace, experiment)
    if upload_only:
        uploaded = cluster.upload(definition)
        say(f"version {uploaded.version} of {definition.name} {'was there already' if uploaded.found else 'uploaded'}")
        print_json(asdict(uploaded)) if as_json else _print_link(uploaded.link)
    elif cron:
        scheduled = cluster.schedule(request, cron)
        say(f"runs start at '{cron}': second, minute, hour, day, month, weekday, in the server's time zone")
        print_json(asdict(scheduled)) if as_json else _print_link(scheduled.link)
    else:
        _start(cluster, request, wait, timeout, as_json)


@app.command(rich_help_panel="The cluster")
def schema() -> None:
    """Print the JSON Schema of the configuration file, for editors."""
    from polyhead.contracts.config import json_schema

    print_json(json_schema())


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
    from polyhead_pipelines.remote.waiting import explain, wait_for

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
        print_json({"run_id": run.run_id, "link": run.link, "found": run.found, **asdict(status)})
    if wait and status.exit_code:
        show_error("the run", explain(run, status))
        raise typer.Exit(status.exit_code)


def _print_link(link: str) -> None:
    sys.stdout.write(f"{link}\n")
    sys.stdout.flush()  # it may be long until the next line
