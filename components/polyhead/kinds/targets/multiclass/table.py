"""Columns of one of several classes."""

from __future__ import annotations

from polyhead.kinds.coercion import Coercion, Source, one_word_coercion
from polyhead.kinds.guessing.columns import Column, counted, listed
from polyhead.kinds.guessing.guess import Guess, unlabelled
from polyhead.kinds.targets.class_table import ClassFit, ClassTable
from polyhead.kinds.targets.multiclass.config import MulticlassTarget

_MANY_CLASSES = 50


class MulticlassFit(ClassFit[MulticlassTarget]):
    """The classes of a target, in the configuration's order or else by code points."""

    kind = "multiclass"

    def _classes(self, counted: dict[str, int]) -> list[str]:
        return list(self._target.classes) if self._target.classes else sorted(counted)


class MulticlassTable(ClassTable[MulticlassTarget]):
    """One word a cell, of several."""

    def coercion(self, source: Source, member: MulticlassTarget) -> Coercion:
        """One word, spelled as all words are, out of the configured classes."""
        return one_word_coercion(source, member.classes)

    def guess(self, column: Column) -> Guess | None:
        """Few different words."""
        if not column.distinct or column.distinct > max(_MANY_CLASSES, len(column.known) // 2):
            return None
        why = f"{column.distinct} classes"
        if column.numbers is not None:
            why = f"{column.different_numbers} different whole numbers; as kind: regression where their distances count"
        single = int((column.known.value_counts()["count"] == 1).sum())
        if single:
            why += f"; {counted(single, 'class', 'classes')} with a single row"
        unknown = [word for word in column.known.unique().sort() if word.lower() in ("?", "-", "unknown", "na", "n/a")]
        if unknown:
            why += f"; {listed(unknown)} is a class too: empty these cells if it means unknown"
        return Guess("multiclass", {}, why + unlabelled(column))

    def fit(self, name: str, member: MulticlassTarget) -> MulticlassFit:
        """An empty fit of classes."""
        return MulticlassFit(name, member)
