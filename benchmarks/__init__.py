"""Figures of the data plane, each a ratio against a named peer or limit, from interleaved runs."""

from __future__ import annotations

import os

QUICK = "BENCHMARKS_QUICK"
"""Set in the environment of a smoke run, `python -m benchmarks --quick`, and of its processes."""


def scaled(count: int) -> int:
    """How many items a case shall do where a full run does `count`: a hundredth of them in a smoke run."""
    return max(1, count // 100) if os.environ.get(QUICK) else count
