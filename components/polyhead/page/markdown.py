"""Texts and tables as Markdown, which makes of them what they say and nothing else."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

_MARKS = re.compile(r"([\\`*_\[\]#|~$])")
_LEADING = re.compile(r"^([0-9]*)([-+=.])(?=[\s=-]|$)")
_LINK = re.compile(r"(?i)\b(https?|ftp|file|data|javascript|mailto)(:)|\b(www)(\.)")


def escaped(text: str) -> str:
    """A text of which Markdown makes that text: no markup, no links, no line breaks."""
    text = " ".join(text.split())
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    text = _MARKS.sub(r"\\\1", text)
    text = _LINK.sub(lambda found: f"{found[1] or found[3]}\\{found[2] or found[4]}", text)
    return _LEADING.sub(r"\1\\\2", text)


def table_lines(columns: Sequence[str], rows: Sequence[Sequence[str]], numeric: Collection[int] = ()) -> list[str]:
    """A table, line by line.

    Args:
        columns: Headings.
        rows: Cells, as many in each row.
        numeric: The columns, by position, that are aligned as numbers.
    """
    rules = ["---:" if i in numeric else "---" for i in range(len(columns))]
    cells = [f"| {' | '.join(escaped(text) for text in row)} |" for row in [columns, *rows]]
    return [cells[0], f"|{'|'.join(rules)}|", *cells[1:]]
