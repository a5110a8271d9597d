"""Artifact folders appear whole or not at all, and nothing of a user's is ever overwritten."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from folders import contents
from refusals import refusal

from polyhead.contracts.shards import ShardManifest
from polyhead.contracts.validation import ValidationReport
from polyhead.errors import ArtifactError
from polyhead.storage import folders
from polyhead.storage.artifact import new_artifact, sha256_of
from polyhead.storage.objects import write_whole


def build(out: Path, text: str) -> None:
    with new_artifact(out, ValidationReport) as directory:
        (directory / "ValidationReport.json").write_text(text, encoding="utf-8")
        (directory / f"{text}.txt").write_text(text, encoding="utf-8")


def test_a_new_artifact_stands_at_out_and_nothing_beside_it(tmp_path: Path) -> None:
    """Parents are made, temporary folders are gone."""
    out = tmp_path / "a" / "b" / "V"
    build(out, "one")
    assert contents(tmp_path) == {"a/b/V/ValidationReport.json": b"one", "a/b/V/one.txt": b"one"}
    assert os.listdir(out.parent) == ["V"]


def test_what_helps_to_make_an_artifact_does_not_belong_to_it(tmp_path: Path) -> None:
    """Names in its folder that begin with a dot; those in folders below do."""
    with new_artifact(tmp_path / "V", ValidationReport) as directory:
        for name in ("ValidationReport.json", ".state", ".notes/a", "words/.a"):
            (directory / name).parent.mkdir(exist_ok=True)
            (directory / name).write_text("x")
    assert set(contents(tmp_path)) == {"V/ValidationReport.json", "V/words/.a"}


def test_nothing_stands_at_out_before_the_end(tmp_path: Path) -> None:
    """A reader never sees half an artifact."""
    with new_artifact(tmp_path / "V", ValidationReport) as directory:
        (directory / "ValidationReport.json").write_text("x", encoding="utf-8")
        assert not (tmp_path / "V").exists()
        assert directory.parent == tmp_path
    assert (tmp_path / "V").is_dir()


def test_an_artifact_of_the_same_kind_is_replaced_whole(tmp_path: Path) -> None:
    """No file of the old one survives."""
    build(tmp_path / "V", "one")
    build(tmp_path / "V", "two")
    assert contents(tmp_path) == {"V/ValidationReport.json": b"two", "V/two.txt": b"two"}


def test_an_empty_folder_is_used(tmp_path: Path) -> None:
    """As KFP and `mkdir` leave it."""
    (tmp_path / "V").mkdir()
    build(tmp_path / "V", "one")
    assert contents(tmp_path / "V") == {"ValidationReport.json": b"one", "one.txt": b"one"}


@pytest.mark.parametrize("name", ["notes.txt", "ShardManifest.json", ".hidden"])
def test_a_folder_with_something_else_is_refused_untouched(tmp_path: Path, name: str) -> None:
    """Before any work is done."""
    out = tmp_path / "V"
    out.mkdir()
    (out / name).write_text("mine", encoding="utf-8")
    entered = False
    shown = ["polyhead validate", "--out"]
    with refusal(ArtifactError, "output-not-empty", where=out, shows=shown), new_artifact(out, ValidationReport):
        entered = True
    assert not entered
    assert contents(tmp_path) == {f"V/{name}": b"mine"}
    assert os.listdir(tmp_path) == ["V"]


def test_an_artifact_of_another_step_is_refused_untouched(tmp_path: Path) -> None:
    """`shard --out V` does not replace the validation."""
    build(tmp_path / "V", "one")
    before = contents(tmp_path)
    with (
        refusal(ArtifactError, "output-not-empty", shows=["polyhead shard"]),
        new_artifact(tmp_path / "V", ShardManifest),
    ):
        pass
    assert contents(tmp_path) == before


def test_a_file_a_dead_link_and_a_place_below_a_file_are_refused(tmp_path: Path) -> None:
    """Each with a message, each untouched."""
    (tmp_path / "file").write_text("mine", encoding="utf-8")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for place in ("file", "link"):
        with (
            refusal(ArtifactError, "not-a-folder", where=tmp_path / place),
            new_artifact(tmp_path / place, ValidationReport),
        ):
            pass
    with refusal(ArtifactError, "not-writable"), new_artifact(tmp_path / "file/V", ValidationReport):
        pass
    assert contents(tmp_path) == {"file": b"mine"}
    assert sorted(os.listdir(tmp_path)) == ["file", "link"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_an_error_in_the_middle_leaves_the_old_artifact(tmp_path: Path, error: type[BaseException]) -> None:
    """And no temporary folder."""
    build(tmp_path / "V", "one")

    def build_half() -> None:
        with new_artifact(tmp_path / "V", ValidationReport) as directory:
            (directory / "ValidationReport.json").write_text("half", encoding="utf-8")
            raise error

    with pytest.raises(error):
        build_half()
    assert contents(tmp_path) == {"V/ValidationReport.json": b"one", "V/one.txt": b"one"}
    assert os.listdir(tmp_path) == ["V"]


def test_a_killed_process_leaves_the_old_artifact_and_the_next_one_succeeds(tmp_path: Path) -> None:
    """SIGKILL in the middle: the old artifact is whole and can be replaced."""
    build(tmp_path / "V", "one")
    code = (
        "import os, signal, sys\n"
        "from polyhead.contracts.validation import ValidationReport\n"
        "from polyhead.storage.artifact import new_artifact\n"
        "with new_artifact(sys.argv[1], ValidationReport) as directory:\n"
        "    (directory / 'ValidationReport.json').write_text('half')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    ended = subprocess.run([sys.executable, "-c", code, str(tmp_path / "V")], env=environment, check=False)
    assert ended.returncode == -9
    assert contents(tmp_path / "V") == {"ValidationReport.json": b"one", "one.txt": b"one"}
    build(tmp_path / "V", "two")
    assert contents(tmp_path / "V") == {"ValidationReport.json": b"two", "two.txt": b"two"}


def test_a_failed_swap_puts_the_old_artifact_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where folders cannot be exchanged in one move, and the second rename fails, the first is undone."""
    build(tmp_path / "V", "one")
    monkeypatch.setattr(folders, "_exchanged", lambda *_: False)
    rename = os.rename

    def failing(source: str | Path, target: str | Path) -> None:
        if str(source).endswith(".partial"):
            raise OSError(28, "No space left on device")
        rename(source, target)

    monkeypatch.setattr(os, "rename", failing)
    with refusal(ArtifactError, "disk-full"):
        build(tmp_path / "V", "two")
    assert contents(tmp_path / "V") == {"ValidationReport.json": b"one", "one.txt": b"one"}


def test_permissions_follow_the_umask(tmp_path: Path) -> None:
    """Colleagues can read an artifact, as they can any folder that was made by hand."""
    mask = os.umask(0o027)
    try:
        build(tmp_path / "V", "one")
        write_whole(tmp_path / "f", b"x")
        (tmp_path / "by_hand").mkdir()
    finally:
        os.umask(mask)
    assert stat.S_IMODE((tmp_path / "V").stat().st_mode) == stat.S_IMODE((tmp_path / "by_hand").stat().st_mode)
    assert stat.S_IMODE((tmp_path / "f").stat().st_mode) == 0o640


def test_write_whole_replaces_a_file_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    """Also below folders that do not exist yet; a folder in its place is refused."""
    write_whole(tmp_path / "a" / "f", b"one")
    write_whole(tmp_path / "a" / "f", b"two")
    assert contents(tmp_path) == {"a/f": b"two"}
    with refusal(ArtifactError, "not-writable"):
        write_whole(tmp_path / "a", b"x")
    assert os.listdir(tmp_path) == ["a"]


def test_sha256_of(tmp_path: Path) -> None:
    """The digest that sha256sum prints."""
    (tmp_path / "f").write_bytes(b"polyhead" * 1000)
    assert sha256_of(tmp_path / "f") == hashlib.sha256(b"polyhead" * 1000).hexdigest()


def test_only_an_attempt_of_the_same_input_is_resumed(tmp_path: Path) -> None:
    """Another fingerprint starts empty, and an artifact beside with a longer name keeps what it has."""

    def broken(name: str, fingerprint: str, file: str, found: list[str]) -> None:
        with new_artifact(tmp_path / name, ValidationReport, resume=fingerprint) as folder:
            found += sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
            (folder / file).write_text("x")
            raise RuntimeError("broken")

    def attempt(name: str, fingerprint: str, file: str) -> list[str]:
        found: list[str] = []
        with pytest.raises(RuntimeError, match="broken"):
            broken(name, fingerprint, file, found)
        return found

    assert attempt("V", "one", "a") == []
    assert attempt("V.x", "one", "b") == []
    assert attempt("V", "one", "c") == ["a"]
    assert attempt("V", "two", "d") == []
    assert attempt("V", "two", "e") == ["d"]
    assert attempt("V.x", "one", "f") == ["b"]


KILLED = (
    "import os, signal, sys\n"
    "from polyhead.contracts.validation import ValidationReport\n"
    "from polyhead.storage import artifact, folders\n"
    "exchanged = folders._exchanged\n"
    "def killed(*folders):\n"
    "    if sys.argv[2] == 'before': os.kill(os.getpid(), signal.SIGKILL)\n"
    "    exchanged(*folders)\n"
    "    os.kill(os.getpid(), signal.SIGKILL)\n"
    "folders._exchanged = killed\n"
    "with artifact.new_artifact(sys.argv[1], ValidationReport) as directory:\n"
    "    (directory / 'ValidationReport.json').write_text('two')\n"
)


@pytest.mark.parametrize(("when", "stands"), [("before", b"one"), ("after", b"two")])
def test_a_kill_at_the_exchange_leaves_one_of_both(tmp_path: Path, when: str, stands: bytes) -> None:
    """There is always an artifact, and the next writer removes what lies beside it."""
    build(tmp_path / "V", "one")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    ended = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "V"), when], env=environment, check=False)
    assert ended.returncode == -9
    assert contents(tmp_path / "V")["ValidationReport.json"] == stands
    assert sorted(os.listdir(tmp_path)) == [".V.partial", "V"]
    build(tmp_path / "V", "three")
    assert contents(tmp_path) == {"V/ValidationReport.json": b"three", "V/three.txt": b"three"}
    assert os.listdir(tmp_path) == ["V"]


def test_what_was_only_moved_aside_is_put_back(tmp_path: Path) -> None:
    """Where folders cannot be exchanged, a kill between the two renames loses nothing; others' folders are left."""
    build(tmp_path / "V", "one")
    (tmp_path / ".V.abc.old").mkdir()
    os.rename(tmp_path / "V", tmp_path / ".V.abc.old" / "V")
    (tmp_path / ".V.x.abc.old" / "V.x").mkdir(parents=True)
    with pytest.raises(RuntimeError), new_artifact(tmp_path / "V", ValidationReport):
        raise RuntimeError
    assert contents(tmp_path / "V") == {"ValidationReport.json": b"one", "one.txt": b"one"}
    assert sorted(os.listdir(tmp_path)) == [".V.x.abc.old", "V"]


def test_a_second_writer_is_refused_at_once(tmp_path: Path) -> None:
    """With the first one's process and machine; the first one is not disturbed."""
    with new_artifact(tmp_path / "V", ValidationReport) as directory:
        (directory / "ValidationReport.json").write_text("first")
        with refusal(ArtifactError, "being-written", shows=[os.getpid()]):
            build(tmp_path / "V", "second")
        assert (directory / "ValidationReport.json").read_text() == "first"
    assert contents(tmp_path) == {"V/ValidationReport.json": b"first"}
    build(tmp_path / "V", "second")


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (errno.ENOSPC, "disk-full"),
        (errno.EROFS, "system-error"),
        (errno.EACCES, "permission-denied"),
        (errno.EIO, "system-error"),
    ],
)
def test_what_the_disk_refuses_is_an_error_without_a_traceback(tmp_path: Path, number: int, code: str) -> None:
    """It names the place; the former artifact stays."""
    build(tmp_path / "V", "one")
    with (
        refusal(ArtifactError, code, where=tmp_path / "V", shows=[os.strerror(number)]),
        new_artifact(tmp_path / "V", ValidationReport) as directory,
    ):
        raise OSError(number, os.strerror(number), str(directory / "clean.parquet"))
    assert contents(tmp_path) == {"V/ValidationReport.json": b"one", "V/one.txt": b"one"}


def test_what_stands_at_out_was_synced_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every file and folder before the rename, the folder of the name after it."""
    told: list[str] = []
    monkeypatch.setattr(folders, "_sync", lambda path: told.append(path.name))
    rename = os.rename

    def noted(*names: Any) -> None:
        told.append("rename")
        rename(*names)

    monkeypatch.setattr(os, "rename", noted)
    build(tmp_path / "V", "one")
    assert sorted(told[:3]) == [".V.partial", "ValidationReport.json", "one.txt"]
    assert told[3:] == ["rename", tmp_path.name]
