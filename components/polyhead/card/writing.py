"""A card as Markdown and as HTML. Every text from the data or the configuration is escaped."""

from __future__ import annotations

from pathlib import Path

from polyhead.contracts.card import Card
from polyhead.page.markdown import escaped, table_lines
from polyhead.page.template import page_template

_TEMPLATE = Path(__file__).with_name("card.html.j2")


def as_html(card: Card) -> str:
    """A whole HTML document that loads nothing and runs no script."""
    return page_template(_TEMPLATE).render(card=card)


def as_markdown(card: Card) -> str:
    """A Markdown document, as GitHub and model registries read it."""
    lines = [f"# {escaped(card.title)}"]
    for section in card.sections:
        lines += ["", f"{'#' * section.level} {escaped(section.title)}"]
        for text in section.texts:
            lines += ["", escaped(text)]
        if section.points:
            lines += ["", *(f"- {escaped(point)}" for point in section.points)]
        if section.table is not None:
            table = section.table
            lines += ["", *table_lines(table.columns, table.rows, table.numeric)]
    return "\n".join([*lines, ""])
