"""Changelog fragments: each is well formed, and together they become the entry of the next version."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.version import Version

import polyhead

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["scriv"]
FOLDER = SETTINGS["fragment_directory"]
FRAGMENTS = sorted(path for path in (ROOT / FOLDER).glob("*.md") if path.name != "README.md")
CHANGELOG = ROOT / "CHANGELOG.md"


def problems(text: str) -> list[str]:
    """What would be lost or misplaced in the changelog if a fragment said this."""
    before, *sections = re.split(r"^### ", text, flags=re.MULTILINE)
    found = ["text before the first category"] if before.strip() else []
    if not sections:
        found.append("no category")
    for section in sections:
        category, _, body = section.partition("\n")
        if category.strip() not in SETTINGS["categories"]:
            found.append(f"unknown category '{category.strip()}'")
        lines = [line for line in body.splitlines() if line.strip()]
        if not lines or not all(line.startswith(("- ", "  ")) for line in lines) or not lines[0].startswith("- "):
            found.append(f"'{category.strip()}' is not a list of bullets")
        found += [
            f"{link} does not exist"
            for link in re.findall(r"\]\((?!https?://|#)([^)#\s]+)", body)
            if not (ROOT / link).exists()
        ]
    return found


@pytest.mark.parametrize("path", FRAGMENTS, ids=lambda path: path.name)
def test_a_fragment_is_bullets_below_known_categories(path: Path) -> None:
    assert problems(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("- A bullet alone.\n", "no category"),
        ("New:\n### Added\n\n- A thing.\n", "text before the first category"),
        ("### Improved\n\n- A thing.\n", "unknown category 'Improved'"),
        ("### Added\n\nA paragraph.\n", "'Added' is not a list of bullets"),
        ("### Added\n\n- A [page](docs/nowhere.md).\n", "docs/nowhere.md does not exist"),
    ],
)
def test_a_fragment_that_would_not_render_is_found(text: str, problem: str) -> None:
    assert problem in problems(text)


def test_the_fragments_become_the_entry_of_this_version(tmp_path: Path) -> None:
    """In a copy: each line arrives below the version's heading, each category once, and the fragments are gone."""
    for name in ("pyproject.toml", "CHANGELOG.md"):
        shutil.copy(ROOT / name, tmp_path)
    for folder in (FOLDER, "components/polyhead"):
        (tmp_path / folder).mkdir(parents=True)
    shutil.copy(ROOT / "components/polyhead/__init__.py", tmp_path / "components/polyhead")
    fragments = {path.name: path.read_text(encoding="utf-8") for path in FRAGMENTS}
    fragments["a-test.md"] = "### Fixed\n\n- What a test broke.\n\n### Added\n\n- What a test wants.\n"
    for name, text in fragments.items():
        (tmp_path / FOLDER / name).write_text(text, encoding="utf-8")
    subprocess.run([sys.executable, "-m", "scriv", "collect"], cwd=tmp_path, check=True, capture_output=True)
    assert not list((tmp_path / FOLDER).glob("*.md"))
    before, _, rest = (tmp_path / "CHANGELOG.md").read_text(encoding="utf-8").partition("<!-- scriv-insert-here -->\n")
    assert before == CHANGELOG.read_text(encoding="utf-8").partition("<!-- scriv-insert-here -->\n")[0]
    entries = re.split(r"^## ", rest, flags=re.MULTILINE)
    assert re.match(rf"{re.escape(polyhead.__version__)} - \d{{4}}-\d\d-\d\d\n", entries[1])
    categories = re.findall(r"^### (.*)$", entries[1], re.MULTILINE)
    assert categories == [one for one in SETTINGS["categories"] if one in categories]
    assert {"Added", "Fixed"} <= set(categories)
    entry = entries[1].splitlines()
    for text in fragments.values():
        assert [line for line in text.splitlines() if line not in entry] == []


def test_the_version_can_be_tagged() -> None:
    """It is a final version in its normal form; without fragments the changelog's newest entry is its own."""
    version = Version(polyhead.__version__)
    assert str(version) == polyhead.__version__
    assert not version.is_prerelease
    assert version.local is None
    if not FRAGMENTS:
        newest = re.search(r"^## (\S+) - ", CHANGELOG.read_text(encoding="utf-8"), re.MULTILINE)
        assert newest is not None
        assert newest[1] == polyhead.__version__
