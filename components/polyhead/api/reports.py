"""What a model is worth, and what became of its table, as notebooks and programs read it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from polyhead.api.html import heading, listed, table
from polyhead.contracts.evaluation import REPORT_PAGE, EvaluationReport, HeadReport
from polyhead.contracts.validation import REJECTED_TABLE, ValidationReport
from polyhead.errors import ArtifactError, counted
from polyhead.kinds.metrics import METRICS
from polyhead.results import spelled
from polyhead.storage.artifact import checked_file
from polyhead.storage.objects import write_whole

if TYPE_CHECKING:
    import pandas as pd

_BASELINE = "baseline"
_SAYS = {"passed": "passed its gate", "failed": "failed its gate", "ungated": "has no gate to pass"}


def scores_of(heads: dict[str, HeadReport]) -> pd.DataFrame:
    """Every defined metric of every head on a line.

    Returns:
        `head`, `metric`, `value`; `low` and `high`, the ends of its 95 % interval, missing where nothing can be
        promised; `reference`, the same metric of the best of the baseline and the simple models on these rows, and
        `reference_model`, which it is; `verdict` on the model beside the baseline; `n`, the rows that it is over.
    """
    import pandas as pd

    rows = []
    for name, head in heads.items():
        for metric, score in head.metrics.items():
            if score.value is None:
                continue
            others = {_BASELINE: score.baseline, **{of: said[metric].value for of, said in head.references.items()}}
            known = {of: value for of, value in others.items() if value is not None}
            best = max(known, key=lambda of: METRICS[metric].goodness(known[of]), default=None)
            rows.append(
                {
                    "head": name,
                    "metric": metric,
                    "value": score.value,
                    "low": score.interval.low,
                    "high": score.interval.high,
                    "reference": None if best is None else known[best],
                    "reference_model": best,
                    "verdict": score.verdict,
                    "n": score.n,
                }
            )
    columns = ["head", "metric", "value", "low", "high", "reference", "reference_model", "verdict", "n"]
    numbers = dict.fromkeys(("value", "low", "high", "reference"), "float64")
    return pd.DataFrame(rows, columns=columns).astype(numbers)


class Report:
    """The evaluation of a model on its test rows: the verdict, the scores, the page.

    Args:
        contract: What `evaluate` found.
        place: Its folder, with the page. None where there is only the contract.
    """

    def __init__(self, contract: EvaluationReport, place: Path | None) -> None:
        self.contract = contract
        self._place = place

    @property
    def verdict(self) -> str:
        """`passed`, `failed`, or `ungated` where the configuration has no gate."""
        return self.contract.verdict

    @property
    def warnings(self) -> list[str]:
        """What deserves attention, from all steps."""
        return list(self.contract.warnings)

    @property
    def scores(self) -> pd.DataFrame:
        """Every metric on a line, as `Model.evaluate` gives them."""
        return scores_of(self.contract.heads)

    @property
    def page(self) -> str:
        """The report as one HTML page that opens offline.

        Raises:
            ArtifactError: The model was published without it.
        """
        if self._place is None:
            raise ArtifactError(
                "artifact-file-missing", "has no page: it is not published with a model", where=REPORT_PAGE
            )
        return checked_file(self._place, self.contract, REPORT_PAGE).read_text(encoding="utf-8")

    def save(self, path: str | Path) -> None:
        """Write the page.

        Args:
            path: An HTML file, here or in a bucket, which is replaced.
        """
        write_whole(str(path), self.page.encode())

    def __repr__(self) -> str:
        return spelled(self.contract)

    def _repr_html_(self) -> str:
        report = self.contract
        rows = []
        for name, head in report.heads.items():
            for metric_name, score in head.metrics.items():
                metric = METRICS[metric_name]
                rows.append(
                    (
                        name,
                        metric.name,
                        metric.number(score.value),
                        metric.span(score.interval) or "none",
                        metric.number(score.baseline),
                        score.verdict or "",
                    )
                )
        checks = [
            f"{'✓' if check.passed else '✗'} {check.head} {check.metric} {check.rule} "
            f"({METRICS[check.metric].number(check.value)}){f': {check.reason}' if check.reason else ''}"
            for check in report.gate
        ]
        return (
            heading(f"The model {_SAYS[report.verdict]} on {report.rows[report.split]:,} {report.split} rows")
            + listed(checks)
            + table(("head", "metric", "value", "95 % interval", "baseline", "against the baseline"), rows)
            + listed(head.sentence for head in report.heads.values() if head.sentence)
            + listed(f"warning: {warning}" for warning in report.warnings)
        )


class Validation:
    """What became of a table: the rows that fit, and those that do not.

    Args:
        contract: What `validate` found.
        place: Its folder.
    """

    def __init__(self, contract: ValidationReport, place: Path) -> None:
        self.contract = contract
        self._place = place

    @property
    def warnings(self) -> list[str]:
        """What deserves attention."""
        return list(self.contract.warnings)

    @property
    def rejected(self) -> pd.DataFrame:
        """A line for each cell that does not fit: its row, key, column, the reason, the value."""
        return pl.read_parquet(checked_file(self._place, self.contract, REJECTED_TABLE)).to_pandas()

    def __repr__(self) -> str:
        report = self.contract
        lines = [self._sentence()]
        lines += [f"  {one.column}: {one.reason} ({one.rows:,})" for one in report.rejections]
        lines += [f"  warning: {warning}" for warning in report.warnings]
        return "\n".join(lines)

    def _sentence(self) -> str:
        report = self.contract
        return f"{report.rows_clean:,} of {counted(report.rows_read, 'row')} clean, {report.rows_rejected:,} rejected"

    def _repr_html_(self) -> str:
        report = self.contract
        columns = [
            (
                one.name,
                one.role,
                one.kind,
                one.missing,
                *("" if of is None else of for of in (one.distinct, one.minimum, one.maximum)),
            )
            for one in report.columns
        ]
        return (
            heading(self._sentence())
            + table(("column", "reason", "rows"), [(one.column, one.reason, one.rows) for one in report.rejections])
            + table(("name", "role", "kind", "missing", "different", "least", "most"), columns)
            + listed(f"warning: {warning}" for warning in report.warnings)
        )
