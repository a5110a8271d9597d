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
    """The folder of a local table is absolute, that of an object is its prefix; a folder and a pattern have one."""
    monkeypatch.chdir(tmp_path)
    assert places.folder_of("sub/t.csv") == str(tmp_path / "sub")
    assert places.folder_of("gs://bucket/a/t.csv") == "gs://bucket/a"
    assert places.folder_of("gs://bucket/t.csv") == "gs://bucket"
    assert places.folder_of("gs://bucket/a/") == "gs://bucket/a"
    assert places.folder_of("gs://bucket/a/*/b-[0-9].csv") == places.folder_of("gs://bucket/a/**") == "gs://bucket/a"
    assert places.folder_of("gs://bucket/*.csv") == "gs://bucket"
    assert places.folder_of("sub/*.csv") == str(tmp_path / "sub")
    assert places.folder_of("*.csv") == str(tmp_path)
    (tmp_path / "sub.parquet").mkdir()
    assert places.folder_of("sub.parquet") == str(tmp_path / "sub.parquet")
    (tmp_path / "t[1].csv").touch()
    assert places.folder_of("t[1].csv") == str(tmp_path)


@pytest.mark.parametrize(
    ("place", "cut"),
    [
        ("a/b.csv", ("a/b.csv", "")),
        ("a/b*.csv", ("a", "b*.csv")),
        ("/b?.csv", ("/", "b?.csv")),
        ("b?.csv", (".", "b?.csv")),
        ("/a/y=*/b.csv", ("/a", "y=*/b.csv")),
        ("gs://bu[ck]et/a", ("gs://bu[ck]et/a", "")),
        ("gs://bucket/a*", ("gs://bucket", "a*")),
        ("s3://bucket/x/**/a.csv", ("s3://bucket/x", "**/a.csv")),
    ],
)
def test_where_a_pattern_begins(place: str, cut: tuple[str, str]) -> None:
    """At the first name with a wildcard."""
    assert places.split_pattern(place) == cut


def test_what_a_table_is_called_in_a_title() -> None:
    """Its file or folder without the suffix, whatever pattern is below."""
    names = ["data/houses.csv", "gs://b/houses/", "houses/part-*.parquet", "houses/y=*/a.csv"]
    assert {places.name_of(name) for name in names} == {"houses"}
    assert places.name_of("*.csv") == "*.csv"


def test_what_must_be_there_for_a_table_to_be_read(tmp_path: Path) -> None:
    """A file or a folder itself, whatever its name; of a pattern the folder that it starts in."""
    (tmp_path / "t[1].csv").touch()
    assert places.anchor_of(f"{tmp_path}/t[1].csv") == f"{tmp_path}/t[1].csv"
    assert places.anchor_of(f"{tmp_path}/t[2].csv") == places.anchor_of(f"{tmp_path}/*/t.csv") == str(tmp_path)
    assert places.anchor_of("gs://bucket/t/") == "gs://bucket/t/"
    assert places.anchor_of("gs://bucket/t/*") == "gs://bucket/t"
