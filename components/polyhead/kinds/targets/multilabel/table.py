"""Columns of sets of labels."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from polyhead.kinds.coercion import EMPTY_SET, Coercion, Source, listed, set_coercion
from polyhead.kinds.guessing.columns import Column
from polyhead.kinds.guessing.guess import LIST, MOSTLY, Guess, Rank, tag_separator, unlabelled
from polyhead.kinds.protocols.table import TargetTable
from polyhead.kinds.targets.multilabel.config import MultilabelTarget


class MultilabelTable(TargetTable[MultilabelTarget]):
    """Lists of different words, sorted."""

    single = False

    def coercion(self, source: Source, member: MultilabelTarget) -> Coercion:
        made = set_coercion(source, member.separator)
        if member.labels is None:
            return made
        unknown = source.values.list.eval(~pl.element().is_in(member.labels)).list.any()
        return made.refusing("not_allowed", f"labels are {listed(member.labels)}", unknown)

    def guess(self, column: Column) -> Guess | None:
        if isinstance(column.series.dtype, (pl.List, pl.Array)):
            return Guess("multilabel", {}, "lists of labels", rank=Rank.TYPE)
        if not column.distinct:
            return None
        if column.share(LIST) > MOSTLY and (column.known != EMPTY_SET).any():
            return Guess("multilabel", {}, "lists of labels, written as text", rank=Rank.TYPE)
        separator = tag_separator(column)
        if separator is None:
            return None
        options = {} if separator == "|" else {"separator": separator}
        why = f"several labels in a cell, with {separator!r} between them{unlabelled(column)}"
        return Guess("multilabel", options, why, rank=Rank.TAGS)

    def gated(self, options: Mapping[str, object]) -> str:
        """A metric that does not hang on a threshold."""
        del options
        return "roc_auc"
