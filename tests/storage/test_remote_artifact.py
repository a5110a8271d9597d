"""Artifacts at remote places: there whole or not at all, of one writer, and nothing of a user's is ever overwritten."""

from __future__ import annotations

import os
import stat as modes
from pathlib import Path
from typing import IO

import pytest
from buckets import Store, left_in
from objectstores import Faults
from refusals import refusal

from polyhead.contracts.shards import ShardManifest
from polyhead.contracts.validation import ValidationReport
from polyhead.errors import ArtifactError, ConflictError, StorageError
from polyhead.storage import artifact, transfer
from polyhead.storage.artifact import new_artifact
from polyhead.storage.objects import list_objects, read_bytes, write_object
from polyhead.storage.opened import opened_artifact
from polyhead.storage.stores import attempts
from polyhead.storage.stores.base import ObjectStat
from polyhead.storage.stores.remote import RemoteStore
from polyhead.storage.transfer import is_claim

pytestmark = pytest.mark.usefixtures("temporary")


def build(out: str, text: str) -> None:
    with new_artifact(out, ValidationReport) as directory:
        (directory / "ValidationReport.json").write_text(text, encoding="utf-8")
        (directory / f"{text}.txt").write_text(text, encoding="utf-8")


def content(store: Store) -> dict[str, bytes]:
    return {found.place.removeprefix(store.root + "/"): read_bytes(found.place) for found in list_objects(store.root)}


def test_a_remote_artifact_is_written_replaced_and_opened(store: Store, temporary: Path) -> None:
    """Whole each time, and no file is left on this machine."""
    for text in ("one", "two"):
        build(store.place("a/V"), text)
        assert content(store) == {"a/V/ValidationReport.json": text.encode(), f"a/V/{text}.txt": text.encode()}
        with opened_artifact(store.place("a/V/"), ValidationReport) as folder:
            assert folder.name == "V"
            assert sorted(os.listdir(folder)) == ["ValidationReport.json", f"{text}.txt"]
    assert left_in(temporary) == []


def test_nothing_is_there_before_the_end(store: Store) -> None:
    """Neither while the block runs nor when it fails."""

    def build_half() -> None:
        with new_artifact(store.place("V"), ValidationReport) as directory:
            (directory / "ValidationReport.json").write_text("half", encoding="utf-8")
            assert content(store) == {}
            raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        build_half()
    assert content(store) == {}


def test_a_place_with_something_else_is_refused_untouched(store: Store) -> None:
    """Before any work is done; an artifact of another step too."""
    write_object(store.place("V/notes.txt"), b"mine")
    build(store.place("W"), "one")
    before = content(store)
    for place, contract in (("V", ValidationReport), ("W", ShardManifest)):
        entered = False
        with (
            refusal(ArtifactError, "output-not-empty") as caught,
            new_artifact(store.place(place), contract),
        ):
            entered = True
        assert not entered
        assert caught.problem.where == store.place(place)
    assert content(store) == before


def test_a_local_artifact_is_opened_where_it_stands(tmp_path: Path) -> None:
    """No copy is made."""
    with opened_artifact(str(tmp_path), ValidationReport) as folder:
        assert folder == tmp_path


def test_what_is_no_artifact_is_not_opened(store: Store) -> None:
    """The message says what is missing."""
    write_object(store.place("V/notes.txt"), b"mine")
    with (
        refusal(ArtifactError, "artifact-not-found"),
        opened_artifact(store.place("V"), ValidationReport),
    ):
        pass


def test_a_broken_upload_is_seen_as_such_and_made_good_by_the_next(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reader is told to wait or to run the step again; the next writer does not have to wait."""
    build(store.place("V"), "one")
    write = transfer.write_object

    def failing(place: str, *arguments: object, **options: object) -> str:
        if place.endswith("two.txt"):
            raise StorageError("server-busy", "503", where=place)
        return write(place, *arguments, **options)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(transfer, "write_object", failing)
        with refusal(StorageError, "server-busy", shows=["503"]):
            build(store.place("V"), "two")
    assert is_claim(read_bytes(store.place("V/ValidationReport.json")))
    with refusal(ArtifactError, "being-written"), opened_artifact(store.place("V"), ValidationReport):
        pass
    build(store.place("V"), "two")
    with opened_artifact(store.place("V"), ValidationReport) as folder:
        assert sorted(os.listdir(folder)) == ["ValidationReport.json", "two.txt"]


def test_a_reader_never_gets_files_of_two_writers(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """An artifact that is replaced while it is copied is refused."""
    build(store.place("V"), "one")
    fetch = RemoteStore.fetch
    replaced: list[str] = []

    def interrupted(self: RemoteStore, thing: ObjectStat, file: IO[bytes]) -> None:
        fetch(self, thing, file)
        if not replaced:
            replaced.append("two")
            build(store.place("V"), "two")

    monkeypatch.setattr(RemoteStore, "fetch", interrupted)
    with refusal(ArtifactError, "being-written"), opened_artifact(store.place("V"), ValidationReport):
        pass
    with opened_artifact(store.place("V"), ValidationReport) as folder:
        assert sorted(os.listdir(folder)) == ["ValidationReport.json", "two.txt"]


def test_the_earlier_of_two_writers_stops(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever comes in between wins, whole."""
    write = transfer.write_object
    interrupted: list[str] = []

    def between(place: str, *arguments: object, **options: object) -> str:
        version = write(place, *arguments, **options)  # type: ignore[arg-type]
        if place.endswith("one.txt") and not interrupted:
            interrupted.append(place)
            build(store.place("V"), "two")
        return version

    monkeypatch.setattr(transfer, "write_object", between)
    with pytest.raises(ConflictError):
        build(store.place("V"), "one")
    assert content(store) == {"V/ValidationReport.json": b"two", "V/two.txt": b"two"}


def test_a_broken_attempt_goes_on_on_this_machine(store: Store, temporary: Path) -> None:
    """With the same fingerprint, in a folder that only this user can look into; nothing is left in the end."""
    found: list[list[str]] = []

    def attempt(fingerprint: str, file: str, fails: bool) -> None:
        with new_artifact(store.place("V"), ValidationReport, resume=fingerprint) as folder:
            found.append(sorted(path.name for path in folder.iterdir() if not path.name.startswith(".")))
            (folder / file).write_text("x")
            if fails:
                raise RuntimeError("broken")
            (folder / "ValidationReport.json").write_text("x")

    for fingerprint, file in (("one", "a"), ("one", "b"), ("two", "c")):
        with pytest.raises(RuntimeError, match="broken"):
            attempt(fingerprint, file, True)
    (root,) = temporary.iterdir()
    assert modes.S_IMODE(root.stat().st_mode) == 0o700
    attempt("two", "d", False)
    assert found == [[], ["a"], [], ["c"]]
    assert set(content(store)) == {"V/ValidationReport.json", "V/c", "V/d"}
    assert left_in(temporary) == []


def test_a_broken_upload_loses_no_work(store: Store, temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next attempt finds all of it, what helps to make the artifact too, which never comes into the bucket."""
    found: list[list[str]] = []

    def attempt() -> None:
        with new_artifact(store.place("V"), ValidationReport, resume="one") as folder:
            found.append(sorted(path.name for path in folder.iterdir() if path.name not in (".fingerprint", ".writer")))
            (folder / ".notes").mkdir(exist_ok=True)
            for name in (".notes/a", ".state", "table", "ValidationReport.json"):
                (folder / name).write_text(name)

    with monkeypatch.context() as patched:
        patched.setattr(attempts, "DEADLINE", 0.1)
        patched.setattr(artifact, "list_objects", lambda _: iter(()))
        patched.setattr(artifact, "stat", lambda _: None)
        store.gate.faults = Faults(always="503")
        with refusal(StorageError, "server-busy", shows=["503"]):
            attempt()
    store.gate.faults = Faults()
    attempt()
    assert found == [[], [".notes", ".state", "ValidationReport.json", "table"]]
    assert set(content(store)) == {"V/ValidationReport.json", "V/table"}
    assert left_in(temporary) == []


def test_a_temporary_folder_of_somebody_else_is_not_used(store: Store, temporary: Path) -> None:
    """A link in its place leads nowhere."""
    (temporary / f"polyhead-{os.getuid()}").symlink_to(temporary.parent)
    with refusal(ArtifactError, "folder-not-owned"), new_artifact(store.place("V"), ShardManifest):
        pass


def test_a_store_that_is_down_says_so(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before any work is done."""
    monkeypatch.setattr(attempts, "DEADLINE", 0.1)
    store.gate.faults = Faults(always="503")
    with refusal(StorageError, "server-busy", shows=["503"]):
        build(store.place("V"), "one")
