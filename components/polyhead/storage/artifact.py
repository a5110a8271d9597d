"""Artifact directories that appear whole or not at all."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import hashlib
import os
import platform
import shutil
import tempfile
import uuid
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TypeVar

from polyhead.contracts.artifact import Contract, FileDigest
from polyhead.errors import ArtifactError, PolyheadError, Problem
from polyhead.storage.parallel import available_cpus, ordered_map
from polyhead.storage.places import check_scheme, is_remote, parts_of

C = TypeVar("C", bound=Contract)

_FINGERPRINT, _WRITER = ".fingerprint", ".writer"
_FULL = (errno.ENOSPC, errno.EDQUOT)
_HERE, _EXCHANGE = -100, 2  # AT_FDCWD and RENAME_EXCHANGE of Linux


@contextlib.contextmanager
def new_artifact(out: str | Path, contract: type[Contract], *, resume: str = "") -> Iterator[Path]:
    """A directory to write an artifact into, put in place by a rename when the block ends well.

    An artifact of the same kind that stands at `out` already is replaced; anything else there is refused
    before any work is done. When the block raises, `out` stays as it was. Two writers of one local place are refused:
    the second one at once. What a killed writer left is removed by the next one.

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
    with _workroom(out, resume, where=str(out)) as aside:
        yield aside
        _empty(aside, ".*")
        replace_artifact(aside, out)


@contextlib.contextmanager
def new_folder(out: Path) -> Iterator[Path]:
    """A folder to fill, which replaces what stands at `out` by a rename when the block ends well.

    Raises:
        ArtifactError: It cannot be written.
    """
    with _workroom(out, "", where=str(out), alone=False) as aside:
        yield aside
        replace_artifact(aside, out)


@contextlib.contextmanager
def _new_remote_artifact(out: str, contract: type[Contract], resume: str) -> Iterator[Path]:
    from polyhead.storage.objects import list_objects, stat, upload_folder

    if not parts_of(out).key:
        raise ArtifactError("is a bucket, not a folder in one", where=out, hint=f"give {out}/NAME")
    last = f"{contract.__name__}.json"
    if next(list_objects(out), None) is not None and stat(f"{out}/{last}") is None:
        raise _holds_other(out, contract, "give another --out, or remove the objects")
    with _workroom(_remembered(out), resume, where=out, alone=False) as aside:
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
def _workroom(out: Path, resume: str, *, where: str, alone: bool = True) -> Iterator[Path]:
    """A folder beside `out` to work in; when the block raises, it stays if it can be resumed.

    Its lock lives as long as this process. So a folder without a living owner is known, and is emptied or removed.

    Args:
        out: What the folder is for.
        resume: As for `new_artifact`.
        where: What to call `out` in messages.
        alone: Whether a second writer is refused. Else each has a folder of its own, unless it can be resumed.

    Raises:
        ArtifactError: It cannot be made, another process has it, or the disk is full or fails otherwise.
    """
    own = "resumable" if resume else "partial" if alone else f"{uuid.uuid4().hex}.partial"
    aside = out.parent / f".{out.name}.{own}"
    with contextlib.ExitStack() as held:
        try:
            out.parent.mkdir(parents=True, exist_ok=True)
            held.enter_context(taken(aside, where, keep=bool(resume)))
            _sweep(out)
            _prepare(aside, resume)
            if alone or resume:
                sign(aside)
        except OSError as error:
            raise ArtifactError(f"cannot be written: {error.strerror}", where=where) from None
        try:
            yield aside
        except OSError as error:
            if isinstance(error, PolyheadError):
                raise
            kept = "; what is finished is kept for the next call" if resume else ""
            hint = "free space, or set TMPDIR" if is_remote(where) else "free space, or give another --out"
            named = str(error.filename or aside)
            raise ArtifactError(
                f"{error.strerror or error}{kept}",
                where=where if named.startswith(str(aside)) else named,
                hint=hint if error.errno in _FULL else "",
            ) from None


@contextlib.contextmanager
def taken(folder: Path, where: str, *, keep: bool = False) -> Iterator[None]:
    """Have a folder alone during the block: one that is made, or that its owner left when it was killed.

    Args:
        folder: The folder.
        where: What to call it in messages.
        keep: Whether it stays when the block ends.

    Raises:
        ArtifactError: A living process has it.
        OSError: It cannot be made.
    """
    folder.mkdir(exist_ok=True)
    lock = os.open(folder, os.O_RDONLY)

    def moved() -> bool:
        try:
            return os.fstat(lock).st_ino != folder.stat().st_ino
        except FileNotFoundError:
            return True

    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise being_written(folder, where) from None
        if moved():
            raise being_written(folder, where)
        try:
            yield
        finally:
            if not keep and not moved():  # else it is the next owner's
                shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(lock)


def being_written(folder: Path, where: str) -> ArtifactError:
    """The error that another process writes somewhere, by the note in the folder that it works in."""
    writer = ""
    with contextlib.suppress(OSError, UnicodeDecodeError):
        writer = (folder / _WRITER).read_text(encoding="utf-8")
    return ArtifactError(
        f"is being written by {writer or 'another process'}", where=where, hint="wait for it, or give another --out"
    )


def sign(folder: Path) -> None:
    """Note in a folder which process works in it."""
    (folder / _WRITER).write_text(f"process {os.getpid()} on {platform.node()}", encoding="utf-8")


def _prepare(aside: Path, fingerprint: str) -> None:
    """Empty a folder unless an attempt with the same fingerprint left it."""
    aside.chmod(0o777 & ~_umask())
    note = aside / _FINGERPRINT
    if not fingerprint or not note.is_file() or note.read_text() != fingerprint:
        _empty(aside, "*")
        if fingerprint:
            write_whole(note, fingerprint.encode())


def _sweep(out: Path) -> None:
    """Remove what killed writers left beside a place, and put back what one of them had only moved aside."""
    for left in out.parent.glob(f".{_literal(out.name)}.*"):
        if left.suffix not in (".partial", ".old") or left.is_symlink():
            continue
        with contextlib.suppress(OSError), locked(left):
            former = left / out.name
            if left.suffix == ".old" and not former.exists():
                continue  # of another place
            if left.suffix == ".old" and not out.exists():
                os.rename(former, out)
            shutil.rmtree(left) if left.is_dir() else left.unlink()


def _literal(name: str) -> str:
    """A name as a pattern that fits it alone."""
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in name)


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock of a file or folder, which dies with the process.

    Raises:
        BlockingIOError: Another process holds it.
        OSError: It is not there, or cannot be locked.
    """
    lock = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(lock)


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
    """Put a finished artifact in place, so that it stays through a loss of power; a former one is removed.

    Where the system can exchange two folders in one move, a kill at any time leaves the former artifact or the new one
    at `out`. Elsewhere it can leave the former one beside `out`, and the next writer puts it back.

    Args:
        aside: The artifact, on the same file system as `out`.
        out: Where it shall stand.
    """
    settle(aside)
    if not out.exists():
        os.rename(aside, out)
        _sync(out.parent)
        return
    with contextlib.ExitStack() as held:
        with contextlib.suppress(OSError):  # so that nobody takes the former artifact for the folder to write in
            held.enter_context(locked(out))
        if _exchanged(aside, out):
            _sync(out.parent)
            shutil.rmtree(aside, ignore_errors=True)
            return
        old = Path(tempfile.mkdtemp(prefix=f".{out.name}.", suffix=".old", dir=out.parent))
        with locked(old):
            os.rename(out, old / out.name)
            try:
                os.rename(aside, out)
            except OSError:
                os.rename(old / out.name, out)
                raise
            _sync(out.parent)
            shutil.rmtree(old, ignore_errors=True)


def _exchanged(one: Path, other: Path) -> bool:
    """Exchange two folders in one move; False where the system or the file system cannot."""
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError):
        return False
    if rename(_HERE, os.fsencode(one), _HERE, os.fsencode(other), _EXCHANGE) == 0:
        return True
    code = ctypes.get_errno()
    if code in (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP):
        return False
    raise OSError(code, os.strerror(code), str(other))


def settle(folder: Path) -> None:
    """Have the disk keep every file and folder below a folder, and the folder itself."""
    for path in (*folder.rglob("*"), folder):
        if not path.is_symlink() and (path.is_file() or path.is_dir()):
            _sync(path)


def _sync(path: Path) -> None:
    """Wait until the disk has a file, or the names in a folder.

    Raises:
        OSError: The disk does not take it. A file system that does not know this is fine.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EROFS, errno.EBADF):
            raise OSError(error.errno, error.strerror, str(path)) from None
    finally:
        os.close(descriptor)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


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
    """Refuse an artifact whose files are not those that its contract says. What lies beside these is nobody's concern.

    Args:
        directory: Where it stands.
        contract: Its contract.
        patterns: Of the files to check, where `*` stands for any characters, slashes too. Default: all.

    Raises:
        ArtifactError: Files are missing, were changed or cannot be read; all of them at once.
    """
    patterns = tuple(patterns)
    names = [name for name in contract.files if any(fnmatchcase(name, pattern) for pattern in patterns)]

    def check(name: str) -> Problem | None:
        path = Path(directory, name)
        what = _difference(path, contract.files[name])
        return Problem(what, str(path), f"run {contract.made_by()} again") if what else None

    problems = [problem for problem in ordered_map(check, names, workers=available_cpus()) if problem]
    if problems:
        raise ArtifactError(problems)


def _difference(path: Path, expected: FileDigest) -> str:
    """What is wrong with a file; empty where nothing is."""
    try:
        if not path.is_file():
            return "is missing"
        size = path.stat().st_size
        if size != expected.bytes:
            return f"was changed after it was written: {size:,} bytes, its contract says {expected.bytes:,}"
        found = sha256_of(path)
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    if found == expected.sha256:
        return ""
    return f"was changed after it was written: SHA-256 {found[:12]}…, its contract says {expected.sha256[:12]}…"


def checked_file(directory: str | Path, contract: Contract, name: str) -> Path:
    """A file of an artifact, if it is what the contract says.

    Args:
        directory: Where the artifact stands.
        contract: Its contract.
        name: The file's path in the artifact.

    Raises:
        ArtifactError: It does not belong to the artifact, is missing, was changed, or cannot be read.
    """
    path = Path(directory, name)
    if name not in contract.files:
        hint = f"run {contract.made_by()} again"
        raise ArtifactError("is no file of this artifact, says its contract", where=str(path), hint=hint)
    check_files(directory, contract, [name])
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
        _sweep(path)
        descriptor, aside = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".partial", dir=path.parent)
        try:
            with os.fdopen(descriptor, "wb") as file:
                fcntl.flock(descriptor, fcntl.LOCK_EX)  # so that nobody takes it for what a killed writer left
                if isinstance(content, Path):
                    with content.open("rb") as source:
                        shutil.copyfileobj(source, file)
                else:
                    file.write(content)
                os.chmod(aside, 0o666 & ~_umask())
                file.flush()
                _sync(Path(aside))
                os.replace(aside, path)
            _sync(path.parent)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(aside)
            raise
    except OSError as error:
        raise ArtifactError(f"cannot be written: {error.strerror}", where=str(path)) from None
