"""What the columnar engine cannot read of JSON Lines: columns of several kinds, and halves of character pairs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import IO, Any

_HALF = re.compile(rb"\\u[dD][89a-fA-F]")
_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(?P<half>u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)
_BLOCK = 8 * 2**20
_MIXED = "mixed"
_TOGETHER = ({"text", "number"}, {"text", "boolean"}, {"text", "number", "boolean"})
"""Kinds that the engine reads as text if they are in one column."""


def has_halves(stream: IO[bytes]) -> bool:
    r"""Whether a file may hold half of a character pair, such as `\ud83d` alone."""
    return any(_HALF.search(block) for block in _blocks(stream))


def without_halves(line: bytes) -> bytes:
    """A line of JSON in which U+FFFD replaces each half of a surrogate pair, as when broken UTF-16 is decoded."""
    return _ESCAPE.sub(lambda found: rb"\ufffd" if found["half"] else found[0], line)


def has_booleans(stream: IO[bytes], columns: Sequence[str]) -> bool:
    """Whether one of some columns may hold a boolean."""
    names = {
        form for name in columns for form in (json.dumps(name).encode(), json.dumps(name, ensure_ascii=False).encode())
    }
    if not names:
        return False
    pattern = re.compile(
        b"(?:" + b"|".join(map(re.escape, sorted(names))) + rb")\s*:\s*(?:\[[^\]]*?)?\b(?:true|false)\b"
    )
    return any(pattern.search(block) for block in _blocks(stream))


def mixed_columns(lines: Iterable[bytes], *, records: bool) -> dict[str, str]:
    """The columns that hold several kinds of values, such as booleans and numbers, or lists and words.

    Args:
        lines: The file.
        records: Whether columns of records count too.

    Returns:
        By column `mixed`, or `list` for lists whose items are of several kinds.

    Raises:
        ValueError: A line is not JSON.
        RecursionError: A line is nested too deeply.
    """
    kinds: dict[str, set[str]] = {}
    items: dict[str, set[str]] = {}
    for record in _records(lines):
        for name, value in record.items():
            if value is not None:
                kinds.setdefault(name, set()).add(_kind(value))
            if isinstance(value, list):
                items.setdefault(name, set()).update(_kind(item) for item in value if item is not None)
    found = {name: "list" for name, inner in items.items() if len(inner) > 1 or inner & {"list", "record"}}
    for name, own in kinds.items():
        if (len(own) > 1 and own not in _TOGETHER) or (records and "record" in own):
            found[name] = _MIXED
    return found


def rewritten(lines: Iterable[bytes], mixed: Mapping[str, str]) -> Iterator[bytes]:
    """The same lines, the values of mixed columns as text.

    Args:
        lines: The file.
        mixed: As `mixed_columns` gives it.
    """
    for record in _records(lines):
        for name in mixed.keys() & record.keys():
            value = record[name]
            if mixed[name] == "list" and isinstance(value, list):
                record[name] = [_text(item) for item in value]
            else:
                record[name] = _text(value)
        yield json.dumps(record).encode() + b"\n"


def _records(lines: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    for line in lines:
        if line.strip():
            record = json.loads(line)
            if not isinstance(record, dict):
                raise ValueError(f"received a {type(record).__name__}")
            yield record


def _kind(value: object) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, (int, float)):
        return "number"
    if isinstance(value, str):
        return "text"
    return "list" if isinstance(value, list) else "record"


def _text(value: object) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value)


def _blocks(stream: IO[bytes]) -> Iterator[bytes]:
    while lines := stream.readlines(_BLOCK):
        yield b"".join(lines)
