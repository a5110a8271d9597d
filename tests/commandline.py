"""`polyhead` calls the command line in this process, as the console script does.

    def test_something(polyhead):
        result = polyhead("validate", "polyhead.yaml", "--out", "V")
        assert (result.code, result.out) == (0, "")     # exit code, stdout; result.err is stderr

The working directory is the test's own.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from polyhead.cli import main
from polyhead.contracts.shards import TIMINGS


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
