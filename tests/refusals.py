"""What a user's mistake is refused for: the codes of its problems, their places and values, not their wording.

with refusal(DataError, "unknown-column", where="table.csv", shows=["'size'", "'sizes'"]):
    read_table("table.csv", ["size"])
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from polyhead.errors import PolyheadError, Problem

Place = str | Path


class refusal:  # reads as pytest.raises does
    """A block that must end with an error of these problems, in this order.

    Args:
        kind: The error's class.
        codes: The code of each problem.
        where: The place of the only problem, or the places of all. Default: any.
        shows: Values that the problems show, in their place, what they say or their hint. Default: any.

    Attributes:
        problems: After the block, the problems.
    """

    def __init__(
        self,
        kind: type[PolyheadError],
        *codes: str,
        where: Place | Sequence[Place] | None = None,
        shows: Iterable[object] = (),
    ) -> None:
        self.problems: list[Problem] = []
        self._raises = pytest.raises(kind)
        self._codes = list(codes)
        self._where = [where] if isinstance(where, str | Path) else where
        self._shows = [str(value) for value in shows]

    @property
    def problem(self) -> Problem:
        """The only problem."""
        (problem,) = self.problems
        return problem

    def __enter__(self) -> Self:
        self._caught = self._raises.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        expected = self._raises.__exit__(kind, error, traceback)
        if expected:
            self.problems = self._caught.value.problems
            assert_problems(self.problems, *self._codes, where=self._where, shows=self._shows)
        return bool(expected)


def assert_problems(
    problems: Sequence[Problem], *codes: str, where: Sequence[Place] | None = None, shows: Iterable[str] = ()
) -> None:
    """Check problems that are at hand; see `refusal`."""
    assert [problem.code for problem in problems] == list(codes), problems
    if where is not None:
        assert [problem.where for problem in problems] == [str(place) for place in where]
    text = "\n".join(map(str, problems))
    assert [value for value in shows if value not in text] == [], text


def gist(problem: Problem) -> tuple[str, str, list[str]]:
    """What a program knows of a problem, whatever its wording.

    Returns:
        Its place, its code, and the values that it shows, hint included: what is in quotes, and numbers.
    """
    found = re.findall(r"(?<!\w)'([^']+)'(?!\w)|(?<![\w.-])([+-]?\d(?:[\d.,]*\d)?)", f"{problem.what} {problem.hint}")
    return problem.where, problem.code, [quoted or number for quoted, number in found]
