"""Problems and hints: how they read."""

from __future__ import annotations

import pytest

from polyhead.errors import ConfigError, DataError, Problem, counted, did_you_mean


@pytest.mark.parametrize(
    ("word", "known", "expected"),
    [
        ("numerik", ["numeric", "text"], "did you mean 'numeric'?"),
        ("AREA", ["Area", "rooms"], "did you mean 'Area'?"),
        ("zzz", ["a", "b"], "one of: a, b"),
        ("zzz", [], ""),
        ("zzz", [f"c{i}" for i in range(13)], "one of: " + ", ".join(f"c{i}" for i in range(12)) + ", …"),
    ],
)
def test_did_you_mean(word: str, known: list[str], expected: str) -> None:
    """The nearest word in any case, or the list."""
    assert did_you_mean(word, known) == expected


def test_an_error_carries_all_problems() -> None:
    """Its text holds each with its place and hint."""
    error = DataError([Problem("is-bad", "is bad", where="a.csv", hint="mend it"), Problem("is-late", "is late")])
    assert str(error) == "a.csv: is bad (mend it) [is-bad]; is late [is-late]"
    assert [problem.code for problem in error.problems] == ["is-bad", "is-late"]
    assert str(ConfigError("is-bad", "is bad", where="f:1")) == "f:1: is bad [is-bad]"
    with pytest.raises(ValueError, match="at least one"):
        DataError([])


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 rows"), (1, "1 row"), (2, "2 rows"), (1_000, "1,000 rows")],
)
def test_a_count_has_the_number_of_its_noun(count: int, text: str) -> None:
    """One is one row, everything else rows; thousands are set apart."""
    assert counted(count, "row") == text
