"""What the pages for users show: every `polyhead` command is one, and the cluster's example does what it says."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import typer
from typer.core import TyperGroup

from polyhead.cli import app

ROOT = Path(__file__).parents[2]
CLUSTER = ROOT / "docs" / "cluster.md"
PAGES = [ROOT / "README.md", CLUSTER, ROOT / "docker" / "README.md"]
USAGE_ERROR = typer.BadParameter.__mro__[1]
"""What Typer raises for every wrong call; it has no public name."""
BLOCK = re.compile(r"^ *```(\w+)\n(.*?)^ *```$", re.DOTALL | re.MULTILINE)


def blocks(page: Path, language: str) -> list[str]:
    return [text for kind, text in BLOCK.findall(page.read_text("utf-8")) if kind == language]


def commands(page: Path) -> list[list[str]]:
    """The words after `polyhead` of each command line that a page shows."""
    lines = "".join(blocks(page, "bash")).replace("\\\n", " ").splitlines()
    words = [shlex.split(line, comments=True) for line in lines if line.lstrip().startswith("polyhead ")]
    return [line[1 : line.index(">") if ">" in line else None] for line in words]


CALLS = [pytest.param(call, id=f"{page.name}: {' '.join(call)}"[:80]) for page in PAGES for call in commands(page)]


def parse(call: list[str]) -> None:
    """Read a command line as the program does, and run nothing."""
    group = typer.main.get_command(app)
    assert isinstance(group, TyperGroup)
    with group.make_context("polyhead", list(call)) as context:
        name, command, rest = group.resolve_command(context, list(call))
        assert command is not None
        command.make_context(name, rest, parent=context)


@pytest.mark.parametrize("call", CALLS)
def test_each_command_on_a_page_is_one(call: list[str]) -> None:
    """The command is there, and takes the arguments and options that stand behind it."""
    parse(call)


@pytest.mark.parametrize("call", [["nonsense"], ["compile"], ["submit", "a.yaml", "--nonsense"]])
def test_a_command_that_is_none_would_be_found(call: list[str]) -> None:
    """A page with it would fail, and the page about clusters does show commands."""
    with pytest.raises(USAGE_ERROR):
        parse(call)
    assert {"compile", "submit", "rollback"} <= {call[0] for call in commands(CLUSTER)}


def test_the_example_for_a_cluster_asks_for_what_the_page_shows(polyhead, tmp_path, monkeypatch) -> None:
    """The configuration is sound, and `compile --dry-run` prints what stands below it, without a warning."""
    (example,) = (text for text in blocks(CLUSTER, "yaml") if text.startswith("table:"))
    (shown,) = (text for text in blocks(CLUSTER, "text") if text.startswith("target kfp"))
    (tmp_path / "polyhead.yaml").write_text(example)
    monkeypatch.setenv("COLUMNS", "100")
    (call,) = (call for call in commands(CLUSTER) if call[1:4] == ["polyhead.yaml", "--dry-run", "--partitions"])
    result = polyhead(*call)
    assert (result.code, result.err) == (0, "")
    assert [line.rstrip() for line in result.out.strip().splitlines()] == shown.strip().splitlines()
