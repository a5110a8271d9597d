"""What the report facet of a target kind must give: charts of a head with their numbers, and the worst rows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from polyhead.contracts.evaluation import HeadReport
from polyhead.page.charts import Chart

WORST_ROWS = 10


@dataclass(frozen=True)
class WorstRow:
    """A row that is predicted badly; `cells` stand under the columns of its `WorstRows`."""

    key: str
    cells: list[str]


@dataclass(frozen=True)
class WorstRows:
    """The rows that are predicted worst, the worst first, without any where all are predicted exactly.

    Attributes:
        columns: Headings, without that of the row's name.
        rows: At most `WORST_ROWS`.
        numeric: The columns, by position, that are aligned as numbers.
    """

    columns: list[str]
    rows: list[WorstRow]
    numeric: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Analysis:
    """What the predictions say about one head.

    Attributes:
        charts: With their numbers.
        worst: Default: none.
    """

    charts: tuple[Chart, ...] = ()
    worst: WorstRows | None = None


class TargetReport(ABC):
    """The report of one kind of target."""

    WORST: ClassVar[str]
    """Heading of the worst rows."""

    NOUN: ClassVar[str] = "class"
    """What one of the head's probabilities is of."""

    @abstractmethod
    def analyse(self, name: str, head: HeadReport, known: pl.DataFrame) -> Analysis:
        """Look at a head's predictions.

        Args:
            name: The target.
            head: Its report.
            known: The rows whose target is known, at least one: `key`, `truth`, `predicted`, then `p0`, `p1`, … by
                class.
        """


def class_probabilities(rows: pl.DataFrame, classes: Sequence[str]) -> NDArray[np.float64]:
    """`p0`, `p1`, … of some rows, float64 (rows, classes)."""
    return rows.select(f"p{place}" for place in range(len(classes))).to_numpy().astype(np.float64)
