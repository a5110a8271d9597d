"""The contract of `validate`: what was read, what was kept, what was rejected and why.

<out>/ValidationReport.json
<out>/clean.parquet      `__row__` int64, `__key__` string, then one column per feature and target in its
                         canonical type, that of its kind; where the split has them, its column `__split__` string,
                         its groups `__group__` string, null where a row is of none, and its time `__time__` float64,
                         of dates and times in seconds since 1970-01-01 UTC. After each image
                         feature `<name>` comes `<name>__picture`, a struct of `PICTURE_FIELDS`, null where the path is:
                         facts about the file, so that no later step has to look at it. Row weights are in
                         `__weight__<column>` float64. Rows are in the table's order, in row groups of 131,072, except
                         the last
<out>/rejected.parquet   `row` int64, `key`, `column`, `reason`, `value`, `detail` string; one line per problem. Of a
                         table of several files also `file`, its path there, and `file_row` int64, the row in it. A
                         picture whose reason begins with `masked_` counts as missing, and its row is in the clean table
<out>/duplicates.parquet `same` (duplicate_rows, duplicate_images, near_duplicate_images), `set` int64, `__row__` int64,
                         `__key__`, `column` string; one line per whole row, then `column` is null, or picture that is
                         the same as another one. `set` numbers what belongs together. Not there if the table did not
                         pass for another reason
<out>/pictures.bin       only if the table holds pictures itself: their bytes, each different one once, in the table's
                         order. In the clean table such a picture is `bytes:<first byte>+<length>` in place of a path

Several workers can look at the pictures before that, by a plan. Then `validate` looks at none of these itself, and
writes the same bytes.
<plan>/PicturePlan.json
<plan>/paths.parquet     `path` string, every different one of the table, in the order of their first rows. Pictures
                         that the table holds are left to `validate`
<plan>/table.parquet     only of a table in BigQuery: its columns that the configuration names, which `validate` then
                         reads in its place
<part>/PicturePart.json
<part>/pictures.parquet  `path` string, `picture` a struct of `PICTURE_FIELDS`, null where the file cannot be used;
                         then `reason` and `detail` say why. In the plan's order
"""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from polyhead.contracts.artifact import Contract, Record
from polyhead.contracts.findings import Finding
from polyhead.contracts.partitions import Part, Plan
from polyhead.contracts.section import THE_DATA, Decides
from polyhead.errors import ArtifactError

CLEAN_TABLE = "clean.parquet"
REJECTED_TABLE = "rejected.parquet"
DUPLICATES_TABLE = "duplicates.parquet"
PATHS_TABLE = "paths.parquet"
TABLE_COPY = "table.parquet"
PICTURES_TABLE = "pictures.parquet"
EMBEDDED_PICTURES = "pictures.bin"
MASKED = "masked_"
"""How the reason of a cell begins that is set aside in whole or in part, so that its row is kept."""

ROW, KEY, SPLIT = "__row__", "__key__", "__split__"
GROUP, TIME = "__group__", "__time__"
PICTURE_FIELDS = {
    "size": "Int64",
    "width": "Int32",
    "height": "Int32",
    "format": "String",
    "mode": "String",
    "orientation": "UInt8",
    "content_hash": "String",
    "perceptual_hash": "UInt64",
}
"""What the clean table says of a picture and in which type; the fields mean what `pictures.facts.PictureFacts` says.
`perceptual_hash` is null unless `validate.images` is decode."""


def picture_column(name: str) -> str:
    """The clean table's column of facts about the pictures of an image feature."""
    return f"{name}__picture"


def weight_column(column: str) -> str:
    """The clean table's column of the row weights in a column of the table."""
    return f"__weight__{column}"


class Rejection(Record):
    """Rows rejected for one reason in one column.

    Attributes:
        column: The table's column.
        reason: A word such as `not_a_number`; the same word is in `rejected.parquet`. It begins with `masked_` where
            the cells count as missing and the rows are kept.
        rows: How many rows.
        example: The first such row: its key, its value and the detail, in one line.
    """

    column: str
    reason: str
    rows: int
    example: str


class ColumnSummary(Record):
    """One feature or target after cleaning.

    Attributes:
        name: Its name in the config.
        role: feature or target.
        kind: Its kind.
        missing: Clean rows without a value.
        distinct: Different values of words, texts and classes; None for other kinds. Of category and text features
            it is exact below 65,536, and beyond an estimate in three digits, mostly within 1 %.
        minimum: Smallest value of a kind whose values have an order, as a number or as text; None for other kinds.
        maximum: Largest value likewise.
    """

    name: str
    role: str
    kind: str
    missing: int
    distinct: int | None = None
    minimum: float | str | None = None
    maximum: float | str | None = None


class ValidationReport(Contract):
    """What `validate` found.

    Attributes:
        table: The table as it was named.
        image_root: Where its image paths start: an absolute folder or a remote prefix.
        rows_read: Rows in the table.
        rows_clean: Rows kept.
        rows_rejected: Rows set aside; each is in `rejected.parquet` with every reason.
        rejections: Counts by column and reason, the most frequent first.
        columns: One summary per feature and target.
        images: How they were checked: header reads it and hashes the whole file; decode also decodes every picture.
        images_checked: Different image files that were looked at.
        warnings: What is allowed but deserves attention.
        findings: What may let a model look better than it is; what depends on the split, only where the table gives it.
        dated: Whether the split's times are dates and times, and `__time__` seconds; false without any.
        passed: Whether the later steps may use the clean table.
    """

    FORMAT_VERSION: ClassVar[int] = 5
    DECIDED_BY: ClassVar[frozenset[Decides]] = THE_DATA

    format_version: int = 5
    table: str
    image_root: str
    rows_read: int
    rows_clean: int
    rows_rejected: int
    rejections: list[Rejection]
    columns: list[ColumnSummary]
    images: Literal["header", "decode"] = "header"
    images_checked: int
    warnings: list[str]
    findings: list[Finding] = Field([])
    dated: bool = False
    passed: bool

    @classmethod
    def made_by(cls) -> str:
        """The command that writes this artifact."""
        return "polyhead validate"

    @property
    def clean_digest(self) -> str:
        """SHA-256 of the clean table: what a later step is made from, wherever the table and its pictures lay.

        Raises:
            ArtifactError: The artifact has no clean table.
        """
        if CLEAN_TABLE not in self.files:
            raise ArtifactError("artifact-file-missing", f"has no {CLEAN_TABLE}", hint=f"run {self.made_by()} again")
        return self.files[CLEAN_TABLE].sha256


class PicturePlan(Plan):
    """Who looks at which pictures. A partition's items are lines of `paths.parquet`.

    Attributes:
        image_root: Where image paths start.
        images: How pictures are checked.
        max_pixels: Largest picture that is accepted.
        copied: The table in BigQuery whose rows it holds; empty where it holds none.
    """

    FORMAT_VERSION: ClassVar[int] = 3
    DECIDED_BY: ClassVar[frozenset[Decides]] = THE_DATA

    format_version: int = 3
    image_root: str
    images: Literal["header", "decode"]
    max_pixels: int
    copied: str = ""

    @classmethod
    def made_by(cls) -> str:
        """The command that writes this artifact."""
        return "polyhead validate-plan"


class PicturePart(Part):
    """The facts of the pictures of one partition.

    Attributes:
        pictures: How many were looked at.
    """

    pictures: int

    @classmethod
    def made_by(cls) -> str:
        """The command that writes this artifact."""
        return "polyhead validate-partition"
