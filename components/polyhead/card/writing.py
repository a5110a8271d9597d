"""A card as Markdown and as HTML. Every text from the data or the configuration is escaped."""

from __future__ import annotations

import re
from pathlib import Path

from polyhead.contracts.card import Card, CardTable
from polyhead.page.template import page_template

_TEMPLATE = Path(__file__).with_name("card.html.j2")
_MARKS = re.compile(r"([\\`*_\[\]#|~$])")
_LEADING = re.compile(r"^([0-9]*)([-+=.])(?=[\s=-]|$)")
_LINK = re.compile(r"(?i)\b(https?|ftp|file|data|javascript|mailto)(:)|\b(www)(\.)")


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
            lines += ["", *_table(section.table)]
    return "\n".join([*lines, ""])


def _table(table: CardTable) -> list[str]:
    rules = ["---:" if i in table.numeric else "---" for i in range(len(table.columns))]
    rows = [table.columns, *table.rows]
    cells = [f"| {' | '.join(escaped(text) for text in row)} |" for row in rows]
    return [cells[0], f"|{'|'.join(rules)}|", *cells[1:]]


def escaped(text: str) -> str:
    """A text of which Markdown makes that text: no markup, no links, no line breaks."""
    text = " ".join(text.split())
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    text = _MARKS.sub(r"\\\1", text)
    text = _LINK.sub(lambda found: f"{found[1] or found[3]}\\{found[2] or found[4]}", text)
    return _LEADING.sub(r"\1\\\2", text)
