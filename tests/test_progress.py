"""What a step tells of itself."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest

MB = 1_000_000
STEP = """
import sys
from polyhead.progress import step
with step("shard"):
    held = bytearray(int(sys.argv[1]))
    held[::1024] = bytes(len(held[::1024]))
    del held
"""


def told(size: int, mode: str) -> str:
    """What a step that holds so many bytes for a moment writes to stderr."""
    done = subprocess.run(
        [sys.executable, "-c", STEP, str(size)],
        env={**os.environ, "POLYHEAD_PROGRESS": mode},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == ""
    return done.stderr


@pytest.mark.parametrize("mode", ["", "json"], ids=["a line", "an event"])
def test_a_step_tells_its_peak_memory(mode):
    """Its own, also of what it has let go; not that of the process that started it."""
    held = np.ones(600 * MB, dtype=np.uint8)
    small, large = (peak(told(size * MB, mode), mode) for size in (0, 300))
    assert held[-1] == 1
    assert small < 100 * MB
    assert 280 * MB < large - small < 320 * MB


def peak(text: str, mode: str) -> float:
    """The bytes in the last line."""
    last = text.splitlines()[-1]
    if mode == "json":
        event = json.loads(last.removeprefix("@polyhead "))
        assert list(event) == ["finished", "seconds", "peak_memory"]
        assert event["finished"] == "shard"
        return event["peak_memory"]
    found = re.fullmatch(r"shard took \d+\.\d s, ([\d,]+) MB at most", last)
    assert found, last
    return float(found[1].replace(",", "")) * MB
