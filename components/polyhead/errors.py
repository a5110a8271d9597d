"""The errors a user can cause, and how they read.

Every error carries all the problems found at once; each problem says what is wrong, where, and what to
do next. The command line prints them and exits with 1; it never shows a traceback for one of these.
"""

from __future__ import annotations

import difflib
import errno
import os
from collections.abc import Iterable, Sequence
from dataclasses import KW_ONLY, asdict, dataclass, replace
from typing import Any, overload


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong.

    Attributes:
        code: The reason in words, such as `unknown-column`: stable, for programs, and the same wherever the reason is.
        what: What is wrong, with what was received.
        where: The place: a path in the config, a file, a column, a row, a head. Empty for the whole run.
        hint: What to do next. Empty where `what` already says it.
    """

    code: str
    what: str
    _: KW_ONLY
    where: str = ""
    hint: str = ""

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        hint = f" ({self.hint})" if self.hint else ""
        return f"{place}{self.what}{hint} [{self.code}]"


class PolyheadError(Exception):
    """Base of every error a user can cause.

    Args:
        problems: All problems found, at least one; or the code of a single problem, described by the other arguments.
        what: What is wrong, when `problems` is a code.
        where: Place of the problem, when `problems` is a code.
        hint: What to do next, when `problems` is a code.
    """

    subject = "the run"

    @overload
    def __init__(self, problems: Iterable[Problem], /) -> None: ...

    @overload
    def __init__(self, code: str, what: str, /, *, where: str = "", hint: str = "") -> None: ...

    def __init__(
        self, problems: str | Iterable[Problem], what: str = "", /, *, where: str = "", hint: str = ""
    ) -> None:
        if isinstance(problems, str):
            problems = [Problem(problems, what, where=where, hint=hint)]
        self.problems: list[Problem] = list(problems)
        if not self.problems:
            raise ValueError("a PolyheadError needs at least one problem")
        super().__init__("; ".join(str(problem) for problem in self.problems))

    def as_json(self) -> dict[str, Any]:
        """What programs get: `error`, what it is about, and `problems`, each with `code`, `what`, `where`, `hint`."""
        return {"error": self.subject, "problems": [asdict(problem) for problem in self.problems]}

    def rename(self, place: str, name: str) -> None:
        """Call a place by another name in every problem.

        Args:
            place: As the problems call it, or the beginning of that.
            name: As its user knows it.
        """
        self.problems = [
            replace(
                problem, **{part: getattr(problem, part).replace(place, name) for part in ("what", "where", "hint")}
            )
            for problem in self.problems
        ]
        self.args = ("; ".join(str(problem) for problem in self.problems),)


class InvalidValueError(ValueError):
    """A value of the configuration that its model refuses.

    Args:
        code: The reason, as in `Problem`.
        what: What is wrong, with what was received.
    """

    def __init__(self, code: str, what: str) -> None:
        super().__init__(what)
        self.code = code


class ConfigError(PolyheadError):
    """The configuration file is wrong."""

    subject = "the configuration"


class DataError(PolyheadError):
    """The table, or a file that it names, is wrong."""

    subject = "the data"


class ArtifactError(PolyheadError):
    """An artifact is missing, damaged, of another kind, or made from something else."""

    subject = "an artifact"


class StorageError(PolyheadError):
    """An object store does not answer, refuses a request, or hands out damaged bytes."""

    subject = "an object store"


class ConflictError(StorageError):
    """A place was changed by another process while it was being written or read."""


class DeniedError(StorageError, PermissionError):
    """A store denies access."""


class MachineError(PolyheadError):
    """The machine is short of something or fails: memory, file handles, disk, network drive, permissions."""

    subject = "this machine"


class PipelineError(PolyheadError):
    """A pipeline step stopped without an error of its own, or without its outputs."""

    subject = "the pipeline"


class SubmitError(PolyheadError):
    """A pipelines server cannot be reached or refuses a request, or what is to be sent to it is wrong."""

    subject = "the submission"


_NO_FILE = (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.ENXIO)
_NO_NAME = (errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ)
_ABOUT_THE_FILE = frozenset({*_NO_FILE, *_NO_NAME})
"""What the system says of a path that names no readable file, on any machine."""

_CLOSE_SOME = "close some programs, then run it again"
_GRANT = "give the user that runs this step permission to read it"
_NO_MEMORY = Problem(
    "out-of-memory", "memory ran out", hint="give the step more memory, or let it use fewer threads, then run it again"
)
_FAILING = "check the disk or the network, then run it again"
_FAULTS = {
    errno.EMFILE: Problem(
        "too-many-open-files",
        "too many files are open in this process",
        hint="raise the limit (ulimit -n 4096), then run it again",
    ),
    errno.ENFILE: Problem("too-many-open-files", "too many files are open on this machine", hint=_CLOSE_SOME),
    errno.ENOSPC: Problem(
        "disk-full",
        "no space is left on the disk",
        hint="free some, or set TMPDIR to another folder, then run it again",
    ),
    errno.EDQUOT: Problem("disk-full", "the disk quota is used up", hint="free some space, then run it again"),
    errno.EACCES: Problem("permission-denied", "permission denied", hint=_GRANT),
    errno.EPERM: Problem("permission-denied", "permission denied", hint=_GRANT),
    errno.ENOMEM: _NO_MEMORY,
}


def fault_code(error: OSError) -> str:
    """The code of what the system refused: that of the machine's fault, or `system-error`."""
    fault = _FAULTS.get(error.errno or 0)
    return fault.code if fault else "system-error"


def machine_fault(error: BaseException, where: str = "") -> MachineError | None:
    """Tell a fault of the machine from a fault of a file on it.

    Only a statement about the file itself may reject a row: it is missing, not a file, or not a picture. Whatever else
    the system says could be otherwise on another machine or a minute later, so the step has to stop.

    Args:
        error: What was raised while a file was read or decoded.
        where: The file, as the user knows it.

    Returns:
        The error to raise in its place; None where `error` is about the file, or does not come from the system.
    """
    if isinstance(error, PolyheadError):
        return None
    if isinstance(error, MemoryError):
        fault = _NO_MEMORY
    elif isinstance(error, OSError) and error.errno is not None and error.errno not in _ABOUT_THE_FILE:
        other = Problem("system-error", f"cannot be read: {os.strerror(error.errno)}", hint=_FAILING)
        fault = _FAULTS.get(error.errno, other)
    elif isinstance(error, TimeoutError | ConnectionError):
        fault = Problem("no-answer", "cannot be read: no answer came", hint=_FAILING)
    else:
        return None
    return MachineError([replace(fault, where=where)])


def counted(count: int, noun: str) -> str:
    """A count with its noun: `1 row`, `1,200 rows`.

    Args:
        count: How many.
        noun: In the singular; its plural ends in `s`.
    """
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def did_you_mean(word: str, known: Sequence[str]) -> str:
    """The sentence that names the nearest known word, or lists the known ones.

    Args:
        word: What was received.
        known: The valid words.

    Returns:
        `"did you mean 'numeric'?"` where one is near; otherwise `"one of: a, b, c"` (at most twelve).
    """
    folded = {candidate.lower(): candidate for candidate in known}
    near = difflib.get_close_matches(word.lower(), folded, n=1, cutoff=0.6)
    if near:
        return f"did you mean '{folded[near[0]]}'?"
    if not known:
        return ""
    shown = ", ".join(list(known)[:12])
    return f"one of: {shown}{', …' if len(known) > 12 else ''}"
