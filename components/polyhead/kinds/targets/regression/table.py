"""Columns of numbers to predict."""

from __future__ import annotations

from polyhead.errors import Problem
from polyhead.kinds.coercion import Coercion, Source, number_coercion
from polyhead.kinds.guessing.columns import Column
from polyhead.kinds.guessing.guess import Guess, Rank, holds_classes, unlabelled
from polyhead.kinds.protocols.table import TargetTable
from polyhead.kinds.summaries import NumberSummary
from polyhead.kinds.targets.regression.config import RegressionTarget

_SKEW_OF_LOG = 1.0


class RegressionSummary(NumberSummary):
    """A column of numbers to predict."""

    def problem(self, name: str, rows: int) -> Problem | None:
        """No number, or one only."""
        found = super().problem(name, rows)
        if found is not None or self.minimum != self.maximum:
            return found
        return Problem(f"every row has the value {self.minimum:g}", f"target '{name}'", "nothing to learn")


class RegressionTable(TargetTable[RegressionTarget]):
    """Numbers as float64."""

    single = True

    def coercion(self, source: Source, member: RegressionTarget) -> Coercion:
        made = number_coercion(source, member.min, member.max)
        if member.transform == "log":
            made = made.refusing("not_positive", "transform: log needs numbers above zero", source.values <= 0)
        return made

    def guess(self, column: Column) -> Guess | None:
        if column.numbers is None or holds_classes(column):
            return None
        numbers = column.numbers.drop_nulls()
        skewed = numbers.min() > 0 and (numbers.skew() or 0) > _SKEW_OF_LOG  # type: ignore[operator]
        why = f"{column.different_numbers} different numbers"
        if skewed:
            why += ", a few far above the others"
        options = {"transform": "log"} if skewed else {}
        return Guess("regression", options, why + unlabelled(column), rank=Rank.NUMBERS)

    def summary(self) -> RegressionSummary:
        return RegressionSummary()
