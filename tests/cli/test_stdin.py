"""A configuration from stdin: every command that takes one takes `-`, and calls it `<stdin>`."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from commandline import digests, program, shortest_call, takes_config

_COMMANDS = [name for name in program().commands if takes_config(name)]


@pytest.fixture
def stdin(monkeypatch: pytest.MonkeyPatch) -> Callable[[str | bytes], None]:
    """Puts a text in the place of stdin."""

    def give(content: str | bytes) -> None:
        raw = content.encode() if isinstance(content, str) else content
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(raw), encoding="ascii"))

    return give


@pytest.mark.parametrize("name", _COMMANDS)
def test_every_command_that_takes_a_configuration_takes_stdin(polyhead, stdin, name) -> None:
    """It says `<stdin>` and the line of what is wrong there."""
    stdin("table: t.csv\nfeatures: {a: {kind: numeric}}\ntargets: {b: {kind: regresion}}\n")
    result = polyhead(*shortest_call(name, "-"))
    assert (result.code, result.out) == (1, "")
    assert "  <stdin>:3 targets.b.kind: unknown kind 'regresion' [unknown-kind]\n" in result.err


@pytest.mark.parametrize("name", ["validate", "submit"])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "<stdin>: must contain keys and values, received nothing"),
        (b"table: \xff\n", "<stdin>: is not UTF-8 text"),
    ],
    ids=["empty", "no text"],
)
def test_stdin_without_a_configuration_says_so(polyhead, stdin, name, content, message) -> None:
    """Nothing, and bytes that are no text, are the user's mistakes."""
    stdin(content)
    result = polyhead(*shortest_call(name, "-"))
    assert (result.code, result.out) == (1, "")
    assert message in result.err


def test_paths_in_stdin_are_relative_to_the_working_directory(polyhead, stdin, tiny, tmp_path: Path) -> None:
    """The same text gives the same artifact as its file in the working directory, also with letters beyond ASCII."""
    data = tiny()
    text = "# Größe\n" + data.config.read_text("utf-8")
    assert polyhead("validate", data.config, "--out", "file").code == 0
    stdin(text)
    result = polyhead("validate", "-", "--out", "stdin")
    assert result.code == 0, result.err
    assert digests(tmp_path / "stdin") == digests(tmp_path / "file")


def test_a_pipeline_is_compiled_from_stdin(polyhead, stdin, tiny, tmp_path: Path) -> None:
    """To the bytes of the file; a Job, which is called after its file, has no name of one."""
    data = tiny()
    text = data.config.read_text("utf-8")
    assert polyhead("compile", data.config, "-o", "file.yaml").code == 0
    stdin(text)
    assert polyhead("compile", "-", "-o", "stdin.yaml").code == 0
    assert (tmp_path / "stdin.yaml").read_bytes() == (tmp_path / "file.yaml").read_bytes()
    stdin(text)
    assert polyhead("compile", "-", "-o", "job.yaml", "--platform", "kubernetes").code == 0
    assert "name: polyhead-" in (tmp_path / "job.yaml").read_text()
