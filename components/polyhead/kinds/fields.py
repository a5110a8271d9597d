"""How a form asks for a value of a feature."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import polars as pl

_MOST_CHOICES = 300

Control = Literal["picture", "pictures", "number", "choice", "line", "text", "moment", "numbers"]
"""What is filled in. `number`: a number. `choice`: one of the choices. `line`: a line of text, for which the choices
are proposals. `text`: lines of text. `moment`: a date and time in UTC. `numbers`: numbers with commas or blanks between
them. `picture`: a file. `pictures`: any number of files."""


@dataclass(frozen=True)
class Field:
    """What a form shows for a feature. What is left empty is missing.

    Attributes:
        control: What is filled in.
        choices: Words to choose from, the most frequent first.
        hint: What to know of it, such as the range of the train rows.
    """

    control: Control
    choices: tuple[str, ...] = ()
    hint: str = ""


def field_of_words(words: pl.Series, hint: str = "") -> Field:
    """A list to choose from; of very many words the most frequent are proposed, and any may be written.

    Args:
        words: The vocabulary, the most frequent first.
        hint: As in `Field`.
    """
    few = len(words) <= _MOST_CHOICES
    return Field("choice" if few and len(words) else "line", tuple(words.head(_MOST_CHOICES).to_list()), hint)
