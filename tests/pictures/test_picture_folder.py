"""Picture files are found below the root in any spelling, and nothing outside it is."""

from __future__ import annotations

import itertools
import os
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from drawings import gradient

from polyhead.pictures.decode import decode_picture
from polyhead.pictures.failures import PictureError
from polyhead.pictures.folder import PictureFolder

LIMIT = 1_000_000


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root with pictures inside, outside, and links between."""
    root = tmp_path / "base"
    (root / "sub").mkdir(parents=True)
    (tmp_path / "baseless").mkdir()
    for place in (root / "a.png", root / "sub" / "b.png", tmp_path / "secret.png", tmp_path / "baseless" / "c.png"):
        gradient().save(place)
    (root / "out.png").symlink_to(tmp_path / "secret.png")
    (root / "in.png").symlink_to(root / "sub" / "b.png")
    (root / "outer").symlink_to(tmp_path)
    (root / "dead.png").symlink_to(root / "gone.png")
    (root / "loop.png").symlink_to(root / "loop.png")
    (root / "empty.png").touch()
    os.mkfifo(root / "pipe.png")
    return root


@pytest.mark.parametrize("path", ["a.png", "./a.png", "sub/b.png", "sub/../a.png", "in.png", "outer/base/a.png"])
def test_paths_inside_the_root_are_read(root: Path, path: str) -> None:
    """Also by links and dots that end inside, and by an absolute path."""
    assert decode_picture(PictureFolder(str(root)).read(path), max_pixels=LIMIT).shape == (16, 24, 3)
    assert decode_picture(PictureFolder(str(root)).read(str(root / path)), max_pixels=LIMIT).shape == (16, 24, 3)


@pytest.mark.parametrize(
    ("path", "reason", "detail"),
    [
        ("../secret.png", "image_outside_root", "write paths relative to image_root"),
        ("sub/../../secret.png", "image_outside_root", "leads to"),
        ("../baseless/c.png", "image_outside_root", "leads to"),
        ("out.png", "image_outside_root", "leads to"),
        ("outer/secret.png", "image_outside_root", "leads to"),
        ("/etc/passwd", "image_outside_root", "leads to /etc/passwd, outside"),
        ("/home/alice/pictures/a.png", "image_outside_root", "write paths relative to image_root"),
        ("../gone.png", "image_outside_root", "leads to"),
        ("gs://bucket/a.png", "image_outside_root", "leads out of"),
        ("gone.png", "image_missing", "no such file below image_root"),
        ("dead.png", "image_missing", "no such file below image_root"),
        ("sub/b", "image_missing", "no such file, but there is sub/b.png"),
        ("a.JPG", "image_missing", "no such file, but there is a.png"),
        ("none/b.png", "image_missing", "there is no folder none below image_root"),
        ("a.png ", "image_missing", "the path begins or ends with a space"),
        ("sub\\b.png", "image_missing", "has backslashes; write / between folders: sub/b.png"),
        ("C:\\Users\\me\\a.png", "image_missing", "is a path of a Windows machine; write paths relative to image_root"),
        ("\\\\server\\share\\a.png", "image_missing", "is a path of a Windows machine"),
        ("https://example.org/a.png", "image_web_address", "download the picture and write the file's path"),
        ("file:///data/a.png", "image_web_address", "write the path alone"),
        ("data:image/png;base64,iVBORw0KGgo=" + "A" * 9999, "image_web_address", "save it as a file"),
        ("sub", "image_not_a_file", "is a folder; name a file"),
        (".", "image_not_a_file", "is a folder; name a file"),
        ("pipe.png", "image_not_a_file", "is a pipe or a device"),
        ("empty.png", "image_unreadable", "the file is empty, 0 bytes"),
        ("a.png/b.png", "image_missing", "there is no folder a.png"),
        ("loop.png", "image_unreadable", "is a link that leads to itself"),
        ("nul\0.png", "image_unreadable", "is not a valid file name"),
        ("x" * 5000 + ".png", "image_unreadable", "is not a valid file name"),
    ],
)
def test_paths_that_are_refused_say_what_they_are(root: Path, path: str, reason: str, detail: str) -> None:
    """Whatever leads out, is missing, or is no regular file (a pipe would wait for ever), and what to do."""
    with pytest.raises(PictureError) as caught:
        decode_picture(PictureFolder(str(root)).read(path), max_pixels=LIMIT)
    assert caught.value.reason == reason
    assert detail in caught.value.detail


def test_a_root_that_is_a_link_is_a_root(root: Path, tmp_path: Path) -> None:
    """As folders on network drives often are."""
    (tmp_path / "alias").symlink_to(root)
    assert decode_picture(PictureFolder(str(tmp_path / "alias")).read("a.png"), max_pixels=LIMIT).shape == (16, 24, 3)
    with pytest.raises(PictureError, match="image_outside_root"):
        decode_picture(PictureFolder(str(tmp_path / "alias")).read("out.png"), max_pixels=LIMIT)


def normalized(form: Any, text: str) -> str:
    return unicodedata.normalize(form, text)


@pytest.mark.parametrize("written", [*itertools.product(("NFC", "NFD"), repeat=2)])
@pytest.mark.parametrize("asked", [*itertools.product(("NFC", "NFD"), repeat=2)])
@pytest.mark.parametrize("root", ["", "absolute"])
def test_a_folder_and_its_file_may_have_different_normal_forms(
    tmp_path: Path, written: tuple[str, str], asked: tuple[str, str], root: str
) -> None:
    """A file is found whichever forms the table has, also where another spelling of the folder is there."""
    there, path = (
        "/".join(normalized(form, name) for form, name in zip(forms, ("caf\u00e9", "\u00dcber.png"), strict=True))
        for forms in (written, asked)
    )
    for form in ("NFC", "NFD"):
        (tmp_path / unicodedata.normalize(form, "caf\u00e9")).mkdir()
    (tmp_path / there).write_bytes(b"one")
    assert PictureFolder(str(tmp_path)).read(str(tmp_path / path) if root else path) == b"one"


@pytest.mark.parametrize("forms", [("NFC", "NFD"), ("NFD", "NFC")])
def test_a_path_is_found_in_either_normal_form(tmp_path: Path, forms: tuple[str, str]) -> None:
    """Archives that macOS made name files otherwise than tables do; a file of the very name goes first."""
    written, asked = (normalized(form, "caf\u00e9/\u00dcber.png") for form in forms)
    (tmp_path / written).parent.mkdir()
    (tmp_path / written).write_bytes(b"one")
    folder = PictureFolder(str(tmp_path))
    assert folder.read(asked) == b"one"
    (tmp_path / asked).parent.mkdir()
    (tmp_path / asked).write_bytes(b"other")
    assert (folder.read(asked), folder.read(written)) == (b"other", b"one")
    with pytest.raises(PictureError, match="image_missing"):
        folder.read("caf\u00e9/none.png")
