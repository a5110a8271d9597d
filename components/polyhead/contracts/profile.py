"""What the train rows hold of each column, so that other rows can be told to be like them without them."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from polyhead.contracts.artifact import Record

Drift = Literal["none", "moderate", "large"]


class NumberProfile(Record):
    """How numbers lie, as counts.

    Attributes:
        edges: Rising: just below the smallest number of the train rows, some of their quantiles, and the largest.
        counts: Numbers up to each edge and above the one before; the last beyond the largest edge.
    """

    edges: list[float]
    counts: list[int]


class WordProfile(Record):
    """How often words occur: values, labels, or the terms of texts, a text counting once for each of its terms.

    Attributes:
        counts: Of the words that are most frequent in the train rows, 100 at most.
        others: Of all others.
        unseen: Of those that the model does not know. Of the train rows: what it would not know of a row if it had
            been fitted on the others.
    """

    counts: dict[str, int]
    others: int
    unseen: int


class Profile(Record):
    """A column of some rows.

    Attributes:
        known: Rows with a value.
        missing: Rows without one.
        numbers: What is counted of the values, by name: `value`; `length` of texts and vectors; `width`, `height`,
            `bytes`, `brightness` and `contrast`, from 0 to 1, of pictures.
        words: None where the column has none.
        sampled: Pictures that were opened for that, 128 at most.
        unreadable: Those of them that cannot be used.
    """

    known: int
    missing: int
    numbers: dict[str, NumberProfile] = Field({})
    words: WordProfile | None = None
    sampled: int = 0
    unreadable: int = 0


class ColumnDrift(Record):
    """Whether one thing about a column is in other rows as it is in the train rows.

    Attributes:
        column: The feature or target.
        of: What is compared: one of the numbers of `Profile`, `words`, `missing`, `unseen`, `unreadable`.
        rows: Values of the other rows that are compared.
        psi: The population stability index over at most ten ranges, 100 words, or yes and no: the sum of
            (p - q) ln(p / q), half a value added to each count. Below 0.1 is none, from 0.25 on large (N. Siddiqi,
            Credit Risk Scorecards, 2006).
        ks: Of numbers, the largest difference between the two distribution functions at the train rows' quantiles
            (Kolmogorov and Smirnov).
        p_value: Of `ks`, or of the chi-squared test of homogeneity, after Holm's correction for all comparisons of
            the report.
        drift: By `psi`, where `p_value` is below 0.05; else none.
        detail: What differs most, in words.
    """

    column: str
    of: str
    rows: int
    psi: float
    ks: float | None = None
    p_value: float
    drift: Drift
    detail: str = ""
