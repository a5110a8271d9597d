"""Codes of errors: well formed, one for each reason, and the same wherever the reason is."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from pathlib import Path

import messages
import pytest

from polyhead.errors import PolyheadError


def test_codes_are_words_joined_by_dashes() -> None:
    """So that they can be read, typed and searched for."""
    codes = messages.by_code()
    assert len(codes) > 100
    assert [code for code in codes if not re.fullmatch(r"[a-z]+(-[a-z]+8?)*", code)] == []


def test_a_message_has_one_code_wherever_it_is() -> None:
    """Wording that says the reason; one that only says `is missing` needs its place to say what is wrong."""
    codes = defaultdict(set)
    for message in messages.messages():
        for what in message.what:
            if len(re.findall(r"(?<!\{)\b[a-zA-Z]{3,}\b(?!\})", what)) > 3:
                codes[what].update(message.codes)
    assert {what: sorted(found) for what, found in codes.items() if len(found) > 1} == {}


def test_every_kind_of_error_is_collected() -> None:
    """An error class of its own, in whatever module, is not overlooked."""

    def classes(base: type[PolyheadError]) -> set[str]:
        return {base.__name__}.union(*map(classes, base.__subclasses__()))

    assert classes(PolyheadError) <= messages.error_classes()
    assert {"DeniedError", "BrokenAnswerError"} <= messages.error_classes()


@pytest.mark.parametrize(
    ("source", "codes", "what", "hints"),
    [
        ('raise DataError("empty-file", "is empty", where=place)', ["empty-file"], ["is empty"], []),
        ('yield Problem("no-gate", f"no {name}: {len(rows)}", hint="x")', ["no-gate"], ["no {name}: {rows}"], ["x"]),
        (
            'what, hint = ("a", "b") if tall else ("c", "d")\n    yield Problem("no-rows", what, hint=hint)',
            ["no-rows"],
            ["a", "c"],
            ["b", "d"],
        ),
        ("yield Problem(error.code, error.what)", [], ["{what}"], []),
    ],
)
def test_what_is_read_from_a_call(source: str, codes: list[str], what: list[str], hints: list[str]) -> None:
    """Its code, and every variant of what it says; a placeholder has the name of its value."""
    (message,) = messages.messages_in(module_of(source))
    assert (message.codes, message.what, message.hints) == (codes, what, hints)


def test_a_choice_of_codes_goes_with_what_is_said_then() -> None:
    """Each code has the wording of its own branch."""
    source = 'raise DataError("no-rows" if rows is None else "bad-rows", f"has {\'none\' if rows is None else rows}")'
    found = messages.messages_in(module_of(source))
    assert [(message.codes, message.what) for message in found] == [
        (["no-rows"], ["has none"]),
        (["bad-rows"], ["has {rows}"]),
    ]


@pytest.mark.parametrize(
    "source",
    [
        "yield Problem(f\"no column '{column}'\", table)",
        'raise DataError(text.lower(), "is empty")',
    ],
)
def test_a_code_that_is_not_written_out_is_refused(source: str) -> None:
    """One that was forgotten, or is made up at run time."""
    with pytest.raises(messages.UnreadableError, match=r"example\.py:2"):
        list(messages.messages_in(module_of(source)))


def module_of(source: str) -> messages.Module:
    """A module of one function with these lines."""
    return messages.Module(Path("example.py"), ast.parse(f"def example():\n    {source}\n"))
