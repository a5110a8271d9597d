"""Columns of numbers."""

from __future__ import annotations

import re

import polars as pl

from polyhead.kinds.coercion import Coercion, Source, number_coercion
from polyhead.kinds.features.numeric.config import NumericFeature
from polyhead.kinds.guessing.columns import Column, counted, listed
from polyhead.kinds.guessing.guess import FEW, Guess, Rank, holds_codes
from polyhead.kinds.protocols.table import FeatureTable
from polyhead.kinds.summaries import NumberSummary

_TIME_NAMES = re.compile(r"date|time|timestamp|datetime|ts|created|updated")
_UNIX_TIME = (3e8, 4e9)  # seconds: the years 1979 to 2096


class NumericTable(FeatureTable[NumericFeature]):
    """Numbers as float64."""

    single = True

    def coercion(self, source: Source, member: NumericFeature) -> Coercion:
        return number_coercion(source, member.min, member.max)

    def guess(self, column: Column) -> Guess | None:
        numbers, words = column.numbers, column.words
        if numbers is None or words is None or holds_codes(column):
            return None
        kinds, known = column.different_numbers, column.rows - numbers.null_count()
        junk = column.rows - column.series.null_count() - known if column.series.dtype == pl.String else 0
        why = f"{kinds} different {'whole ' if column.is_whole else ''}numbers"
        low, high = column.range
        if kinds == 2:
            why = f"{low:g} or {high:g}"
        elif column.named(_TIME_NAMES) and _UNIX_TIME[0] < low and high < _UNIX_TIME[1] and kinds > FEW:
            why += "; looks like seconds since 1970, as the model will take it"
        if junk:
            odd = column.known.filter(numbers.is_null().filter(words.is_not_null()))
            why += f"; {listed(odd.unique().sort().head(3).to_list())} in {counted(len(odd), 'cell')}"
        return Guess("numeric", why=why, rank=Rank.NUMBERS)

    def summary(self) -> NumberSummary:
        return NumberSummary()
