"""What can be compared of a column between the train rows and other rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from polyhead.contracts.profile import NumberProfile, Profile, WordProfile
from polyhead.kinds.fitting.counts import Counts
from polyhead.kinds.fitting.quantiles import Quantiles

SHARES = (0.01, *(i / 20 for i in range(1, 20)), 0.99)
"""Of the train rows' numbers, between which ranges the others are counted."""

_WORDS = 100


@dataclass(frozen=True)
class Looks:
    """What was gathered of a column.

    Attributes:
        numbers: By name, as in `Profile`.
        words: How often each word occurs; None where the column has none.
        fewest: How often a word has to occur in the train rows so that the model knows it.
        known: The words that the model knows, `token` and `count` in the train rows; None where it is not fitted on
            words.
        sampled: Pictures that were opened.
        unreadable: Those of them that cannot be used.
    """

    numbers: Mapping[str, Quantiles] = field(default_factory=dict)
    words: Counts | None = None
    fewest: float = 1
    known: pl.DataFrame | None = None
    sampled: int = 0
    unreadable: int = 0


def profile_of(known: int, missing: int, looks: Looks) -> Profile:
    """The profile of train rows.

    Args:
        known: Rows with a value.
        missing: Rows without one.
        looks: What was gathered of the values.
    """
    words = None
    if looks.words is not None:
        table = looks.words.table()
        total = int(table["count"].sum())
        shown = looks.words.most_frequent(at_least=0, at_most=_WORDS)
        unseen = 0
        if looks.known is not None:  # without one of its rows a word may be too rare to be known
            unseen = total - int(looks.known.filter(pl.col("count") > looks.fewest)["count"].sum())
        words = WordProfile(counts=dict(shown.rows()), others=total - int(shown["count"].sum()), unseen=unseen)
    return Profile(
        known=known,
        missing=missing,
        numbers={name: _counted(numbers, _edges(numbers)) for name, numbers in looks.numbers.items()},
        words=words,
        sampled=looks.sampled,
        unreadable=looks.unreadable,
    )


def profile_like(train: Profile, known: int, missing: int, looks: Looks, vocabulary: pl.Series | None) -> Profile:
    """The profile of other rows, counted as the train rows are.

    Args:
        train: Theirs.
        known: Rows with a value.
        missing: Rows without one.
        looks: What was gathered of the values.
        vocabulary: The words that the model knows; None where it is not fitted on words.
    """
    words = None
    if looks.words is not None and train.words is not None:
        table = looks.words.table()
        total = int(table["count"].sum())
        found = dict(table.filter(pl.col("token").is_in(list(train.words.counts))).rows())
        counts = {word: found.get(word, 0) for word in train.words.counts}
        unseen = 0 if vocabulary is None else table.filter(~pl.col("token").is_in(vocabulary.implode()))["count"].sum()
        words = WordProfile(counts=counts, others=total - sum(counts.values()), unseen=int(unseen))
    return Profile(
        known=known,
        missing=missing,
        numbers={
            name: _counted(numbers, train.numbers[name].edges)
            for name, numbers in looks.numbers.items()
            if name in train.numbers
        },
        words=words,
        sampled=looks.sampled,
        unreadable=looks.unreadable,
    )


def _edges(numbers: Quantiles) -> list[float]:
    if not numbers.count:
        return []
    low, high = numbers.range
    return sorted({float(np.nextafter(low, -np.inf)), *numbers.at(SHARES), high})


def _counted(numbers: Quantiles, edges: list[float]) -> NumberProfile:
    return NumberProfile(edges=edges, counts=numbers.between(edges))
