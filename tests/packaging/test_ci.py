"""The scripts in `.ci`: what they make of a machine that cannot run all checks."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def containers_without_root(folder: Path, **environment: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of `.ci/containers` where `id` says that the user is not root."""
    (folder / "id").write_text("#!/bin/sh\necho 1000\n")
    (folder / "id").chmod(0o755)
    inherited = {name: value for name, value in os.environ.items() if name != "CI" and not name.startswith("POLYHEAD_")}
    done = subprocess.run(
        ["bash", str(ROOT / ".ci" / "containers")],
        env={**inherited, "PATH": f"{folder}:{os.environ['PATH']}", **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("environment", [{}, {"CI": "true", "POLYHEAD_CI_ALLOW_NO_CONTAINERS": "1"}])
def test_containers_are_skipped_with_the_reason_where_there_can_be_none(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    code, out, err = containers_without_root(tmp_path, **environment)
    assert (code, out, err) == (0, "containers: skipped, a daemon of its own needs root\n", "")


@pytest.mark.parametrize("allowed", ["", "0"])
def test_under_ci_the_same_is_a_failure_that_names_the_way_out(tmp_path: Path, allowed: str) -> None:
    code, out, err = containers_without_root(tmp_path, CI="true", POLYHEAD_CI_ALLOW_NO_CONTAINERS=allowed)
    assert (code, out) == (1, "")
    assert err == (
        "error: no containers under CI, a daemon of its own needs root; POLYHEAD_CI_ALLOW_NO_CONTAINERS=1 allows that\n"
    )


def test_a_python_that_is_not_here_is_named_and_none_at_all_is_a_failure() -> None:
    done = subprocess.run(
        ["bash", str(ROOT / ".ci" / "wheel"), "3.99"], capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 1
    assert "!!! wheel: NOT TESTED on Python 3.99, which this machine does not have" in done.stdout
    assert done.stderr.endswith("error: there is no Python to test the wheel on\n")
