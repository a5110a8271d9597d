"""Columns of one of two labels."""

from __future__ import annotations

from polyhead.errors import DataError, Problem, did_you_mean
from polyhead.kinds.booleans import NO_YES
from polyhead.kinds.coercion import Coercion, Source, one_word_coercion
from polyhead.kinds.guessing.columns import Column, percent, shown
from polyhead.kinds.guessing.guess import Guess, Rank, unlabelled
from polyhead.kinds.summaries import ClassSummary
from polyhead.kinds.targets.binary.config import BinaryTarget
from polyhead.kinds.targets.class_table import ClassFit, ClassTable
from polyhead.kinds.targets.classes import RARE


class BinarySummary(ClassSummary):
    """A column of two classes."""

    def problem(self, name: str, rows: int) -> Problem | None:
        """No class, one only, or more than two."""
        found = super().problem(name, rows)
        if found is not None or len(self.classes) <= 2:
            return found
        what = f"has {len(self.classes)} labels ({', '.join(sorted(self.classes)[:6])}); binary needs exactly two"
        return Problem("too-many-classes", what, where=f"target '{name}'", hint="use kind: multiclass")


class BinaryFit(ClassFit[BinaryTarget]):
    """The two classes of a target, the negative one first."""

    kind = "binary"

    def _classes(self, counted: dict[str, int]) -> list[str]:
        where = f"target '{self.name}'"
        if len(counted) > 2:
            raise DataError(
                "too-many-classes",
                f"has {len(counted)} labels; binary needs exactly two",
                where=where,
                hint="use kind: multiclass",
            )
        labels, positive = sorted(counted), self._target.positive
        if positive is None:
            folded = {label.lower(): label for label in labels}
            known = [folded[yes] for no, yes in NO_YES if set(folded) == {no, yes}]
            positive = known[0] if known else min(labels, key=lambda label: (counted[label], label))
        elif positive not in counted:
            what, hint = f"positive is '{positive}', but the labels are {labels}", did_you_mean(positive, labels)
            raise DataError("unknown-class", what, where=where, hint=hint)
        return [label for label in labels if label != positive] + [positive]


class BinaryTable(ClassTable[BinaryTarget]):
    """One word a cell, of two."""

    def coercion(self, source: Source, member: BinaryTarget) -> Coercion:
        """One word, spelled as all words are."""
        del member
        return one_word_coercion(source)

    def guess(self, column: Column) -> Guess | None:
        """Two different words."""
        if column.kinds != 2 or not (column.numbers is None or column.distinct == 2):
            return None
        counts = column.known.alias("word").value_counts().sort("count", "word")
        rarer, often = (shown(word) for word in counts["word"])
        rows = counts["count"][0]
        options: dict[str, object] = {"class_weight": "balanced"} if rows < len(column.known) * RARE else {}
        why = f"{rarer} or {often}, {percent(rows / len(column.known))} are {rarer}{unlabelled(column)}"
        return Guess("binary", options, why, rank=Rank.FEW)

    def summary(self) -> BinarySummary:
        """Rows by class, two of them."""
        return BinarySummary()

    def fit(self, name: str, member: BinaryTarget) -> BinaryFit:
        """An empty fit of two classes."""
        return BinaryFit(name, member)
