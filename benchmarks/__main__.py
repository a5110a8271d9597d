"""`make bench`: run every case against its peer and write results.json, README.md and the chart beside this file."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import QUICK, readme, results
from benchmarks.harness import PEERS_PYTHON, Case, MissingPeersError, SideError, figures, measure

HERE = Path(__file__).parent
AREAS = ("sharding", "feeding", "fitting", "validating", "objects", "wide", "predicting", "serving", "leakage")
"""The modules with cases, in the page's order; `CASES` there has functions that make a case in a folder, by name."""

PACKAGES = (
    "polyhead polars pyarrow obstore google-cloud-storage simplejpeg cykooz.resizer numpy pandas scikit-learn "
    "tensorflow-cpu tensorflow img2dataset opencv-python-headless tensorflow-datasets datasets pandera pillow"
)
_VERSIONS = """
import importlib.metadata, json, platform, sys
found = {"python": platform.python_version()}
for name in sys.argv[1:]:
    try:
        found[name] = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        pass
print(json.dumps(found))
"""


def makers() -> dict[str, Callable[[Path], dict[str, Any]]]:
    """What makes each case, by the case's id, in the order of the page."""
    modules = {area: importlib.import_module(f"benchmarks.{area}") for area in AREAS}
    return {f"{area}.{name}": make for area, module in modules.items() for name, make in module.CASES.items()}


def machine() -> dict[str, str]:
    """What the cases run on: the machine, and the packages of both environments."""
    described = {
        "processor": _processor(),
        "processors": str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()),
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.release()}, {platform.machine()}",
        "Polyhead's environment": _versions(sys.executable),
    }
    if PEERS_PYTHON.exists():
        described["peers' environment"] = _versions(str(PEERS_PYTHON))
    return described


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")


def _versions(python: str) -> str:
    printed = subprocess.run([python, "-c", _VERSIONS, *PACKAGES.split()], check=True, capture_output=True, text=True)
    return ", ".join(f"{name} {version}" for name, version in json.loads(printed.stdout).items())


def main() -> int:
    """Run the cases that are asked for; 1 where one of them failed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each case that count (default: 5)")
    parser.add_argument(
        "--only", nargs="+", default=[""], metavar="WORD", help="run the cases with one of these in their names"
    )
    parser.add_argument("--list", action="store_true", help="print the names of all cases")
    parser.add_argument("--quick", action="store_true", help="one round on a hundredth of the data; keeps nothing")
    arguments = parser.parse_args()
    if arguments.rounds < 1:
        parser.error(f"--rounds must be at least 1, received {arguments.rounds}")
    known = makers()
    chosen = {name: make for name, make in known.items() if any(word in name for word in arguments.only)}
    if arguments.list:
        print("\n".join(known))
        return 0
    if not chosen:
        parser.error(f"no case has {' or '.join(map(repr, arguments.only))} in its name; --list prints them")
    if arguments.quick:
        os.environ[QUICK] = "1"
    return _run(chosen, list(known), 1 if arguments.quick else arguments.rounds, keep=not arguments.quick)


def _run(chosen: dict[str, Callable[[Path], dict[str, Any]]], known: list[str], rounds: int, *, keep: bool) -> int:
    described, failed = machine(), 0
    with tempfile.TemporaryDirectory(prefix="polyhead-bench-") as folder:
        for name, make in chosen.items():
            try:
                case = Case.of(make(Path(folder)))
                samples = measure(case, rounds, warm_up=keep)
            except MissingPeersError as missing:
                print(f"{name}: skipped: {missing}", flush=True)
                continue
            except SideError as error:
                print(f"{name}: failed: {error}", file=sys.stderr, flush=True)
                failed = 1
                continue
            for figure in figures(case, *samples):
                print(f"{name}: {figure.measure} {figure.ratio:.2f} [{figure.low:.2f}, {figure.high:.2f}]", flush=True)
            if keep:
                result = results.Result.of(name, case, *samples, described)
                kept = results.merged(results.read(HERE / "results.json"), [result], known)
                results.write(HERE / "results.json", kept)
                readme.write(HERE, kept)
    return failed


if __name__ == "__main__":
    sys.exit(main())
