"""What is found in a table that lets a model look better than it is."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import field_validator

from polyhead.contracts.artifact import Record
from polyhead.errors import Problem, counted

CODES = {
    "duplicate_images": "the same picture in several cells",
    "duplicate_images_across_splits": "the same picture in several splits",
    "duplicate_images_in_row": "the same picture in several columns of a row",
    "duplicate_images_with_other_labels": "the same picture in rows with different labels",
    "duplicate_rows": "rows whose features and targets are the same",
    "duplicate_rows_across_splits": "such rows in several splits",
    "feature_is_target": "a feature that tells a target by itself",
    "group_crosses": "groups with rows in several splits, or values of a column that seems to name things",
    "near_duplicate_images": "nearly the same picture in several cells",
    "near_duplicate_images_across_splits": "nearly the same picture in several splits",
    "near_duplicate_images_in_row": "nearly the same picture in several columns of a row",
    "near_duplicate_images_with_other_labels": "nearly the same picture in rows with different labels",
    "target_in_text": "a text that holds a target's name or its value",
    "time_separates_splits": "splits that do not overlap in a column of times, though none was asked for",
}
"""What each code of a finding means."""


class Finding(Record):
    """One thing that may give away what a model is to predict, or what it is tested on.

    Attributes:
        code: What it is, one of `CODES`.
        column: The features that it is in, in the configuration's order, with a comma between them; empty where it is
            about whole rows.
        count: Of rows and images, the sets: each set of rows that are the same, or each picture that is in several
            cells, counts once, however often it is there. Of `_in_row` the rows, of `group_crosses` the groups, of the
            others the rows that show it.
        rows: The names of the first rows, at most ten.
        affected: All rows that it is about.
        moved: Rows that `preprocess` moved to another split for it.
        message: What was found, in words.
        remedy: What to do about it.
    """

    code: str
    column: str
    count: int
    rows: list[str]
    affected: int
    moved: int = 0
    message: str
    remedy: str

    @field_validator("code")
    @classmethod
    def _has_a_meaning(cls, code: str) -> str:
        if code not in CODES:
            raise ValueError(f"'{code}' is no finding")
        return code

    @property
    def crosses(self) -> bool:
        """Whether it depends on which rows are in which split."""
        return self.code.endswith("_across_splits") or self.code in ("group_crosses", "time_separates_splits")


def refused(findings: Sequence[Finding]) -> list[Problem]:
    """The problems of findings where the configuration allows none; empty where there are none."""
    if not findings:
        return []
    what = f"validate.leakage is fail, and there {'is' if len(findings) == 1 else 'are'}"
    lead = Problem("leakage-found", f"{what} {counted(len(findings), 'finding')}")
    return [
        lead,
        *(
            Problem(
                finding.code.replace("_", "-"),
                finding.message,
                where=f"column '{finding.column}'" if finding.column else "",
                hint=finding.remedy,
            )
            for finding in findings
        ),
    ]
