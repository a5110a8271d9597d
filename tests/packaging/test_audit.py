"""`docker/audit.py`: what it makes of pip-audit's answers."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "docker" / "audit.py"
CLEAN = {"name": "rich", "version": "14.0", "vulns": []}
UNKNOWN = {"name": "altair", "skip_reason": "Dependency not found on PyPI and could not be audited: altair (6.3.0)"}
HARMFUL = {
    "name": "pillow",
    "version": "9.0",
    "vulns": [{"id": "PYSEC-1", "aliases": ["CVE-1"], "fix_versions": ["9.1", "10.0"], "description": "bad"}],
}


def audit(folder: Path, *packages: dict[str, Any], accepted: str = "", failure: str = "") -> tuple[int, str, str]:
    """Exit code, stdout and stderr of the script, with a pip-audit that finds these packages or fails with a text."""
    shutil.copy(SCRIPT, folder)
    (folder / "audit.toml").write_text(accepted)
    (folder / "pip_audit").mkdir()
    (folder / "pip_audit" / "__init__.py").touch()
    answer = "" if failure else json.dumps({"dependencies": packages, "fixes": []})
    (folder / "pip_audit" / "__main__.py").write_text(
        f"import sys\nsys.stdout.write({answer!r})\nsys.stderr.write({failure!r})\nsys.exit(1)\n"
    )
    done = subprocess.run(
        [sys.executable, str(folder / "audit.py"), "requirements.txt"],
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def accept(name: str, reason: str = "nothing here serves") -> str:
    return f'[[accepted]]\nid = "{name}"\nreason = "{reason}"\n'


def test_packages_without_a_known_vulnerability_pass(tmp_path):
    assert audit(tmp_path, CLEAN) == (0, "audit: 1 packages looked up\n", "")


def test_a_known_vulnerability_fails_and_says_where_it_is_fixed(tmp_path):
    code, out, err = audit(tmp_path, CLEAN, HARMFUL)
    assert (code, err) == (1, "")
    assert out == "error: pillow 9.0: PYSEC-1 CVE-1, fixed in 9.1, 10.0\naudit: 2 packages looked up\n"


@pytest.mark.parametrize("name", ["PYSEC-1", "CVE-1"])
def test_an_accepted_one_passes_with_its_reason(tmp_path, name):
    code, out, _ = audit(tmp_path, HARMFUL, accepted=accept(name))
    assert code == 0
    assert out.startswith("accepted: pillow 9.0: PYSEC-1 CVE-1, fixed in 9.1, 10.0: nothing here serves\n")


def test_one_that_is_accepted_and_gone_is_named(tmp_path):
    code, out, _ = audit(tmp_path, CLEAN, accepted=accept("CVE-9"))
    assert code == 0
    assert out.startswith("note: CVE-9 is accepted in audit.toml and no longer found: remove it\n")


@pytest.mark.parametrize("entry", ['[[accepted]]\nid = "CVE-1"\n', accept("CVE-1", " ")])
def test_nothing_is_accepted_without_a_reason(tmp_path, entry):
    code, out, err = audit(tmp_path, HARMFUL, accepted=entry)
    assert (code, out) == (1, "")
    assert err.startswith("error: audit.toml: ")


def test_a_service_that_knows_some_packages_says_which_it_does_not(tmp_path):
    code, out, _ = audit(tmp_path, CLEAN, UNKNOWN)
    assert code == 0
    assert out == "audit: 1 packages are not known to the service: altair\naudit: 1 packages looked up\n"


def test_a_service_that_knows_none_is_a_skip_and_no_success(tmp_path):
    """pip-audit itself says that it found no vulnerability, and audited nothing."""
    code, out, _ = audit(tmp_path, UNKNOWN, UNKNOWN)
    assert code == 0
    assert out == "audit: skipped, the vulnerability service knows none of the 2 packages; is it a mirror?\n"


def test_a_service_that_does_not_answer_is_a_skip(tmp_path):
    code, out, err = audit(tmp_path, failure="requests.exceptions.ConnectionError: refused")
    assert (code, out) == (0, "audit: skipped, the vulnerability service does not answer\n")
    assert "refused" in err


def test_any_other_failure_is_one(tmp_path):
    code, out, err = audit(tmp_path, failure="ERROR:pip_audit._cli: requirement without a hash")
    assert (code, out) == (1, "")
    assert err.endswith("error: pip-audit failed\n")
