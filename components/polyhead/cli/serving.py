"""Put a model to use: a small server for trying it, manifests for a cluster, a file for other runtimes."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from polyhead.cli.options import BundleArgument, JsonOption, finish, print_json

app = typer.Typer()
_PANEL = "Serve a model"
_FORMATS = ("onnx",)

NameOption = Annotated[
    str, typer.Option(metavar="NAME", help="What requests call the model: letters, digits, - and _.")
]


@app.command(rich_help_panel=_PANEL)
def serve(
    bundle: BundleArgument,
    host: Annotated[str, typer.Option(metavar="ADDRESS", help="Where to listen; 0.0.0.0 is everywhere.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, metavar="N", help="0 takes a free one.")] = 8501,
    name: NameOption = "model",
    max_bytes: Annotated[int, typer.Option(min=1, metavar="N", help="Largest body of a request.")] = 32 * 2**20,
    max_rows: Annotated[int, typer.Option(min=1, metavar="N", help="Most rows of a request.")] = 1000,
    max_pixels: Annotated[
        int, typer.Option(min=1, metavar="N", help="Largest picture, height times width.")
    ] = 50_000_000,
    max_concurrent: Annotated[
        int, typer.Option(min=1, metavar="N", help="Most requests at once, those that wait included.")
    ] = 2048,
    max_held: Annotated[int, typer.Option(min=1, metavar="N", help="Most bytes of their bodies together.")] = 2**28,
    max_seconds: Annotated[
        float, typer.Option(min=0.001, metavar="N", help="How long a request may wait for its turn.")
    ] = 60.0,
    as_json: JsonOption = False,
) -> None:
    """Serve a model for trying it: a page, TF Serving's REST shape, the open inference protocol, metrics."""
    from polyhead.progress import say
    from polyhead.serve.server import serve as serve_bundle

    def ready(url: str) -> None:
        print_json({"url": url, "model": name}) if as_json else sys.stdout.write(f"{url}\n")
        sys.stdout.flush()
        say(f"serving {bundle} as {name}: open {url} in a browser; Ctrl-C ends it")

    serve_bundle(
        bundle=bundle,
        name=model_name(name),
        host=host,
        port=port,
        max_bytes=max_bytes,
        max_rows=max_rows,
        max_pixels=max_pixels,
        max_concurrent=max_concurrent,
        max_held=max_held,
        max_seconds=max_seconds,
        ready=ready,
    )


def model_name(name: str) -> str:
    """A name that can be a part of addresses."""
    import re

    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}", name):
        raise typer.BadParameter(
            "is made of letters, digits, - and _, and begins with a letter or digit", param_hint="--name"
        )
    return name


@app.command(rich_help_panel=_PANEL)
def deploy(
    bundle: BundleArgument,
    to: Annotated[str, typer.Option(metavar="<kserve|tf-serving>", help="What serves it in the cluster.")],
    image: Annotated[
        str,
        typer.Option(
            metavar="IMAGE", help="Container image: for kserve one with polyhead\\[serve], for tf-serving TF Serving's."
        ),
    ],
    out: Annotated[
        Path | None, typer.Option("-o", "--out", metavar="FILE", help="The YAML file to write. Default: stdout.")
    ] = None,
    name: NameOption = "model",
    claim: Annotated[
        str, typer.Option(metavar="CLAIM:PATH", help="A volume claim, and where in it the bundle is.")
    ] = "",
    service_account: Annotated[str, typer.Option(metavar="NAME", help="The pod's service account.")] = "",
    cpu: Annotated[str, typer.Option(metavar="COUNT", help="Processors to request.")] = "1",
    memory: Annotated[str, typer.Option(metavar="SIZE", help="Memory to request, and its limit.")] = "2Gi",
    as_json: JsonOption = False,
) -> None:
    """Write the manifests that serve a model in a cluster."""
    from polyhead.errors import did_you_mean
    from polyhead.progress import say
    from polyhead.storage.objects import write_whole
    from polyhead_pipelines.compiling.deployment import SERVERS, Service, image_folder, service_manifest
    from polyhead_pipelines.compiling.documents import yaml_text

    server = next((one for one in SERVERS if one == to), None)
    if server is None:
        raise typer.BadParameter(f"'{to}' is unknown: {did_you_mean(to, SERVERS)}", param_hint="--to")
    service = Service(image, name, claim, service_account, cpu, memory)
    documents = service_manifest(server, bundle, service)
    text = yaml_text(documents, sort_keys=False)
    if out is not None:
        write_whole(str(out), text.encode())
        say(f"wrote {out}: kubectl apply -f {out}")
    if server == "tf-serving" and not claim:
        say(f"the image must have the bundle's folder serving in {image_folder(name)}")
    if as_json:
        print_json({"manifest": str(out) if out else None, "documents": documents})
    elif out is None:
        sys.stdout.write(text)


@app.command(rich_help_panel=_PANEL)
def export(
    bundle: BundleArgument,
    to: Annotated[str, typer.Option(metavar="<onnx>", help="The format.")],
    out: Annotated[str, typer.Option("-o", "--out", metavar="FILE", help="The file to write, here or in a bucket.")],
    as_json: JsonOption = False,
) -> None:
    """Write a model's network for other runtimes than TensorFlow: encoded features in, every head's answers out."""
    from polyhead.errors import did_you_mean
    from polyhead.export.step import run
    from polyhead.progress import step

    if to not in _FORMATS:
        raise typer.BadParameter(f"'{to}' is unknown: {did_you_mean(to, _FORMATS)}", param_hint="--to")
    with step("export"):
        exported = run(bundle=bundle, out=out)
    finish(exported, as_json)
