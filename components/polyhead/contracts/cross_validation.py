"""The contract of `cross-validate`: every row predicted by models of other rows, and what that says of the method.

<out>/CrossValidation.json
<out>/predictions.parquet   `repeat` and `fold` int64, from 1, `key` string, then per head as in the predictions of
                            `evaluate`; every row once in each repeat
<out>/report.html           one file that opens offline
"""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from polyhead.contracts.artifact import Contract, Record
from polyhead.contracts.evaluation import MetricScore, flat_metrics


class RepeatedScore(MetricScore):
    """One number of one head, over all rows and repeats.

    `value`, `baseline` and `difference` are the means over the repeats. The intervals add up two independent errors:
    that of the rows, as `evaluate` computes it, and that of the seeds, by Student's t over the repeats, if there are
    several.

    Attributes:
        repeats: The value in each repeat, over all rows; None where it is not defined.
    """

    repeats: list[float | None]


class RepeatedHead(Record):
    """One head on all rows.

    Attributes:
        kind: The target's kind.
        n: Rows whose target is known.
        missing: Rows whose target is missing.
        classes: Classes or labels; empty for regression.
        metrics: By name, in the order of the reports, the headline first.
    """

    kind: str
    n: int
    missing: int
    classes: list[str]
    metrics: dict[str, RepeatedScore]


class CrossValidation(Contract):
    """How good models are that are made this way from this table.

    Attributes:
        folds: Parts of the rows.
        seeds: Of the training in each repeat.
        stratified_by: The targets whose classes every fold has in the same shares, in the order in which they count;
            those that `split.stratify` names count equally, and may be of any kind.
        rows: Rows predicted in each repeat.
        heads: By target name, in the config's order.
        warnings: From the validation, and of the folds.
    """

    FORMAT_VERSION: ClassVar[int] = 1

    format_version: int = 1
    folds: int
    seeds: list[int]
    stratified_by: list[str]
    rows: int
    heads: dict[str, RepeatedHead]
    warnings: list[str] = Field([])

    def flat_metrics(self) -> dict[str, float]:
        """Every defined metric as `<head>.<metric>`, finite Python floats only, for systems that take flat names."""
        return flat_metrics({name: head.metrics for name, head in self.heads.items()})

    @classmethod
    def made_by(cls) -> str:
        """The command that writes this artifact."""
        return "polyhead cross-validate"
