"""Lists that Python, NumPy or JSON wrote into a cell, as pandas does when it writes CSV."""

from __future__ import annotations

import ast
import json
import re

LIKE_A_LIST = (
    r"""(?s)^(?:\[\s*(?:np\.\w+\(|['"0-9.+\-\]]|[Tt]rue|[Ff]alse|None|null|[Nn]a[Nn]|<NA>|NaT).*\]|"""
    r"""\[\s*\]|[({]\s*(?:np\.\w+\()?['"].*[)}])$"""
)
"""Cells that `read_list` may read, in the syntax that Python and Rust share."""

NO_LIST = r"""(?s)^\[\s*(?:np\.|['"])|^\[.*,.*\]$"""
"""Cells that look like a list, for those that `read_list` does not read."""

_BRACKETS = {"[": "]", "(": ")", "{": "}"}
_QUOTED = r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\""""
_BARE = r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[-+]?[0-9]+)?|[Tt]rue|[Ff]alse|None|null|[Nn]a[Nn]|<NA>|NaT"
_ITEM = re.compile(rf"(?P<numpy>np\.\w+\()?(?:(?P<quoted>{_QUOTED})|(?P<bare>{_BARE}))(?(numpy)\))", re.DOTALL)
_BETWEEN = re.compile(r"\s*,\s*|\s+")
_MISSING = frozenset(["None", "null", "nan", "NaN", "<NA>", "NaT"])


def read_list(cell: str) -> list[str | None] | None:
    """The items of a list, tuple or set of words, numbers and booleans, as text.

    Nothing is evaluated: what is neither a quoted string nor one of a few plain words is refused.

    Args:
        cell: Such as `['new', 'old']`, `["new"]`, `['new' 'old']`, `[np.str_('new')]`, `[1, 2.5]` or `[]`.

    Returns:
        The items, None where one is missing; None for any other cell.
    """
    cell = cell.strip()
    if len(cell) < 2 or _BRACKETS.get(cell[0]) != cell[-1]:
        return None
    body = cell[1:-1].strip()
    items: list[str | None] = []
    place = 0
    while place < len(body):
        match = _ITEM.match(body, place)
        if match is None:
            return None
        quoted, bare = match["quoted"], match["bare"]
        try:
            items.append(_unquoted(quoted) if quoted else None if bare in _MISSING else bare)
        except (ValueError, SyntaxError):
            return None
        place = match.end()
        if place < len(body):
            between = _BETWEEN.match(body, place)
            if between is None:
                return None
            place = between.end()
    return [f"{item}0" if item and item.endswith(".") and item[:-1].lstrip("+-").isdigit() else item for item in items]


def _unquoted(text: str) -> str:
    if text.startswith('"'):
        try:
            return str(json.loads(text))
        except json.JSONDecodeError:
            pass  # Python escapes otherwise
    value: str = ast.literal_eval(text)
    return value
