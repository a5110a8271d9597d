"""The command line: every command is a thin call of a step or of the pipelines, and imports what it needs itself."""

from __future__ import annotations

import os
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from polyhead import __version__
from polyhead.cli import cluster, look, serving, sharing, start, steps

_REPEATABLE = ("cross-validate", "shard", "shard-partition", "encode", "train")
"""Commands that resume where they were stopped."""


class _Program(TyperGroup):
    """The whole command line; Typer itself ends silently on Ctrl-C."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            goes_on = ctx.invoked_subcommand in _REPEATABLE
            sys.stderr.write(f"interrupted{'; the same command resumes where it stopped' if goes_on else ''}\n")
            sys.exit(130)


app = typer.Typer(
    name="polyhead",
    cls=_Program,
    help="From a table to a trained, evaluated, servable multi-input, multi-head Keras model.\n\n"
    "Start with: polyhead demo",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode="rich",
)
for part in (start, steps, look, serving, sharing, cluster):
    app.add_typer(part.app)


def main() -> None:
    """Entry point of the console script."""
    from polyhead.errors import PolyheadError

    try:
        app(prog_name="polyhead")
    except PolyheadError as error:
        from polyhead.progress import exit_with

        exit_with(error)
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
