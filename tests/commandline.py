"""`polyhead` calls the command line in this process, as the console script does.

    def test_something(polyhead):
        result = polyhead("validate", "polyhead.yaml", "--out", "V")
        assert (result.code, result.out) == (0, "")     # exit code, stdout; result.err is stderr

The working directory is the test's own.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from typer.core import TyperGroup

from polyhead.cli import app, main
from polyhead.contracts.shards import TIMINGS
from polyhead.sample import write_sample


@dataclass(frozen=True)
class Result:
    """How a command ended."""

    code: int
    out: str
    err: str


@pytest.fixture
def polyhead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Result]:
    """Calls the command line; see the module's first lines."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str | Path) -> Result:
        monkeypatch.setattr(sys, "argv", ["polyhead", *map(str, arguments)])
        capsys.readouterr()
        try:
            main()
            code = 0
        except SystemExit as end:
            code = 0 if end.code is None else int(end.code)
        out, err = capsys.readouterr()
        return Result(code, out, err)

    return call


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of every file below a folder, by its path, but of those that say how long something took."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != TIMINGS
    }


def change(config: Path, to: Path | None = None, **sections: Any) -> Path:
    """A config file with some top-level sections replaced."""
    content = {**yaml.safe_load(config.read_text(encoding="utf-8")), **sections}
    to = to or config
    to.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return to


def small_sample(folder: Path) -> Path:
    """The embedded sample, shrunk to 120 rows, one epoch and no model beside the network."""
    train = {"epochs": 1, "batch_size": 32, "seed": 0}
    return change(write_sample(folder / "sample", rows=120), train=train, ensemble={"members": []})


def program() -> TyperGroup:
    """The command line as Typer sees it."""
    group = typer.main.get_command(app)
    assert isinstance(group, TyperGroup)
    return group


def takes_config(name: str) -> bool:
    """Whether a command's argument is a configuration, or a file that may be one."""
    return any(parameter.opts in (["config"], ["file"]) for parameter in program().commands[name].params)


def shortest_call(name: str, config: str) -> list[str]:
    """A command with all that it requires: a configuration, and words that mean nothing for the rest.

    Args:
        name: The command.
        config: What to give it as its configuration, where it takes one.
    """
    words = [name, *{"submit": ["--host", "http://localhost:1"], "compile": ["--dry-run"]}.get(name, [])]
    for parameter in program().commands[name].params:
        option = [parameter.opts[-1]] if parameter.opts[-1].startswith("-") else []
        if parameter.opts in (["config"], ["file"]):
            words.append(config)
        elif parameter.required:
            words += [*option, _word_for(parameter)]
    return words


def _word_for(parameter: Any) -> str:
    """What a parameter takes that must be given: one of its words, or one that means nothing."""
    choices = re.match(r"<([\w-]+)", parameter.metavar or "")
    return choices[1] if choices else "1" if parameter.name == "partitions" else "nothing"


def command(*arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """The console script in a process of its own."""
    program = [sys.executable, "-c", "from polyhead.cli import main; main()", *map(str, arguments)]
    return subprocess.run(program, cwd=cwd, capture_output=True, text=True, check=False)
