"""Columns of free text."""

from __future__ import annotations

from polyhead.kinds.coercion import EMPTY_SET, Coercion, Source, word_coercion
from polyhead.kinds.features.text.config import TextFeature
from polyhead.kinds.guessing.columns import Column
from polyhead.kinds.guessing.guess import LIST, MOSTLY, Guess, Rank, holds_text, tag_separator
from polyhead.kinds.protocols.table import FeatureTable
from polyhead.kinds.summaries import WordSummary


class TextTable(FeatureTable[TextFeature]):
    """Text as it stands, blanks at its ends included."""

    single = False

    def coercion(self, source: Source, member: TextFeature) -> Coercion:
        del member
        return word_coercion(source, strip=False)

    def guess(self, column: Column) -> Guess | None:
        if not column.distinct:
            return None
        if column.share(LIST) > MOSTLY:
            return Guess("text", why="lists, written as text; their words count one by one", rank=Rank.TAGS)
        separator = tag_separator(column)
        if separator is not None:
            count = len(_labels(column, separator))
            why = f"tags: {count} labels with {separator!r} between them; each word of them counts"
            return Guess("text", why=why, rank=Rank.TAGS)
        if not holds_text(column):
            return None
        if column.is_unspaced:
            return Guess("text", why="free text; what stands between two marks is one term, unless spaces cut words")
        return Guess("text", why=f"free text, about {column.length:.0f} words in a cell")

    def summary(self) -> WordSummary:
        return WordSummary()


def _labels(column: Column, separator: str) -> list[str]:
    flat = column.known.filter(column.known != EMPTY_SET).str.split(separator).explode().str.strip_chars()
    return flat.filter(flat != "").unique().sort().to_list()
