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

MOST_ROWS = 10


@dataclass(frozen=True)
class ListedRow:
    """A row and how it is predicted; `cells` stand under the columns of its `ListedRows`."""

    key: str
    cells: list[str]


@dataclass(frozen=True)
class ListedRows:
    """The rows that are predicted worst, the worst first, without any where all are predicted exactly; or the best.

    Attributes:
        columns: Headings, without that of the row's name; `True` and `Predicted` are among them.
        rows: At most `MOST_ROWS`.
        numeric: The columns, by position, that are aligned as numbers.
    """

    columns: list[str]
    rows: list[ListedRow]
    numeric: frozenset[int] = frozenset()


class TargetReport(ABC):
    """The report of one kind of target."""

    WORST: ClassVar[str]
    """Heading of the worst rows."""

    NOUN: ClassVar[str] = "class"
    """What one of the head's probabilities is of."""

    @abstractmethod
    def charts(self, head: HeadReport, known: pl.DataFrame) -> tuple[Chart, ...]:
        """A head's predictions, drawn, with their numbers.

        Args:
            head: Its report.
            known: The rows whose target is known, at least one: `key`, `truth`, `predicted`, then `p0`, `p1`, … by
                class.
        """

    @abstractmethod
    def worst(self, head: HeadReport, known: pl.DataFrame) -> ListedRows | None:
        """The rows that are predicted worst; None where that cannot be said. Arguments as for `charts`."""

    @abstractmethod
    def best(self, head: HeadReport, known: pl.DataFrame) -> ListedRows | None:
        """The rows that are predicted best, the best first; arguments as for `charts`."""


def class_probabilities(rows: pl.DataFrame, classes: Sequence[str]) -> NDArray[np.float64]:
    """`p0`, `p1`, … of some rows, float64 (rows, classes)."""
    return rows.select(f"p{place}" for place in range(len(classes))).to_numpy().astype(np.float64)
