"""Folders and patterns of files, on a disk and in buckets."""

from __future__ import annotations

import glob
import os
from pathlib import Path

import pytest
from buckets import Store
from hypothesis import given, settings
from hypothesis import strategies as st

from polyhead.storage.objects import write_object
from polyhead.storage.patterns import Files, files_of

NAMES = [
    "a-1.csv",
    "a.csv",
    "a/1.csv",
    "a/10.csv",
    "a/2.csv",
    "a/deep/er/3.csv",
    "b=x/_c=1/4.csv",
    "b=x/5.csv",
    "b=y/6.csv",
    "b=y/6.txt",
]
HIDDEN = [".a.csv", "_SUCCESS", "_tmp/7.csv", "b=x/.8.csv", "b=x/_metadata", ".git/9.csv"]
CASES = {
    "": NAMES,
    "*.csv": ["a-1.csv", "a.csv"],
    "a?1.csv": ["a-1.csv"],
    "a/[0-9].csv": ["a/1.csv", "a/2.csv"],
    "**/*.csv": [name for name in NAMES if name.endswith(".csv")],
    "**/[3-6].*": ["a/deep/er/3.csv", "b=x/_c=1/4.csv", "b=x/5.csv", "b=y/6.csv", "b=y/6.txt"],
    "a/**": ["a/1.csv", "a/10.csv", "a/2.csv", "a/deep/er/3.csv"],
    "b=*": ["b=x/5.csv", "b=x/_c=1/4.csv", "b=y/6.csv", "b=y/6.txt"],
    "b=?/*.csv": ["b=x/5.csv", "b=y/6.csv"],
    "_*/*": ["_tmp/7.csv"],
    ".*.csv": [".a.csv"],
    "*.json": [],
    "[b]*/.8*": ["b=x/.8.csv"],
}


def found(root: str, pattern: str) -> list[str]:
    files = files_of(f"{root}/{pattern}")
    assert files is not None
    return [files.place(name).removeprefix(f"{root}/") for name in files.names]


@pytest.fixture
def folder(tmp_path: Path) -> str:
    for name in [*NAMES, *HIDDEN]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return str(tmp_path)


def test_the_files_of_a_pattern(folder: str) -> None:
    """Sorted by bytes, without hidden ones unless they are named."""
    for pattern, names in CASES.items():
        assert found(folder, pattern) == sorted(names), pattern


def test_the_files_of_a_pattern_in_a_bucket(store: Store) -> None:
    """The same as on a disk."""
    for name in [*NAMES, *HIDDEN]:
        write_object(store.place(f"t/{name}"), b"x")
    for pattern, names in CASES.items():
        assert found(store.place("t"), pattern) == sorted(names), pattern
    assert files_of(store.place("t")) is None
    assert files_of(store.place("t/a.csv")) is None


def test_a_name_with_brackets_is_that_name(folder: str, gs_store: Store) -> None:
    """If it is there, on a disk or in a bucket."""
    Path(folder, "a[1].csv").touch()
    assert files_of(f"{folder}/a[1].csv") is None
    assert files_of(f"{folder}/a[0].csv") is not None
    write_object(gs_store.place("a[1].csv"), b"x")
    assert files_of(gs_store.place("a[1].csv")) is None


def test_linked_folders_are_followed_once(folder: str) -> None:
    """One that leads to where it is has no end."""
    Path(folder, "z").mkdir()
    Path(folder, "z", "loop").symlink_to(Path(folder, "z"))
    Path(folder, "z", "a").symlink_to(Path(folder, "a"))
    assert found(folder, "z/**/1.csv") == ["z/a/1.csv"]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.text("ab*?", min_size=1, max_size=3).filter(lambda part: "**" not in part), min_size=1, max_size=3))
def test_patterns_mean_what_python_means_by_them(tmp_path_factory: pytest.TempPathFactory, parts: list[str]) -> None:
    """And a folder that fits is all that is below it."""
    root = tmp_path_factory.getbasetemp() / "glob"
    for one in ("a", "b", "ab", "ba"):
        for two in ("a", "bb"):
            (root / one / two).mkdir(parents=True, exist_ok=True)
            (root / one / two / "aab").touch()
            (root / one / two / "b").touch()
    pattern = str(root / "/".join(parts))
    try:
        files = files_of(pattern)
    except FileNotFoundError:  # there is no such folder before the first wildcard
        files = Files(pattern, [])
    deep = [place for place in glob.glob(pattern) if os.path.isfile(place)]
    deep += [
        os.path.join(at, name) for place in glob.glob(pattern) for at, _, names in os.walk(place) for name in names
    ]
    if files is not None:
        assert sorted(map(files.place, files.names)) == sorted(deep)
