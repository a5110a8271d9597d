"""A shard step that dies goes on from what it had finished, and ends with the same bytes."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from commandline import digests
from refusals import refusal

from polyhead.errors import ArtifactError
from polyhead.examples.rows import RowEncoder
from polyhead.shard import step as shard_step

ROWS = 90
KILLED = """
import os, signal, sys
from polyhead.contracts.config import load_config
from polyhead.examples import rows
from polyhead.shard import step

left = int(sys.argv[1])
encode = rows.RowEncoder.__call__

def count_down(*arguments, **options):
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return encode(*arguments, **options)

rows.RowEncoder.__call__ = count_down
step.run(config=load_config("config.yaml"), data="validate", preprocessing="preprocess", out="shard", workers=2)
"""


def left_behind(folder: Path) -> list[str]:
    """Hidden folders beside the artifact."""
    return [path.name for path in folder.iterdir() if path.name.startswith(".shard.")]


def test_twenty_kills_at_random_change_no_byte(vanished: Any, tmp_path: Path) -> None:
    """Killed with SIGKILL at twenty random rows, each attempt goes on; the end equals an undisturbed run."""
    _, undisturbed = vanished.shard("undisturbed", workers=1)
    places = random.Random(0)
    for _ in range(20):
        command = [sys.executable, "-c", KILLED, str(places.randrange(ROWS))]
        code = subprocess.run(command, cwd=tmp_path, check=False, capture_output=True).returncode
        assert code in (0, -signal.SIGKILL)
    _, place = vanished.shard("shard")
    assert digests(place) == digests(undisturbed)
    assert left_behind(tmp_path) == []


def test_finished_shards_are_not_made_again(vanished: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only rows of unfinished shards are encoded by the second attempt, rejected rows are remembered."""
    manifest, undisturbed = vanished.shard("undisturbed")
    sizes = [shard.rows for shard in manifest.shards]
    assert len(sizes) > 3
    encode, calls = RowEncoder.__call__, []

    def fail_late(encoder: RowEncoder, row: dict[str, Any], clock: Any) -> Any:
        calls.append(row)
        if len(calls) == ROWS - sizes[-1]:
            raise OSError(28, "No space left on device")
        return encode(encoder, row, clock)

    monkeypatch.setattr(RowEncoder, "__call__", fail_late)
    with refusal(ArtifactError, "disk-full"):
        vanished.shard("shard", workers=1)
    assert not (tmp_path / "shard").exists()
    calls.clear()

    def noted(self: RowEncoder, row: Any, clock: Any) -> Any:
        calls.append(row)
        return encode(self, row, clock)

    monkeypatch.setattr(RowEncoder, "__call__", noted)
    _, place = vanished.shard("shard", workers=1)
    assert len(calls) <= sizes[-1] + sizes[-2] + 1
    assert digests(place) == digests(undisturbed)


def test_a_finished_shard_that_was_changed_is_made_again(
    vanished: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What an attempt left is believed by its SHA-256 only."""
    _, undisturbed = vanished.shard("undisturbed")
    monkeypatch.setattr(shard_step.ShardManifest, "write", lambda *_: os.kill(os.getpid(), signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        vanished.shard("shard")
    monkeypatch.undo()
    [aside] = left_behind(tmp_path)
    shard = next((tmp_path / aside).glob("train-00000-*"))
    shard.write_bytes(b"x" + shard.read_bytes()[1:])
    _, place = vanished.shard("shard")
    assert digests(place) == digests(undisturbed)


def test_two_processes_do_not_write_one_artifact(vanished: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """While one process writes, another is refused instead of mixing its files in."""
    encode = RowEncoder.__call__
    refused: list[str] = []

    def second(encoder: RowEncoder, row: dict[str, Any], clock: Any) -> Any:
        if not refused:
            monkeypatch.setattr(RowEncoder, "__call__", encode)
            with refusal(ArtifactError, "being-written", shows=[f"process {os.getpid()}"]) as error:
                vanished.shard("shard", workers=1)
            refused.append(error.problem.code)
        return encode(encoder, row, clock)

    monkeypatch.setattr(RowEncoder, "__call__", second)
    vanished.shard("shard", workers=1)
    assert refused == ["being-written"]
