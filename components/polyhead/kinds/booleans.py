"""The words that mean yes and no."""

from __future__ import annotations

NO_YES = (("0", "1"), ("false", "true"), ("no", "yes"), ("n", "y"), ("f", "t"), ("off", "on"))
"""Pairs of words, in lower case, of which the first means no and the second yes."""

FALSE, TRUE = "false", "true"
"""How a canonical column spells no and yes."""

MEANINGS = {word: meaning for pair in NO_YES for word, meaning in zip(pair, (FALSE, TRUE), strict=True)}
"""`FALSE` or `TRUE` by word."""
