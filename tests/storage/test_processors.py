"""Processors are counted by what a container may use of them, not by what the machine has."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from polyhead.storage import parallel
from polyhead.storage.parallel import available_cpus, cpu_quota


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


@pytest.mark.parametrize(
    ("own", "files", "expected"),
    [
        ("0::/\n", {"cpu.max": "200000 100000\n"}, 2.0),
        ("0::/\n", {"cpu.max": "max 100000\n"}, math.inf),
        ("0::/\n", {}, math.inf),
        ("0::/\n", {"cpu.max": "no number\n"}, math.inf),
        ("0::/pods/a\n", {"pods/a/cpu.max": "max 100000\n", "pods/cpu.max": "150000 100000\n"}, 1.5),
        ("0::/pods/a\n", {"cpu.max": "50000 100000\n"}, 0.5),
        ("4:cpu,cpuacct:/\n", {"cpu/cpu.cfs_quota_us": "300000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 3.0),
        ("4:cpu,cpuacct:/\n", {"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, math.inf),
        (
            "4:cpu,cpuacct:/docker/b\n2:memory:/x\n",
            {"cpu,cpuacct/docker/b/cpu.cfs_quota_us": "100000", "cpu,cpuacct/docker/b/cpu.cfs_period_us": "50000"},
            2.0,
        ),
    ],
)
def test_the_quota_is_read_from_both_versions(tmp_path: Path, own: str, files: dict[str, str], expected: float) -> None:
    """The smallest limit of the process's group and those above it."""
    write(tmp_path, {"own": own})
    assert cpu_quota(write(tmp_path / "cgroup", files), tmp_path / "own") == expected


@pytest.mark.parametrize(("quota", "expected"), [(2.0, 2), (1.5, 2), (0.1, 1), (64.0, 8), (math.inf, 8)])
def test_the_smaller_of_quota_and_affinity_counts(monkeypatch: pytest.MonkeyPatch, quota: float, expected: int) -> None:
    """Rounded up, at least one."""
    monkeypatch.setattr(parallel, "cpu_quota", lambda: quota)
    monkeypatch.setattr(parallel.os, "process_cpu_count", lambda: 8, raising=False)
    assert available_cpus() == expected
