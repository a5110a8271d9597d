"""One spelling for every word, whatever wrote the table: categories, labels, keys, split names and texts.

pandas writes an integer column with a gap as `85255.0`, and booleans as `True`; polars writes `true`. The same
midnight is `2024-01-31`, `2024-01-31 00:00:00` or `2024-01-31T00:00:00.000000`. Every cell is respelled by one rule,
so that a column holds the same words from every format. What no typed column would write, such as `007`, `1.50` or
`12e5`, stays as it is.
"""

from __future__ import annotations

import math
import re
import unicodedata
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BeforeValidator

_DATE = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
_TIME = "[0-9]{2}:[0-9]{2}:[0-9]{2}"
_ZONE = "(Z|[-+][0-9]{2}:?[0-9]{2}|)"

RESPELLINGS: tuple[tuple[str, str], ...] = (
    (r"^(-?(?:0|[1-9][0-9]*))\.0$", r"\1"),
    ("^-0$", "0"),
    ("^(?:True|TRUE)$", "true"),
    ("^(?:False|FALSE)$", "false"),
    (rf"^({_DATE})[ T]00:00:00(?:\.0+)?$", r"\1"),
    (rf"^({_DATE})[ T]({_TIME})(?:\.0+)?{_ZONE}$", r"\1T\2\3"),
    (rf"^({_DATE})[ T]({_TIME}\.[0-9]*[1-9])0*{_ZONE}$", r"\1T\2\3"),
    (rf"^({_DATE}T{_TIME}(?:\.[0-9]+)?)[-+]00:?00$", r"\1Z"),
    (rf"^({_TIME})\.0+$", r"\1"),
    (rf"^({_TIME}\.[0-9]*[1-9])0+$", r"\1"),
)
"""Patterns and their replacements, one after the other, in the syntax that Python, Rust and RE2 share."""

COMPUTED = (
    r"^-?(?:0\.0000[0-9]+|[0-9](?:\.[0-9]+)?e[-+]?[0-9]{1,3})$"
    rf"|^{_DATE}T{_TIME}(?:\.[0-9]+)?[-+][0-9]{{2}}:?[0-9]{{2}}$"
)
"""The respelled words that `computed` may spell otherwise."""

_LARGEST_WHOLE = 2.0**127  # what the widest column of whole numbers holds


def computed(word: str) -> str:
    """How a word is spelled that no pattern can respell.

    Numbers from 1e16 are whole, below 2**127 they are written out; those below 0.0001 are spelled as Python spells
    them (`1e-05`). Numbers between, which no typed column writes with an exponent, stay. Times with an offset are
    given in UTC.

    Args:
        word: A word that `COMPUTED` matches, after `RESPELLINGS`.
    """
    if ":" in word:
        return _in_utc(word)
    value = float(word)
    size = abs(value)
    if not math.isfinite(value) or size == 0 or 1e-4 <= size < 1e16:
        return word
    return str(int(value)) if 1e16 <= size < _LARGEST_WHOLE else repr(value)


def _in_utc(time: str) -> str:
    start, fraction, offset = re.fullmatch(r"([^.]*?)(\.[0-9]+)?([-+][0-9]{2}:?[0-9]{2})", time).groups()  # type: ignore[union-attr]
    try:
        moment = datetime.fromisoformat(start + offset).astimezone(UTC)
    except (ValueError, OverflowError):  # no such day
        return time
    return f"{moment:%Y-%m-%dT%H:%M:%S}{fraction or ''}Z"


def spelled(word: str) -> str:
    """How a word is spelled, without white space around it.

    Columns are spelled by `polyhead.kinds.coercion`, from the same patterns.
    """
    word = unicodedata.normalize("NFC", word.strip())
    for pattern, replacement in RESPELLINGS:
        word = re.sub(pattern, replacement, word)
    return computed(word) if re.search(COMPUTED, word) else word


def _of_config(value: Any) -> Any:
    if isinstance(value, bool):
        value = str(value)
    return spelled(value) if isinstance(value, str) else value


Word = Annotated[str, BeforeValidator(_of_config, json_schema_input_type=str | bool)]
"""A word in the configuration, spelled as the tables' words are; `true` and `false` need no quotes.

Numbers do: what YAML makes of `007` is no longer the word that was written.
"""
