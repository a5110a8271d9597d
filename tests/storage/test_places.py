"""Names of places: joined, and the folders that they are in."""

from __future__ import annotations

from pathlib import Path

import pytest

from polyhead.storage import places


@pytest.mark.parametrize(
    ("root", "path", "joined"),
    [
        ("/data", "a.png", "/data/a.png"),
        ("/data", "./x/../a.png", "/data/a.png"),
        ("/data", "/else/a.png", "/else/a.png"),
        ("/data", "gs://b/a.png", "gs://b/a.png"),
        ("gs://b/x", "a.png", "gs://b/x/a.png"),
        ("gs://b/x/", "a.png", "gs://b/x/a.png"),
        ("gs://b/x", ".", "gs://b/x"),
    ],
)
def test_join(root: str, path: str, joined: str) -> None:
    """Relative paths go under the root, places of their own stay."""
    assert places.join(root, path) == joined


def test_folder_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder of a local table is absolute, that of an object is its prefix."""
    monkeypatch.chdir(tmp_path)
    assert places.folder_of("sub/t.csv") == str(tmp_path / "sub")
    assert places.folder_of("gs://bucket/a/t.csv") == "gs://bucket/a"
    assert places.folder_of("gs://bucket/t.csv") == "gs://bucket"
