"""The errors a user can cause, and how they read.

Every error carries all the problems found at once; each problem says what is wrong, where, and what to
do next. The command line prints them and exits with 1; it never shows a traceback for one of these.
"""

from __future__ import annotations

import difflib
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


class PipelineError(PolyheadError):
    """A pipeline step stopped without an error of its own, or without its outputs."""

    subject = "the pipeline"


class SubmitError(PolyheadError):
    """A pipelines server cannot be reached or refuses a request, or what shall be sent to it is wrong."""

    subject = "the submission"


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
