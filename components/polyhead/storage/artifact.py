"""Artifacts: directories that appear whole or not at all, and the contracts that say what is in them."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TypeVar

from polyhead.contracts.artifact import Contract, FileDigest
from polyhead.errors import ArtifactError, Problem
from polyhead.storage.folders import empty, replace_folder, workroom
from polyhead.storage.objects import holds, list_objects, stat
from polyhead.storage.parallel import available_cpus, ordered_map
from polyhead.storage.places import check_scheme, is_remote
from polyhead.storage.stores.names import parts_of
from polyhead.storage.transfer import upload_folder

C = TypeVar("C", bound=Contract)


@contextlib.contextmanager
def new_artifact(out: str | Path, contract: type[Contract], *, resume: str = "") -> Iterator[Path]:
    """A directory to write an artifact into, put in place by a rename when the block ends well.

    An artifact of the same kind that is at `out` already is replaced; anything else there is refused
    before any work is done. When the block raises, `out` stays as it was. Two writers of one local place are refused:
    the second one at once. What a killed writer left is removed by the next one.

    A remote artifact is written into a temporary folder of this machine and uploaded when the block ends well, its
    contract last; see `polyhead.storage.transfer.upload_folder`. Only a broken upload removes the earlier one.

    What lies in the directory itself under a name that begins with a dot helps to make the artifact. It does not belong
    to it, and is there again for a resumed attempt, after a broken upload too.

    Args:
        out: Where to write the artifact: a folder, whose parent is created, or a remote prefix.
        contract: The artifact's contract class.
        resume: A fingerprint of all that decides the artifact's bytes. When it is given, what an earlier, broken
            attempt with the same fingerprint left is kept and found in the directory again; what one with
            another fingerprint left is removed. For a remote place that is on the same machine, in a folder of this
            user's below `TMPDIR`.

    Yields:
        A directory beside `out`, on the same file system, or a temporary one; empty unless resumed.

    Raises:
        ArtifactError: `out` holds something else, cannot be written, or is being written by another process; or the
            disk is full, or fails otherwise.
        DataError: The place has a scheme that is not known, or names no bucket.
        StorageError: The store does not take it, or another process writes there.
    """
    check_scheme(str(out))
    if is_remote(out):
        with _new_remote_artifact(str(out).rstrip("/"), contract, resume) as aside:
            yield aside
        return
    out = Path(out).absolute()
    check_free(out, contract)
    with workroom(out, resume, where=str(out)) as aside:
        yield aside
        empty(aside, ".*")
        replace_folder(aside, out)


@contextlib.contextmanager
def _new_remote_artifact(out: str, contract: type[Contract], resume: str) -> Iterator[Path]:
    if not parts_of(out).key:
        raise ArtifactError("not-a-folder", "is a bucket, not a folder in one", where=out, hint=f"give {out}/NAME")
    last = f"{contract.__name__}.json"
    if next(list_objects(out), None) is not None and stat(f"{out}/{last}") is None:
        raise _holds_other(out, contract, "give another --out, or remove the objects")
    with workroom(_remembered(out), resume, where=out, alone=False, when_full="free space, or set TMPDIR") as aside:
        yield aside
        upload_folder(aside, out, last=last)
        shutil.rmtree(aside, ignore_errors=True)


def _remembered(place: str) -> Path:
    """Where this user's broken attempts at a remote artifact are kept on this machine.

    Raises:
        ArtifactError: That folder cannot be made, or belongs to another user.
    """
    root = Path(tempfile.gettempdir(), f"polyhead-{os.getuid()}")
    hint = "set TMPDIR to a folder of your own"
    try:
        root.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise ArtifactError(
            "not-writable", f"cannot be written: {error.strerror}", where=str(root), hint=hint
        ) from None
    if root.is_symlink() or root.stat().st_uid != os.getuid():
        raise ArtifactError("folder-not-owned", "belongs to another user", where=str(root), hint=hint)
    return root / hashlib.sha256(place.encode()).hexdigest()[:32]


def check_free(out: Path, contract: type[Contract]) -> None:
    """Refuse an output place that holds something else than an artifact of the same kind.

    Raises:
        ArtifactError: There is a file, or a folder with other content.
    """
    if not out.exists() and not out.is_symlink():
        return
    if not out.is_dir():
        raise ArtifactError("not-a-folder", "is a file, not a folder", where=str(out), hint="give another --out")
    try:
        holds_something = any(out.iterdir())
    except OSError as error:
        raise ArtifactError(
            "not-readable", f"cannot be read: {error.strerror}", where=str(out), hint="give another --out"
        ) from None
    if holds_something and not (out / f"{contract.__name__}.json").is_file():
        raise _holds_other(str(out), contract, "give another --out, or empty the folder")


def _holds_other(place: str, contract: type[Contract], hint: str) -> ArtifactError:
    what = f"already holds something other than the output of {contract.made_by()}"
    return ArtifactError("output-not-empty", what, where=place, hint=hint)


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_of(path: Path) -> FileDigest:
    """What a contract says of a file."""
    return FileDigest(bytes=path.stat().st_size, sha256=sha256_of(path))


def close_artifact(directory: Path, contract: C, *, known: Mapping[str, FileDigest] | None = None) -> C:
    """Write the contract of a directory in which every other file is whole.

    Args:
        directory: Where the artifact is made.
        contract: What to say of it; `files` is filled in here.
        known: Digests of files that were digested while they were written, by path.

    Returns:
        The contract as it was written.
    """
    contract_name = f"{type(contract).__name__}.json"
    left_out = {contract_name, *contract.VARYING}
    names = [name for name in _names(directory) if name not in left_out]
    digests = ordered_map(
        lambda name: (known or {}).get(name) or digest_of(directory / name), names, workers=available_cpus()
    )
    closed = contract.model_copy(update={"files": dict(zip(names, digests, strict=True))})
    closed.write(directory)
    return closed


def _names(directory: Path) -> list[str]:
    """The paths of the files that belong to an artifact, in order."""
    names = (path.relative_to(directory).as_posix() for path in directory.rglob("*") if path.is_file())
    return sorted(name for name in names if not name.startswith("."))


def check_files(directory: str | Path, contract: Contract, patterns: Iterable[str] = ("*",)) -> None:
    """Refuse an artifact whose files are not those that its contract says. Other files beside these do not matter.

    Args:
        directory: Where it is.
        contract: Its contract.
        patterns: Of the files to check, where `*` stands for any characters, slashes too. Default: all.

    Raises:
        ArtifactError: Files are missing, were changed or cannot be read; all of them at once.
    """
    patterns = tuple(patterns)
    names = [name for name in contract.files if any(fnmatchcase(name, pattern) for pattern in patterns)]

    def check(name: str) -> Problem | None:
        path = Path(directory, name)
        found = _difference(path, contract.files[name])
        return replace(found, where=str(path), hint=f"run {contract.made_by()} again") if found else None

    problems = [problem for problem in ordered_map(check, names, workers=available_cpus()) if problem]
    if problems:
        raise ArtifactError(problems)


def faults_of_files(place: str, contract: Contract) -> dict[str, Problem]:
    """What is wrong with an artifact's files, by their paths; without their places. Nothing is copied.

    Args:
        place: A folder or a remote prefix.
        contract: Its contract.

    Raises:
        DeniedError: A remote file may not be read.
        StorageError: The store does not give one.
    """

    def check(name: str) -> Problem | None:
        if not is_remote(place):
            return _difference(Path(place, name), contract.files[name])
        return _remote_difference(f"{place}/{name}", contract.files[name])

    names = list(contract.files)
    found = zip(names, ordered_map(check, names, workers=available_cpus()), strict=True)
    return {name: problem for name, problem in found if problem is not None}


def _remote_difference(place: str, expected: FileDigest) -> Problem | None:
    found = stat(place)
    if found is None:
        return Problem("artifact-file-missing", "is missing")
    if found.size != expected.bytes:
        what = f"was changed after it was written: {found.size:,} bytes, its contract says {expected.bytes:,}"
        return Problem("artifact-changed", what)
    if holds(place, expected):
        return None
    what = f"was changed after it was written: its SHA-256 is not {expected.sha256[:12]}…, as its contract says"
    return Problem("artifact-changed", what)


def _difference(path: Path, expected: FileDigest) -> Problem | None:
    """What is wrong with a file, without its place; None where nothing is."""
    try:
        if not path.is_file():
            return Problem("artifact-file-missing", "is missing")
        size = path.stat().st_size
        if size != expected.bytes:
            what = f"was changed after it was written: {size:,} bytes, its contract says {expected.bytes:,}"
            return Problem("artifact-changed", what)
        found = sha256_of(path)
    except OSError as error:
        return Problem("not-readable", f"cannot be read: {error.strerror}")
    if found == expected.sha256:
        return None
    what = f"was changed after it was written: SHA-256 {found[:12]}…, its contract says {expected.sha256[:12]}…"
    return Problem("artifact-changed", what)


def checked_file(directory: str | Path, contract: Contract, name: str) -> Path:
    """A file of an artifact, if it is what the contract says.

    Args:
        directory: Where the artifact is.
        contract: Its contract.
        name: The file's path in the artifact.

    Raises:
        ArtifactError: It does not belong to the artifact, is missing, was changed, or cannot be read.
    """
    path = Path(directory, name)
    if name not in contract.files:
        hint = f"run {contract.made_by()} again"
        raise ArtifactError(
            "artifact-file-unknown",
            "is not a file of this artifact, according to its contract",
            where=str(path),
            hint=hint,
        )
    check_files(directory, contract, [name])
    return path
