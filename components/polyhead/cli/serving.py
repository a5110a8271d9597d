"""Put a model to use over HTTP: a small server for trying it, and manifests for a cluster."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from polyhead.cli.options import BundleArgument, JsonOption, print_json

app = typer.Typer()
_PANEL = "Serve a model"

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
    ] = 64,
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
