"""Ctrl-C while a command works: one sentence, exit code 130, no traceback."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from polyhead import progress

GOES_ON = "interrupted; the same command resumes where it stopped\n"
CALLS = [
    ("validate c.yaml --out V", "interrupted\n"),
    ("preprocess c.yaml --data V --out P", "interrupted\n"),
    ("shard c.yaml --data V --preprocessing P --out S", GOES_ON),
    ("shard-partition c.yaml 00000-of-00001 --plan L --data V --preprocessing P --out S", GOES_ON),
    ("train c.yaml --shards S --preprocessing P --out T", GOES_ON),
    ("evaluate c.yaml --bundle T --shards S --preprocessing P --out E", "interrupted\n"),
    ("publish c.yaml --bundle T --evaluation E --out P", "interrupted\n"),
    ("predict T t.csv -o p.parquet", "interrupted\n"),
]
WAITS = """
import time
from polyhead import progress
from polyhead.cli import main

def step(name):
    print("started", flush=True)
    time.sleep(60)

progress.step = step
main()
"""


@pytest.mark.parametrize(("call", "sentence"), CALLS, ids=lambda value: value.split()[0])
def test_an_interrupted_step_says_so(polyhead, monkeypatch, call: str, sentence: str) -> None:
    """Those that can be taken up say that too."""

    def interrupted(name: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(progress, "step", interrupted)
    result = polyhead(*call.split())
    assert (result.code, result.out, result.err) == (130, "", sentence)


def test_the_signal_of_ctrl_c_ends_the_program_with_one_sentence(tmp_path: Path) -> None:
    """In a process of its own, by a real signal."""
    running = subprocess.Popen(
        [sys.executable, "-c", WAITS, "validate", "c.yaml", "--out", "V"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert running.stdout is not None
    assert running.stdout.readline() == "started\n"
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=60)
    assert (running.returncode, out, err) == (130, "", "interrupted\n")
