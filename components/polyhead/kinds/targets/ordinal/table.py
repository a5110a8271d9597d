"""Columns of one of several ordered classes."""

from __future__ import annotations

from polyhead.kinds.coercion import Coercion, Source, one_word_coercion
from polyhead.kinds.guessing.columns import Column
from polyhead.kinds.guessing.guess import Guess
from polyhead.kinds.targets.class_table import ClassFit, ClassTable
from polyhead.kinds.targets.ordinal.config import OrdinalTarget

_WHOLE = r"^(0|-?[1-9][0-9]{0,14})$"


class OrdinalFit(ClassFit[OrdinalTarget]):
    """The classes of a target, in the configuration's order or else as whole numbers."""

    kind = "ordinal"

    def _classes(self, counted: dict[str, int]) -> list[str]:
        return list(self._target.classes) if self._target.classes else sorted(counted, key=int)


class OrdinalTable(ClassTable[OrdinalTarget]):
    """One word a cell, of several that are ordered."""

    def coercion(self, source: Source, member: OrdinalTarget) -> Coercion:
        """One word, spelled as all words are: out of the configured classes, or a whole number."""
        made = one_word_coercion(source, member.classes)
        if member.classes is None:
            detail = "is no whole number: list the classes from the lowest to the highest, classes: [low, mid, high]"
            made = made.refusing("not_whole", detail, ~source.values.str.contains(_WHOLE))
        return made

    def guess(self, column: Column) -> Guess | None:
        """Nothing: that classes are ordered is not seen in a column."""
        del column
        return None

    def fit(self, name: str, member: OrdinalTarget) -> OrdinalFit:
        """An empty fit of classes."""
        return OrdinalFit(name, member)
