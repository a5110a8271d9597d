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


class VectorProfile(Record):
    """How the vectors lie that a network makes of a feature, as moments.

    They are those of val rows: a network makes others of rows that it has learned from. Only the axes, which are no
    more than a way to look at vectors, are of train rows.

    Attributes:
        rows: Val rows with a value.
        centre: Mean vector of train rows, (units,).
        axes: Their first principal axes, (axes, units), 16 at most, which hold 99 % of the variance if so many do.
        mean: Of the coordinates of the val rows: on each axis, and the length of what the axes leave out, (axes + 1,).
        covariance: Of the same, (axes + 1, axes + 1).
        frequencies: Directions in these coordinates, drawn for a normal kernel of the train rows' spread,
            (64, axes + 1).
        waves: Mean cosines and sines of the coordinates along these, over 8, (128,): the kernel's random features.
        spread: The eigenvalues of the covariance of these features, (128,).
    """

    rows: int
    centre: list[float]
    axes: list[list[float]]
    mean: list[float]
    covariance: list[list[float]]
    frequencies: list[list[float]]
    waves: list[float]
    spread: list[float]


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
        of: What is compared: one of the numbers of `Profile`, `words`, `missing`, `unseen`, `unreadable`, `vectors`.
        rows: Values of the other rows that are compared.
        psi: The population stability index over at most ten ranges, 100 words, or yes and no: the sum of
            (p - q) ln(p / q), half a value added to each count. Below 0.1 is none, from 0.25 on large (N. Siddiqi,
            Credit Risk Scorecards, 2006). None of vectors.
        ks: Of numbers, the largest difference between the two distribution functions at the train rows' quantiles
            (Kolmogorov and Smirnov).
        frechet: Of vectors, the Fréchet distance over the total variance of the val rows' vectors; see
            `polyhead.profiles.vectors`.
        p_value: Of `ks`, of the chi-squared test of homogeneity, or of the maximum mean discrepancy of vectors, after
            Holm's correction for all comparisons of the report.
        drift: By `size`, where `p_value` is below 0.05; else none.
        detail: What differs most, in words.
    """

    column: str
    of: str
    rows: int
    psi: float | None = None
    ks: float | None = None
    frechet: float | None = None
    p_value: float
    drift: Drift
    detail: str = ""

    @property
    def size(self) -> float:
        """How large the difference is: `psi`, or `frechet`, whose scale is the same.

        For numbers from two normal distributions of one variance, both are the square of how many standard deviations
        lie between the means.
        """
        return self.psi if self.psi is not None else self.frechet or 0.0
