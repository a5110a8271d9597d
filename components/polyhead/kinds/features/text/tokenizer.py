r"""How text is cut into terms. The names are part of the contract: another definition gets another name.

`unicode-words-1`: lower case, then maximal runs of at least two letters, digits or underscores, in any script;
that is scikit-learn's default `(?u)\b\w\w+\b`. Stop words are left out. Terms of several words are runs of what is left
then, joined by a single space.

`unicode-characters-1`: lower case, then what white space separates, with a space before and behind each; terms are runs
of its code points. That is scikit-learn's `analyzer="char_wb"`, with NUL as white space.

The graph's form of the same definitions is `polyhead.kinds.features.text.graph.TextTransform`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

import polars as pl

WORDS = "unicode-words-1"
CHARACTERS = "unicode-characters-1"
WORD_CHARACTERS = r"\p{L}\p{N}_"
SHORTEST_WORD = 2
WHITE_SPACE = r"\p{Z}\x00\t-\r\x1c-\x1f\x{85}"


def stopped(stop_words: Sequence[str]) -> list[str]:
    """The words that stop words are cut into, in order of their code points: of `don't` it is `don`."""
    cut = terms(pl.Series(stop_words, dtype=pl.String), 1)
    return cut.explode(empty_as_null=False).unique().sort().to_list()


def terms(texts: pl.Series, ngrams: int, left_out: Collection[str] = ()) -> pl.Series:
    """The terms of every text by `WORDS`, in order, repeats included.

    Args:
        texts: Strings; null stays null.
        ngrams: Longest run of words that counts as a term, at least 1.
        left_out: Words that are left out before runs are formed, as `stopped` gives them.

    Returns:
        Lists of strings, runs of one word first.
    """
    words = texts.str.to_lowercase().str.extract_all(f"[{WORD_CHARACTERS}]{{{SHORTEST_WORD},}}")
    if left_out:
        words = words.list.eval(pl.element().filter(~pl.element().is_in(list(left_out))))
    if ngrams == 1:
        return words
    flat = words.alias("term").to_frame().with_row_index("text").explode("term", empty_as_null=True, keep_nulls=True)
    return _gathered(_runs(flat.with_columns(unit="text"), range(1, ngrams + 1), " "), texts)


def characters(texts: pl.Series, shortest: int, longest: int) -> pl.Series:
    """The terms of every text by `CHARACTERS`, in order, repeats included.

    Args:
        texts: Strings; null stays null.
        shortest: Fewest characters of a term, 1 to 3: what a word of one letter has with the spaces around it.
        longest: Most.

    Returns:
        Lists of strings, the shortest first.
    """
    words = texts.str.to_lowercase().str.extract_all(f"[^{WHITE_SPACE}]+").alias("term").to_frame()
    flat = words.with_row_index("text").explode("term", empty_as_null=True, keep_nulls=True).with_row_index("unit")
    spaced = pl.concat_str([pl.lit(" "), "term", pl.lit(" ")]).alias("term")
    flat = flat.with_columns(spaced.str.extract_all("(?s).")).explode("term", empty_as_null=True, keep_nulls=True)
    return _gathered(_runs(flat, range(shortest, longest + 1), ""), texts)


def _runs(flat: pl.DataFrame, lengths: Iterable[int], separator: str) -> pl.DataFrame:
    """Runs of neighbouring pieces of a unit.

    Args:
        flat: `text`, the number of the text; `unit`, that of the unit; `term`, a piece.
        lengths: How many pieces a run has.
        separator: Between two of them.
    """
    runs = []
    for length in lengths:
        run = pl.concat_str([pl.col("term").shift(-ahead) for ahead in range(length)], separator=separator)
        whole = pl.col("unit") == pl.col("unit").shift(1 - length)
        runs.append(flat.select("text", run.alias("term"), whole=whole).filter("whole").drop("whole"))
    return pl.concat(runs)


def _gathered(runs: pl.DataFrame, texts: pl.Series) -> pl.Series:
    """Runs as a list for each text."""
    lists = runs.drop_nulls().sort("text", maintain_order=True).group_by("text", maintain_order=True).agg("term")
    every = pl.DataFrame({"known": texts.is_not_null()}).with_row_index("text").join(lists, on="text", how="left")
    known = pl.when("known").then(pl.col("term").fill_null([]))
    return every.select(known.alias(texts.name)).to_series()
