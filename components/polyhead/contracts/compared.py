"""What `compare` finds: several evaluations on the rows that all of them have. Nothing of it is an artifact."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from polyhead.contracts.artifact import Record
from polyhead.contracts.evaluation import Comparison, Interval, Verdict


class Compared(Record):
    """One of the evaluations.

    Attributes:
        place: As it was given.
        polyhead_version: Of the Polyhead that wrote it.
        made_from: Fingerprints, as in its contract.
        rows: Rows that it predicted.
        verdict: Of its gate.
    """

    place: str
    polyhead_version: str
    made_from: dict[str, str]
    rows: int
    verdict: Verdict


class ComparedScore(Record):
    """A metric of one evaluation, and how it differs from the first one's.

    Attributes:
        value: On the rows that all evaluations have; None where it is not defined.
        difference: `value` minus the first one's; None of the first, and where either is not defined.
        interval: Of `difference`, the two on the same rows.
        verdict: Whether it is better than the first one.
    """

    value: float | None
    difference: float | None = None
    interval: Interval = Interval()
    verdict: Comparison | None = None


class ComparedHead(Record):
    """One head.

    Attributes:
        kind: The target's kind.
        n: Rows that all evaluations have, with the same known target.
        relabelled: Rows that all have, whose target is not the same in all; they do not count.
        metrics: By name: one score for each evaluation, in their order.
    """

    kind: str
    n: int
    relabelled: int
    metrics: dict[str, list[ComparedScore]]


class Difference(Record):
    """Something that the evaluations were not made alike from.

    Attributes:
        what: A path in the configuration, such as `train.epochs`, or `data`, `polyhead`.
        values: Of each evaluation; None where it has none.
    """

    what: str
    values: list[Any]


class ComparedEvaluations(Record):
    """Evaluations side by side; each is compared with the first.

    Attributes:
        evaluations: In the order in which they were given.
        shared: Rows that all of them predicted, by their keys.
        heads: The heads that all of them have, in the order of the first.
        notes: What could not be compared.
        differences: What differs in what they were made from.
    """

    evaluations: list[Compared]
    shared: int
    heads: dict[str, ComparedHead]
    notes: list[str] = Field([])
    differences: list[Difference] = Field([])
