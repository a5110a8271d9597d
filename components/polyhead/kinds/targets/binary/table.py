"""Columns of one of two labels."""

from __future__ import annotations

from polyhead.errors import Problem
from polyhead.kinds.coercion import Coercion, Source, one_word_coercion
from polyhead.kinds.guessing.columns import Column, percent, shown
from polyhead.kinds.guessing.guess import Guess, Rank, unlabelled
from polyhead.kinds.summaries import ClassSummary
from polyhead.kinds.targets.binary.config import BinaryTarget
from polyhead.kinds.targets.class_table import ClassTable

_RARE = 0.25


class BinarySummary(ClassSummary):
    """A column of two classes."""

    def problem(self, name: str, rows: int) -> Problem | None:
        """No class, one only, or more than two."""
        found = super().problem(name, rows)
        if found is not None or len(self.classes) <= 2:
            return found
        what = f"has {len(self.classes)} labels ({', '.join(sorted(self.classes)[:6])}), binary means two"
        return Problem(what, f"target '{name}'", "use kind: multiclass")


class BinaryTable(ClassTable[BinaryTarget]):
    """One word a cell, of two."""

    def coercion(self, source: Source, member: BinaryTarget) -> Coercion:
        del member
        return one_word_coercion(source)

    def guess(self, column: Column) -> Guess | None:
        if column.kinds != 2 or not (column.numbers is None or column.distinct == 2):
            return None
        counts = column.known.alias("word").value_counts().sort("count", "word")
        rarer, often = (shown(word) for word in counts["word"])
        rows = counts["count"][0]
        options: dict[str, object] = {"class_weight": "balanced"} if rows < len(column.known) * _RARE else {}
        why = f"{rarer} or {often}, {percent(rows / len(column.known))} are {rarer}{unlabelled(column)}"
        return Guess("binary", options, why, rank=Rank.FEW)

    def summary(self) -> BinarySummary:
        return BinarySummary()
