"""What notebooks show: tables and lists, every text escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

_LEFT = "text-align: left"


def table(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table; empty without a row.

    Args:
        headers: The names of its columns.
        rows: Their cells, shown as text.
    """
    lines = ["".join(f'<td style="{_LEFT}">{escape(str(cell))}</td>' for cell in row) for row in rows]
    if not lines:
        return ""
    head = "".join(f'<th style="{_LEFT}">{escape(header)}</th>' for header in headers)
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def listed(lines: Iterable[str]) -> str:
    """A list; empty without a line."""
    items = "".join(f"<li>{escape(line)}</li>" for line in lines)
    return f"<ul>{items}</ul>" if items else ""


def heading(text: str) -> str:
    """A line in bold."""
    return f"<p><strong>{escape(text)}</strong></p>"
