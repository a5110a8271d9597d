"""The contract of `drift`: whether a table's rows are like the rows that a model was fitted on.

<out>/DriftReport.json
"""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from polyhead.contracts.artifact import Contract, Record
from polyhead.contracts.evaluation import Interval
from polyhead.contracts.profile import ColumnDrift, Drift
from polyhead.contracts.validation import Rejection


class DomainClassifier(Record):
    """How well a model can tell the rows of the table from those that the model was made from.

    Attributes:
        auc: The area under its ROC curve, cross-validated; 0.5 where the rows cannot be told apart.
        interval: Of `auc`.
        rows: Of the table that it saw.
        train_rows: Of the rows that the model was made from, train, val and test.
        drift: moderate from 0.6 on, large from 0.75 on, where the interval excludes 0.5.
    """

    auc: float
    interval: Interval
    rows: int
    train_rows: int
    drift: Drift


class DriftReport(Contract):
    """What differs between a table and the train rows of a model.

    Attributes:
        table: As it was named.
        rows_read: Rows in the table.
        rows_rejected: Rows whose cells do not fit.
        rejections: Why.
        train_rows: Of the model.
        columns: Every comparison: the features in the config's order, then the targets that the table has.
        classifier: None where the rows that the model was made from were not given.
        drift: The largest of all; large too where more rows are rejected than `validate.max_rejected` allows.
        notes: What was not compared, and why.
    """

    FORMAT_VERSION: ClassVar[int] = 2

    format_version: int = 2
    table: str
    rows_read: int
    rows_rejected: int
    rejections: list[Rejection]
    train_rows: int
    columns: list[ColumnDrift]
    classifier: DomainClassifier | None = Field(None)
    drift: Drift
    notes: list[str] = Field([])

    @classmethod
    def made_by(cls) -> str:
        """The command that writes this artifact."""
        return "polyhead drift"
