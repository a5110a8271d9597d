"""How like one another the splits are: what each holds of every head, in the contract of `preprocess`."""

from __future__ import annotations

from pydantic import Field

from polyhead.contracts.artifact import Record


class Distribution(Record):
    """What the rows of a split hold of a head.

    Attributes:
        rows: Rows with a value.
        missing: Rows without one.
        labels: Of a head with classes or labels, the rows of each, at most the 100 that are most frequent in all rows.
        mean: Of a head of numbers; None without any.
        deviation: Standard deviation of the numbers.
    """

    rows: int
    missing: int
    labels: dict[str, int] = Field({})
    mean: float | None = None
    deviation: float | None = None


class Deviation(Record):
    """Where a split differs most from all rows together.

    Attributes:
        split: The split.
        of: A label, or `mean`.
        value: The difference of a label's share of the rows, from -1 to 1; of a mean, in standard deviations of all
            rows.
    """

    split: str
    of: str
    value: float


class HeadBalance(Record):
    """One head over the splits.

    Attributes:
        splits: What each split with rows holds.
        largest: Where one differs most; None where there is nothing to compare.
    """

    splits: dict[str, Distribution]
    largest: Deviation | None = None


class GroupBalance(Record):
    """The groups of a split.

    Attributes:
        groups: How many there are.
        ungrouped: Rows that are of none.
        largest: The largest group.
        largest_rows: Its rows.
        crossing: Groups that are in several splits; none unless a column says so.
    """

    groups: int
    ungrouped: int
    largest: str
    largest_rows: int
    crossing: int


class Balance(Record):
    """How like one another the splits are.

    Attributes:
        fractions: What the configuration asks for, by split; empty where a column decides.
        shares: What each split has of the rows.
        heads: By target, in the configuration's order.
        most_unlike: The target with the largest deviation of all; None where nothing can be compared.
        groups: None where the configuration has none.
    """

    fractions: dict[str, float] = Field({})
    shares: dict[str, float] = Field({})
    heads: dict[str, HeadBalance] = Field({})
    most_unlike: str | None = None
    groups: GroupBalance | None = None
