r"""How text is cut into terms. The name is part of the contract: another definition gets another name.

`unicode-words-1`: lower case, then maximal runs of at least two letters, digits or underscores, in any script;
that is scikit-learn's default `(?u)\b\w\w+\b`. Terms of several words are joined by a single space. The graph's
form of the same definition is `polyhead.kinds.features.text.graph.TextTransform`.
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
    flat = words.alias("term").to_frame().with_row_index("text").explode("term", empty_as_null=True, keep_nulls=True)
    runs = [flat]
    for length in range(2, ngrams + 1):
        run = pl.concat_str([pl.col("term").shift(-ahead) for ahead in range(length)], separator=" ")
        same_text = pl.col("text") == pl.col("text").shift(1 - length)
        runs.append(flat.with_columns(run).filter(same_text))
    joined = pl.concat(runs).sort("text", maintain_order=True).group_by("text", maintain_order=True).agg("term")
    known = pl.when(texts.is_not_null())
    return joined.select(known.then(pl.col("term").list.drop_nulls()).alias(texts.name)).to_series()
