"""The errors a user can cause, and how they read.

Every error carries all the problems found at once; each problem says what is wrong, where, and what to
do next. The command line prints them and exits with 1; it never shows a traceback for one of these.
"""

from __future__ import annotations

import difflib
import errno
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong.

    Attributes:
        what: What is wrong, with what was received.
        where: The place: a path in the config, a file, a column, a row, a head. Empty for the whole run.
        hint: What to do next. Empty where `what` already says it.
    """

    what: str
    where: str = ""
    hint: str = ""

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        hint = f" ({self.hint})" if self.hint else ""
        return f"{place}{self.what}{hint}"


class PolyheadError(Exception):
    """Base of every error a user can cause.

    Args:
        problems: All problems found, at least one; a bare string stands for a single problem without a place.
        where: Place of the problem, when `problems` is a string.
        hint: What to do next, when `problems` is a string.
    """

    subject = "the run"

    def __init__(self, problems: str | Iterable[Problem], *, where: str = "", hint: str = "") -> None:
        if isinstance(problems, str):
            problems = [Problem(problems, where, hint)]
        self.problems: list[Problem] = list(problems)
        if not self.problems:
            raise ValueError("a PolyheadError needs at least one problem")
        super().__init__("; ".join(str(problem) for problem in self.problems))

    def rename(self, place: str, name: str) -> None:
        """Call a place by another name in every problem.

        Args:
            place: As the problems call it, or the beginning of that.
            name: As its user knows it.
        """
        self.problems = [
            Problem(*(text.replace(place, name) for text in (problem.what, problem.where, problem.hint)))
            for problem in self.problems
        ]
        self.args = ("; ".join(str(problem) for problem in self.problems),)


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
    """A place changed under the hands of whoever wanted to write or read it."""


class DeniedError(StorageError, PermissionError):
    """A store does not let us."""


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

_SHORT_OF = {
    errno.EMFILE: ("too many files are open in this process", "raise the limit (ulimit -n 4096), then run it again"),
    errno.ENFILE: ("too many files are open on this machine", "close some programs, then run it again"),
    errno.ENOSPC: ("no space is left on the disk", "free some, or let TMPDIR name another folder, and run it again"),
    errno.EDQUOT: ("the disk quota is used up", "free some space, then run it again"),
    errno.EACCES: ("permission denied", "give the user that runs this step the right to read it"),
    errno.EPERM: ("permission denied", "give the user that runs this step the right to read it"),
}
_NO_MEMORY = ("memory ran out", "give the step more memory, or let it use fewer threads, then run it again")

_FAILING = "see to the disk or the network, then run it again"


def machine_fault(error: BaseException, where: str = "") -> MachineError | None:
    """Tell what is wrong with a machine from what is wrong with a file on it.

    Only a statement about the file itself may reject a row: it is missing, is no file, or no picture. Whatever else
    the system says could be otherwise on another machine or a minute later, so the step has to stop.

    Args:
        error: What was raised while a file was read or decoded.
        where: The file, as the user knows it.

    Returns:
        The error to raise in its place; None where `error` is about the file, or is no error of the system.
    """
    if isinstance(error, PolyheadError):
        return None
    if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM):
        what, hint = _NO_MEMORY
    elif isinstance(error, OSError) and error.errno is not None and error.errno not in _ABOUT_THE_FILE:
        what, hint = _SHORT_OF.get(error.errno, (f"cannot be read: {os.strerror(error.errno)}", _FAILING))
    elif isinstance(error, TimeoutError | ConnectionError):
        what, hint = "cannot be read: no answer came", _FAILING
    else:
        return None
    return MachineError(what, where=where, hint=hint)


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
