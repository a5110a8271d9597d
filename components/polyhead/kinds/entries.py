"""What the entries of an example are called."""

from __future__ import annotations

KEY_ENTRY = "key"
"""The entry of a row's key."""


def entry_name(group: str, kind: str, name: str = "") -> str:
    """The entry of a kind's columns, or of one of them.

    Args:
        group: feature or target.
        kind: Of the columns.
        name: Of the column, where each has an entry of its own.
    """
    return f"{group}/{kind}/{name}" if name else f"{group}/{kind}"
