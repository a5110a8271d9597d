"""Look the locked packages up among known vulnerabilities: `make audit`.

    python docker/audit.py LOCK...

Exit code 1 where one is known that `docker/audit.toml` does not accept. Where the index's service does not answer, or
knows none of the packages, as with most mirrors, it says so and ends with 0: nothing was audited.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

ACCEPTED = Path(__file__).with_name("audit.toml")
UNREACHABLE = ("ConnectionError", "Could not connect", "Timeout", "SSLError", "ProxyError", "not redirecting")


def main(locks: list[str]) -> int:
    """Audit lock files; returns the exit code."""
    accepted = accepted_vulnerabilities(tomllib.loads(ACCEPTED.read_text(encoding="utf-8")))
    requirements = [word for lock in locks for word in ("--requirement", lock)]
    command = [sys.executable, "-m", "pip_audit", "--disable-pip", "--require-hashes", "--format", "json"]
    done = subprocess.run(
        [*command, "--progress-spinner", "off", *requirements], capture_output=True, text=True, check=False
    )
    try:
        packages = json.loads(done.stdout)["dependencies"]
    except ValueError:
        print(done.stderr[-2000:], file=sys.stderr)
        if any(word in done.stderr for word in UNREACHABLE):
            print("audit: skipped, the vulnerability service does not answer")
            return 0
        print("error: pip-audit failed", file=sys.stderr)
        return 1
    return judge(packages, accepted)


def accepted_vulnerabilities(content: dict[str, Any]) -> dict[str, str]:
    """The reason for each accepted vulnerability, by its id.

    Raises:
        SystemExit: An entry has no id or no reason.
    """
    entries = content.get("accepted", [])
    for entry in entries:
        if set(entry) != {"id", "reason"} or not all(str(value).strip() for value in entry.values()):
            raise SystemExit(f"error: {ACCEPTED.name}: {entry}: an entry needs an id and a reason, and nothing else")
    return {entry["id"]: entry["reason"] for entry in entries}


def judge(packages: list[dict[str, Any]], accepted: dict[str, str]) -> int:
    """Print what was found; returns the exit code.

    Args:
        packages: pip-audit's `dependencies`: each with `vulns`, or with `skip_reason` where it is not known.
        accepted: The reason for each accepted vulnerability, by its id.
    """
    audited = [package for package in packages if "skip_reason" not in package]
    unknown = [package["name"] for package in packages if "skip_reason" in package]
    if not audited:
        print(f"audit: skipped, the vulnerability service knows none of the {len(packages)} packages; is it a mirror?")
        return 0
    code, seen = 0, set()
    for package in audited:
        for found in package["vulns"]:
            names = [found["id"], *found.get("aliases", [])]
            name = next((name for name in names if name in accepted), None)
            seen.add(name)
            fixed = ", ".join(found["fix_versions"]) or "no version yet"
            what = f"{package['name']} {package['version']}: {' '.join(names)}, fixed in {fixed}"
            print(f"accepted: {what}: {accepted[name]}" if name else f"error: {what}")
            code = code if name else 1
    for name in sorted(set(accepted) - seen):
        print(f"note: {name} is accepted in {ACCEPTED.name} and no longer found: remove it")
    if unknown:
        print(f"audit: {len(unknown)} packages are not known to the service: {', '.join(unknown)}")
    print(f"audit: {len(audited)} packages looked up")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
