"""Local folders and files that appear whole or not at all, and belong to one process while they are made."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import os
import platform
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

from polyhead.errors import ArtifactError, PolyheadError, fault_code

_FINGERPRINT, _WRITER = ".fingerprint", ".writer"
_FULL = (errno.ENOSPC, errno.EDQUOT)
_HERE, _EXCHANGE = -100, 2  # AT_FDCWD and RENAME_EXCHANGE of Linux


@contextlib.contextmanager
def new_folder(out: Path) -> Iterator[Path]:
    """A folder to fill, which replaces what is at `out` by a rename when the block succeeds.

    Raises:
        ArtifactError: It cannot be written.
    """
    with workroom(out, "", where=str(out), alone=False) as aside:
        yield aside
        replace_folder(aside, out)


@contextlib.contextmanager
def workroom(
    out: Path, resume: str, *, where: str, alone: bool = True, when_full: str = "free space, or give another --out"
) -> Iterator[Path]:
    """A folder beside `out` to work in; when the block raises, it stays if it can be resumed.

    Its lock lives as long as this process. So a folder without a living owner is known, and is emptied or removed.

    Args:
        out: What the folder is for.
        resume: A fingerprint of all that decides what it will hold: what a broken attempt with the same one left is
            found in the folder again. Empty where nothing is kept.
        where: What to call `out` in messages.
        alone: Whether a second writer is refused. Else each has a folder of its own, unless it can be resumed.
        when_full: What to do when the disk is full.

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
            raise ArtifactError("not-writable", f"cannot be written: {error.strerror}", where=where) from None
        try:
            yield aside
        except OSError as error:
            if isinstance(error, PolyheadError):
                raise
            kept = "; what is finished is kept for the next call" if resume else ""
            named = str(error.filename or aside)
            raise ArtifactError(
                fault_code(error),
                f"{error.strerror or error}{kept}",
                where=where if named.startswith(str(aside)) else named,
                hint=when_full if error.errno in _FULL else "",
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
        "being-written",
        f"is being written by {writer or 'another process'}",
        where=where,
        hint="wait for it, or give another --out",
    )


def sign(folder: Path) -> None:
    """Note in a folder which process works in it."""
    (folder / _WRITER).write_text(f"process {os.getpid()} on {platform.node()}", encoding="utf-8")


def _prepare(aside: Path, fingerprint: str) -> None:
    """Empty a folder unless an attempt with the same fingerprint left it."""
    aside.chmod(0o777 & ~_umask())
    note = aside / _FINGERPRINT
    if not fingerprint or not note.is_file() or note.read_text() != fingerprint:
        empty(aside, "*")
        if fingerprint:
            write_file(note, fingerprint.encode())


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


def empty(folder: Path, names: str) -> None:
    """Remove what lies in a folder by a pattern of names."""
    for path in folder.glob(names):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def replace_folder(aside: Path, out: Path) -> None:
    """Put a finished folder in place, so that it stays through a loss of power; an earlier one is removed.

    Where the system can exchange two folders in one move, a kill at any time leaves the old folder or the new one
    at `out`. Elsewhere it can leave the old one beside `out`, and the next writer puts it back.

    Args:
        aside: The folder, on the same file system as `out`.
        out: Where to write it.
    """
    settle(aside)
    if not out.exists():
        os.rename(aside, out)
        _sync(out.parent)
        return
    with contextlib.ExitStack() as held:
        with contextlib.suppress(OSError):  # so that the former one is not taken for the folder to write in
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


def write_file(path: Path, content: bytes | Path) -> None:
    """Write a file so that it appears whole: aside first, then a rename.

    Args:
        path: Where.
        content: Its bytes, or a file that has them.

    Raises:
        ArtifactError: The place cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _sweep(path)
        descriptor, aside = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".partial", dir=path.parent)
        try:
            with os.fdopen(descriptor, "wb") as file:
                fcntl.flock(descriptor, fcntl.LOCK_EX)  # so that it is not taken for what a killed writer left
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
        raise ArtifactError("not-writable", f"cannot be written: {error.strerror}", where=str(path)) from None
