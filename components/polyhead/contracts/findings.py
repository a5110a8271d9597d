"""What is found in a table that lets a model look better than it is."""

from __future__ import annotations

from collections.abc import Sequence

from polyhead.contracts.artifact import Record
from polyhead.errors import Problem, counted


class Finding(Record):
    """One thing that may give away what a model is to predict, or what it is tested on.

    Attributes:
        code: What it is: `duplicate_rows`, `duplicate_images`, `near_duplicate_images`, each alone and with
            `_across_splits` or `_with_other_labels`, those of images also with `_in_row`; `feature_is_target`,
            `target_in_text`, `group_crosses`, `time_separates_splits`.
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
