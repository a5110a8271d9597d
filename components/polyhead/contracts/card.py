"""What a model card says, whatever it is written as. Nothing of it is an artifact."""

from __future__ import annotations

from pydantic import Field, JsonValue

from polyhead.contracts.artifact import Record


class CardTable(Record):
    """A table of texts.

    Attributes:
        columns: Titles.
        rows: Of as many texts each.
        numeric: The columns, by position, that are aligned as numbers.
    """

    columns: list[str]
    rows: list[list[str]]
    numeric: list[int] = Field([])


class CardSection(Record):
    """A part of the card.

    Attributes:
        title: Its heading.
        level: 2 for a part of the card, 3 for a part of such a part.
        texts: Paragraphs.
        points: A list.
        table: None where there is none.
    """

    title: str
    level: int = 2
    texts: list[str] = Field([])
    points: list[str] = Field([])
    table: CardTable | None = None


class Card(Record):
    """A model card.

    Attributes:
        title: Its heading.
        sections: In order.
        facts: The same as plain values, for programs.
    """

    title: str
    sections: list[CardSection]
    facts: dict[str, JsonValue]
