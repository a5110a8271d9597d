"""`make bench`: time every case against its peer, interleaved, and write benchmarks/results.json and README.md.

A ratio of 2 means that Polyhead is twice as fast. The machine's speed drifts; the ratio of two runs side by side
does not.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

from benchmarks import fitting, sharding

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Case:
    """One thing done two ways.

    Attributes:
        name: What is done.
        unit: What is counted, for example images.
        count: How many of them one run does.
        peer: The name of the other way.
        ours: One run of Polyhead.
        theirs: One run of the peer, doing the same work.
    """

    name: str
    unit: str
    count: int
    peer: str
    ours: Callable[[], object]
    theirs: Callable[[], object]


@dataclass(frozen=True)
class Figure:
    """Medians over all rounds of one case."""

    name: str
    unit: str
    count: int
    peer: str
    ours_per_second: float
    peer_per_second: float
    ratio: float


def measure(case: Case, rounds: int) -> Figure:
    """Time a case and its peer in turns, after one round that warms both up."""
    seconds: dict[str, list[float]] = {"ours": [], "theirs": []}
    for _ in range(rounds + 1):
        for side, run in (("ours", case.ours), ("theirs", case.theirs)):
            started = time.perf_counter()
            run()
            seconds[side].append(time.perf_counter() - started)
    ours, theirs = (seconds[side][1:] for side in ("ours", "theirs"))
    return Figure(
        name=case.name,
        unit=case.unit,
        count=case.count,
        peer=case.peer,
        ours_per_second=case.count / statistics.median(ours),
        peer_per_second=case.count / statistics.median(theirs),
        ratio=statistics.median(t / o for o, t in zip(ours, theirs, strict=True)),
    )


def machine() -> dict[str, str]:
    """What the figures were measured on."""
    packages = ("polars", "pillow", "cykooz.resizer", "scikit-learn", "pandas", "tensorflow")
    return {
        "processors": str(os.cpu_count()),
        "architecture": platform.machine(),
        "python": platform.python_version(),
        **{package: version(package) for package in packages},
    }


def table(figures: list[Figure], described: dict[str, str], rounds: int) -> str:
    """The results as Markdown."""
    rows = "\n".join(
        f"| {f.name} | {f.count:,} {f.unit} | {f.ours_per_second:,.0f} | {f.peer} | {f.peer_per_second:,.0f} "
        f"| **{f.ratio:.1f}×** |"
        for f in figures
    )
    versions = ", ".join(f"{name} {value}" for name, value in described.items())
    return (
        "# Benchmarks\n\n"
        "Written by `make bench`. Each ratio is the median over interleaved runs of both sides on one machine.\n\n"
        "| what | size | Polyhead per second | against | peer per second | ratio |\n|---|---|---|---|---|---|\n"
        f"{rows}\n\n{rounds} rounds; {versions}.\n"
    )


def main() -> None:
    """Run all cases."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="timed rounds of each case (default: 5)")
    parser.add_argument("--only", default="", help="run the cases whose name contains this")
    arguments = parser.parse_args()
    figures = []
    with tempfile.TemporaryDirectory() as folder:
        for make in (*sharding.CASES, *fitting.CASES):
            case = Case(**make(Path(folder)))
            if arguments.only in case.name:
                figures.append(measure(case, arguments.rounds))
                print(f"{case.name}: {figures[-1].ratio:.2f}x {case.peer}")
    described = machine()
    results = {"machine": described, "rounds": arguments.rounds, "figures": [asdict(figure) for figure in figures]}
    (HERE / "results.json").write_text(json.dumps(results, indent=2) + "\n")
    (HERE / "README.md").write_text(table(figures, described, arguments.rounds))


if __name__ == "__main__":
    main()
