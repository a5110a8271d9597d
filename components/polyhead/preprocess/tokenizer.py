"""How text is cut into terms. The name is part of the contract: another definition gets another name.

`unicode-words-1`: lower case, then maximal runs of at least two letters, digits or underscores, in any script;
that is scikit-learn's default `(?u)\\b\\w\\w+\\b`. Terms of several words are joined by a single space. The graph's
form of the same definition is `polyhead.preprocess.layers.TextTransform`.
"""

from __future__ import annotations

import polars as pl

NAME = "unicode-words-1"
WORD_CHARACTERS = r"\p{L}\p{N}_"
SHORTEST_WORD = 2


def terms(texts: pl.Series, ngrams: int) -> pl.Series:
    """The terms of every text, in order, repeats included.

    Args:
        texts: Strings; null stays null.
        ngrams: Longest run of words that counts as a term, at least 1.

    Returns:
        Lists of strings, runs of one word first.
    """
    words = texts.str.to_lowercase().str.extract_all(f"[{WORD_CHARACTERS}]{{{SHORTEST_WORD},}}")
    if ngrams == 1:
        return words
    runs = [
        None
        if row is None
        else [" ".join(row[i : i + n]) for n in range(1, ngrams + 1) for i in range(len(row) - n + 1)]
        for row in words.to_list()
    ]
    return pl.Series(texts.name, runs, dtype=pl.List(pl.String))
