"""Options that a command takes together."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from polyhead.cli.options import by_flag, compared, grouped
from polyhead.contracts.config import parse_config


@dataclass(frozen=True)
class Place:
    """Two options."""

    host: Annotated[str, typer.Option(metavar="URL", help="Where it is.")] = "here"
    read_only: Annotated[bool, typer.Option("--read-only")] = False


def application() -> typer.Typer:
    app = typer.Typer()

    @app.command()
    @grouped
    def go(name: Annotated[str, typer.Argument(metavar="NAME")], place: Place, times: int = 1) -> None:
        """Go there."""
        typer.echo(f"{name} {place} {times}")

    return app


@pytest.mark.parametrize(
    ("arguments", "place"),
    [
        (["a"], Place()),
        (["a", "--host", "there"], Place("there")),
        (["--read-only", "a", "--times=1"], Place(read_only=True)),
    ],
    ids=["defaults", "one", "all"],
)
def test_a_group_is_made_of_its_options(arguments, place):
    result = CliRunner().invoke(application(), arguments)
    assert (result.exit_code, result.output) == (0, f"a {place} 1\n")


def test_each_option_of_a_group_has_its_own_help():
    output = CliRunner().invoke(application(), ["--help"]).output
    assert "Go there." in output
    assert "Where it is." in output
    assert "--read-only" in output
    assert "--place" not in output


def test_options_are_named_as_the_user_writes_them():
    assert by_flag(Place("there")) == {"--host": "there", "--read-only": False}


def test_what_to_compare_with_is_relative_to_the_configuration(tmp_path: Path) -> None:
    """Unless the option says it; latest is the pointer of the configuration's destination."""
    text = "table: t.csv\nfeatures: {a: {kind: numeric}}\ntargets: {y: {kind: binary}}\n"
    path = tmp_path / "polyhead.yaml"
    assert compared(path, parse_config(text), None) is None
    assert compared(path, parse_config(text), "there") == "there"
    named = parse_config(f"{text}evaluate: {{against: models/a}}")
    assert compared(path, named, None) == str(tmp_path / "models/a")
    assert compared(path, named, "gs://models/b") == "gs://models/b"
    published = parse_config(f"{text}evaluate: {{against: latest}}\npublish: {{to: models, ungated: true}}")
    assert compared(path, published, None) == str(tmp_path / "models" / "latest.json")
