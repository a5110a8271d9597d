"""What the entries of an example are called."""

from __future__ import annotations

KEY_ENTRY = "key"
"""The entry of a row's key."""


WEIGHT_ENTRY = "weight"
"""The entry of a row's weights, one for each column of them."""


def raw_weight(name: str) -> str:
    """What a head's row weights are called beside its raw target."""
    return f"{name}/weight"


def entry_name(group: str, kind: str, name: str = "") -> str:
    """The entry of a kind's columns, or of one of them.

    Args:
        group: feature or target.
        kind: Of the columns.
        name: Of the column, where each has an entry of its own.
    """
    return f"{group}/{kind}/{name}" if name else f"{group}/{kind}"
