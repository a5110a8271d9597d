"""The contracts by which several workers share `predict`; together they write the files that one worker writes.

<plan>/PredictionPlan.json
<plan>/clean.parquet         `__row__`, `__key__` and the features of every row whose cells fit
<plan>/rejected.parquet      the others, as in `polyhead.contracts.validation`, without files
<plan>/files.parquet         of a table of several files: `file`, `first`, as `polyhead.tables.opened.FileRows` has them
<plan>/pictures.bin          as in `polyhead.contracts.validation`, if the table holds pictures itself
<part>/PredictionPart.json
<part>/predictions.parquet   of the partition's rows, as in `polyhead.contracts.evaluation`
<part>/rejected.parquet      those of its rows whose picture cannot be used, and masked pictures
"""

from __future__ import annotations

from polyhead.contracts.artifact import Record
from polyhead.contracts.partitions import Part, Partition, Plan
from polyhead.contracts.validation import Rejection

PREDICTIONS_TABLE = "predictions.parquet"
FILES_TABLE = "files.parquet"
ROWS_AT_ONCE = 256
"""Rows that go through the model together. A partition ends only between such groups, since the last bits of a
prediction depend on the rows beside it."""


class PredictionPlan(Plan):
    """Who predicts which rows. A partition's items are groups of `ROWS_AT_ONCE` rows of `clean.parquet`.

    Attributes:
        table: The table as it was named.
        image_root: Where its image paths start.
        rows_read: Rows in the table.
        rows: Rows in `clean.parquet`.
    """

    table: str
    image_root: str
    rows_read: int
    rows: int

    def rows_of(self, partition: Partition) -> range:
        """The rows of `clean.parquet` that a partition has."""
        return range(self.rows)[partition.start * ROWS_AT_ONCE : partition.end * ROWS_AT_ONCE]

    @classmethod
    def made_by(cls) -> str:
        """The command that writes this artifact."""
        return "polyhead predict-plan"


class PredictionPart(Part):
    """The predictions of one partition.

    Attributes:
        rows_predicted: Rows in `predictions.parquet`.
        rows_rejected: Rows of the partition whose picture cannot be used.
    """

    rows_predicted: int
    rows_rejected: int

    @classmethod
    def made_by(cls) -> str:
        """The command that writes this artifact."""
        return "polyhead predict-partition"


class Predictions(Record):
    """What `predict` did.

    Attributes:
        path: The written table: `row` int64, `key` string and the predicted columns of
            `polyhead.contracts.evaluation`, in the order of the input.
        rows_read: Rows in the table.
        rows_predicted: Rows in the output.
        rows_rejected: Rows that could not be used; they are in `rejected_path` with their reasons.
        rejected_path: None where no row was rejected and no picture masked.
        rejections: Counts by column and reason.
    """

    path: str
    rows_read: int
    rows_predicted: int
    rows_rejected: int
    rejected_path: str | None
    rejections: list[Rejection]
