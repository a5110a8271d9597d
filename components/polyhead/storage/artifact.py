"""Artifact directories that appear whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from polyhead.contracts.artifact import Contract
from polyhead.errors import ArtifactError
from polyhead.storage.places import check_scheme, is_remote, parts_of

_FINGERPRINT = ".fingerprint"
_FULL = (errno.ENOSPC, errno.EDQUOT)


@contextlib.contextmanager
def new_artifact(out: str | Path, contract: type[Contract], *, resume: str = "") -> Iterator[Path]:
    """A directory to write an artifact into, put in place by renames when the block ends well.

    An artifact of the same kind that stands at `out` already is replaced; anything else there is refused
    before any work is done. When the block raises, `out` stays as it was.

    A remote artifact is written into a temporary folder of this machine and uploaded when the block ends well, its
    contract last; see `polyhead.storage.objects.upload_folder`. Only a broken upload takes the former one away.

    What lies in the directory itself under a name that begins with a dot helps to make the artifact. It does not belong
    to it, and is there again for a resumed attempt, after a broken upload too.

    Args:
        out: Where the artifact shall stand: a folder, whose parent is created, or a remote prefix.
        contract: The artifact's contract class.
        resume: A fingerprint of all that decides the artifact's bytes. When it is given, what an earlier, broken
            attempt with the same fingerprint left is kept and found in the directory again; what one with
            another fingerprint left is removed. For a remote place that is on the same machine, in a folder of this
            user's below `TMPDIR`.

    Yields:
        A directory beside `out`, on the same file system, or a temporary one; empty unless resumed.

    Raises:
        ArtifactError: `out` holds something else, cannot be written, or is being written by another process; or the
            disk is full.
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
    with _workroom(out, resume, where=str(out)) as aside:
        aside.chmod(0o777 & ~_umask())
        yield aside
        _empty(aside, ".*")
        replace_artifact(aside, out)


@contextlib.contextmanager
def _new_remote_artifact(out: str, contract: type[Contract], resume: str) -> Iterator[Path]:
    from polyhead.storage.objects import list_objects, stat, upload_folder

    if not parts_of(out).key:
        raise ArtifactError("is a bucket, not a folder in one", where=out, hint=f"give {out}/NAME")
    last = f"{contract.__name__}.json"
    if next(list_objects(out), None) is not None and stat(f"{out}/{last}") is None:
        raise _holds_other(out, contract, "give another --out, or remove the objects")
    with _workroom(_remembered(out), resume, where=out) as aside:
        yield aside
        upload_folder(aside, out, last=last)
        shutil.rmtree(aside, ignore_errors=True)


def _remembered(place: str) -> Path:
    """Where this user's broken attempts at a remote artifact are kept on this machine.

    Raises:
        ArtifactError: That folder cannot be made, or somebody else has made it.
    """
    root = Path(tempfile.gettempdir(), f"polyhead-{os.getuid()}")
    hint = "set TMPDIR to a folder of your own"
    try:
        root.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise ArtifactError(f"cannot be written: {error.strerror}", where=str(root), hint=hint) from None
    if root.is_symlink() or root.stat().st_uid != os.getuid():
        raise ArtifactError("belongs to somebody else", where=str(root), hint=hint)
    return root / hashlib.sha256(place.encode()).hexdigest()[:32]


@contextlib.contextmanager
def _workroom(out: Path, resume: str, *, where: str) -> Iterator[Path]:
    """A folder beside `out` to work in; when the block raises, it stays if it can be resumed.

    Raises:
        ArtifactError: It cannot be made, another process has it, or the disk is full.
    """
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        aside, lock = _resumed(out, resume, where) if resume else (_fresh(out), None)
    except OSError as error:
        raise ArtifactError(f"cannot be written: {error.strerror}", where=where) from None
    try:
        yield aside
    except OSError as error:
        if error.errno not in _FULL:
            raise
        kept = "; what is finished is kept for the next call" if resume else ""
        hint = "free space, or set TMPDIR" if is_remote(where) else "free space, or give another --out"
        raise ArtifactError(f"{error.strerror}{kept}", where=where, hint=hint) from None
    finally:
        if lock is None:
            shutil.rmtree(aside, ignore_errors=True)
        else:
            os.close(lock)


def _fresh(out: Path) -> Path:
    return Path(tempfile.mkdtemp(prefix=f".{out.name}.", suffix=".partial", dir=out.parent))


def _resumed(out: Path, fingerprint: str, where: str) -> tuple[Path, int]:
    """The folder of broken attempts, emptied unless of this fingerprint, and a lock that dies with the process."""
    aside = out.parent / f".{out.name}.resumable"
    aside.mkdir(exist_ok=True)
    lock = os.open(aside, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        moved = os.fstat(lock).st_ino != aside.stat().st_ino
    except OSError:
        moved = True
    if moved:
        os.close(lock)
        raise ArtifactError("is being written by another process", where=where, hint="wait for it") from None
    note = aside / _FINGERPRINT
    if not note.is_file() or note.read_text() != fingerprint:
        _empty(aside, "*")
        write_whole(note, fingerprint.encode())
    return aside, lock


def _empty(folder: Path, names: str) -> None:
    """Remove what lies in a folder by a pattern of names."""
    for path in folder.glob(names):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def check_free(out: Path, contract: type[Contract]) -> None:
    """Refuse an output place that holds something else than an artifact of the same kind.

    Raises:
        ArtifactError: A file stands there, or a folder with other content.
    """
    if not out.exists() and not out.is_symlink():
        return
    if not out.is_dir():
        raise ArtifactError("is a file, not a folder", where=str(out), hint="give another --out")
    try:
        holds_something = any(out.iterdir())
    except OSError as error:
        raise ArtifactError(f"cannot be read: {error.strerror}", where=str(out), hint="give another --out") from None
    if holds_something and not (out / f"{contract.__name__}.json").is_file():
        raise _holds_other(str(out), contract, "give another --out, or empty the folder")


def _holds_other(place: str, contract: type[Contract], hint: str) -> ArtifactError:
    what = f"already holds something else than the output of {contract.made_by()}"
    return ArtifactError(what, where=place, hint=hint)


def replace_artifact(aside: Path, out: Path) -> None:
    """Put a finished artifact in place by renames; a former one is removed.

    Args:
        aside: The artifact, on the same file system as `out`.
        out: Where it shall stand.
    """
    if not out.exists():
        os.rename(aside, out)
        return
    old = Path(tempfile.mkdtemp(prefix=f".{out.name}.", suffix=".old", dir=out.parent))
    os.rename(out, old / out.name)
    try:
        os.rename(aside, out)
    except OSError:
        os.rename(old / out.name, out)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def unchanged(path: Path, sha256: str, *, hint: str) -> Path:
    """A file of an artifact, if it is what the contract says.

    Args:
        path: The file.
        sha256: Its digest in the contract.
        hint: What to do where it is not.

    Raises:
        ArtifactError: It is missing or was changed.
    """
    if not path.is_file() or sha256_of(path) != sha256:
        raise ArtifactError("is missing or was changed", where=str(path), hint=hint)
    return path


def write_whole(place: str | Path, content: bytes | Path) -> None:
    """Write a single file so that it appears whole: aside first, then a rename.

    Args:
        place: Where: a file, or a remote object.
        content: Its bytes, or a file that has them.

    Raises:
        ArtifactError: The place cannot be written.
        StorageError: The store does not take it.
    """
    if is_remote(place):
        from polyhead.storage.objects import write_object

        write_object(str(place), content)
        return
    path = Path(place)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, aside = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(descriptor, "wb") as file:
                if isinstance(content, Path):
                    with content.open("rb") as source:
                        shutil.copyfileobj(source, file)
                else:
                    file.write(content)
            os.chmod(aside, 0o666 & ~_umask())
            os.replace(aside, path)
        except BaseException:
            os.unlink(aside)
            raise
    except OSError as error:
        raise ArtifactError(f"cannot be written: {error.strerror}", where=str(path)) from None
