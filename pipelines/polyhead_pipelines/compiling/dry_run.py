"""What `polyhead compile --dry-run` prints: what each step will ask of its platform."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from polyhead.contracts.cluster import ClaimMount, Source, StepSettings, Toleration
from polyhead.progress import result_console
from polyhead_pipelines.compiling.pipeline import Compiled
from polyhead_pipelines.define.platform import Platform


def print_plan(compiled: Compiled) -> None:
    """Print to stdout a row of resources for each step, and below it what else its pod gets."""
    console = result_console()
    rows = {step: _resources(settings, compiled.platform) for step, settings in compiled.steps.items()}
    columns = [column for column in next(iter(rows.values())) if any(row[column] for row in rows.values())]
    table = Table(
        title=f"platform {compiled.platform.name}",
        title_justify="left",
        header_style="bold",
        box=SIMPLE_HEAD,
        pad_edge=False,
    )
    for column in ("step", *columns):
        table.add_column(column, overflow="fold", no_wrap=column == "step")
    for step, row in rows.items():
        table.add_row(f"[bold]{step}[/]", *(escape(row[column]) for column in columns))
    console.print(table)
    pods = {step: list(_pod(settings, compiled.image)) for step, settings in compiled.steps.items()}
    common = [line for line in next(iter(pods.values())) if all(line in lines for lines in pods.values())]
    own = {step: [line for line in lines if line not in common] for step, lines in pods.items()}
    general = [
        ("image", compiled.image),
        ("pipeline root", compiled.pipeline_root or ""),
        ("service account", compiled.service_account or ""),
        *common,
    ]
    for name, lines in (("every step", general), *own.items()):
        shown = [(label, value) for label, value in lines if value]
        if shown:
            console.print(f"[bold]{name}[/]")
        for label, value in shown:
            console.print(f"  {label + ':':<19}{escape(value)}", soft_wrap=True)
    for note in compiled.notes:
        console.print(f"note: {escape(note)}", soft_wrap=True)


def _resources(settings: StepSettings, platform: Platform) -> dict[str, str]:
    accelerator, retry = settings.accelerator, settings.retry
    return {
        "cpu": _range(settings.cpu_request, settings.cpu_limit),
        "memory": _range(settings.memory_request, settings.memory_limit),
        "accelerator": f"{accelerator.count} × {platform.accelerator_name(accelerator)}" if accelerator else "",
        "shm": settings.shared_memory or "",
        "disk": settings.disk or "",
        "retries": str(retry.count) if retry else "",
        "timeout": settings.timeout or "",
        "cached": {None: "", True: "yes", False: "no"}[settings.caching],
    }


def _range(request: str | None, limit: str | None) -> str:
    return "–".join(dict.fromkeys(filter(None, (request, limit))))


def _pod(settings: StepSettings, image: str) -> Iterator[tuple[str, str]]:
    """What a step's pod gets beside resources, one thing at a time; secrets are named, never read."""
    if settings.image and settings.image != image:
        yield "image", settings.image
    if settings.retry and settings.retry.count:
        retry = settings.retry
        yield "pause to retry", f"{retry.backoff}, × {retry.factor:g} each"
    for name in ("run_as_user", "run_as_group", "priority_class", "image_pull_policy"):
        value = getattr(settings, name)
        if value is not None:
            yield name.replace("_", " "), str(value)
    groups = (("node selector", settings.node_selector), ("env", settings.env))
    yield from ((label, f"{key}={value}") for label, group in groups for key, value in group.items())
    for label, entries in (
        ("toleration", settings.tolerations),
        ("image pull secret", settings.image_pull_secrets),
        ("secret", settings.secrets),
        ("config map", settings.config_maps),
        ("volume", settings.volumes),
    ):
        for entry in entries:
            yield label, _words(entry)


def _words(entry: Any) -> str:
    match entry:
        case Toleration():
            taint = entry.key or "every taint"
            shown = f"{taint}={entry.value}" if entry.value else taint
            effect = f", {entry.effect}" if entry.effect else ""
            return f"{shown}{effect}{f', {entry.seconds} s' if entry.seconds is not None else ''}"
        case Source():
            variables = [f"{variable} from key {key}" for variable, key in entry.env.items()]
            return f"{entry.name}: {', '.join([*variables, *([f'files in {entry.mount}'] if entry.mount else [])])}"
        case ClaimMount():
            inside = f"/{entry.sub_path}" if entry.sub_path else ""
            return f"{entry.claim}{inside}: {entry.mount}{', read-only' if entry.read_only else ''}"
        case _:
            return str(entry)
