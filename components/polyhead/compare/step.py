"""Compare evaluations: the same rows, paired intervals, and what the models were made from."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any, Self

import polars as pl
from pydantic import TypeAdapter

from polyhead.contracts.compared import Compared, ComparedEvaluations, ComparedHead, ComparedScore, Difference
from polyhead.contracts.evaluation import (
    EVALUATED_CONFIG,
    EVALUATED_STATISTICS,
    PREDICTIONS_TABLE,
    EvaluationReport,
)
from polyhead.errors import ArtifactError, counted
from polyhead.evaluate.scoring.comparing import compare
from polyhead.evaluate.scoring.metrics import measure
from polyhead.kinds.scores import score_of
from polyhead.kinds.union import TargetStatistics
from polyhead.storage.artifact import checked_file
from polyhead.storage.opened import Input, opens

_SEED = 0
_STATISTICS = TypeAdapter(dict[str, TargetStatistics])


@opens(evaluations=Input(EvaluationReport, (PREDICTIONS_TABLE, EVALUATED_CONFIG, EVALUATED_STATISTICS)))
def run(*, evaluations: Sequence[str | Path], names: Sequence[str]) -> ComparedEvaluations:
    """Compare evaluations with the first of them.

    Args:
        evaluations: Artifacts of `evaluate`, two at least.
        names: What to call each.

    Raises:
        ArtifactError: One is no evaluation, or is damaged; or they have no row in common, or rows that cannot be told
            to be the same.
    """
    read = [_Evaluation.read(place, name) for place, name in zip(evaluations, names, strict=True)]
    first = read[0]
    _require_names(read)
    shared = reduce(
        lambda left, right: left.join(right.table.select("key"), on="key", how="semi"),
        read[1:],
        first.table.select("key"),
    )
    if not shared.height:
        each = ", ".join(f"{one.name} has {counted(one.table.height, 'row')}" for one in read)
        raise ArtifactError(
            "no-shared-rows",
            f"they have no row in common: {each}",
            where=" and ".join(names),
            hint="evaluate the models on the same test rows: the same table and the same split",
        )
    tables = [shared.join(one.table, on="key", how="left", maintain_order="left") for one in read]
    obstacles = {name: _obstacle(name, read) for name in first.report.heads}
    heads = {name: _head(name, read, tables) for name, obstacle in obstacles.items() if not obstacle}
    return ComparedEvaluations(
        evaluations=[one.compared for one in read],
        shared=shared.height,
        heads=heads,
        notes=[f"head '{name}' is not compared: {obstacle}" for name, obstacle in obstacles.items() if obstacle],
        differences=list(_differences(read)),
    )


@dataclass(frozen=True)
class _Evaluation:
    """An evaluation with its files."""

    name: str
    report: EvaluationReport
    table: pl.DataFrame
    config: dict[str, Any]
    statistics: dict[str, TargetStatistics]

    @classmethod
    def read(cls, place: str | Path, name: str) -> Self:
        report = EvaluationReport.read(place)
        table, config, statistics = (
            checked_file(place, report, file) for file in (PREDICTIONS_TABLE, EVALUATED_CONFIG, EVALUATED_STATISTICS)
        )
        return cls(
            name,
            report,
            pl.read_parquet(table),
            json.loads(config.read_text(encoding="utf-8")),
            _STATISTICS.validate_json(statistics.read_bytes()),
        )

    @property
    def compared(self) -> Compared:
        report = self.report
        return Compared(
            place=self.name,
            polyhead_version=report.polyhead_version,
            made_from=report.made_from,
            rows=self.table.height,
            verdict=report.verdict,
        )


def _require_names(read: Sequence[_Evaluation]) -> None:
    """Refuse rows that are named by their positions in different tables."""
    tables = {one.report.made_from.get("validation") for one in read}
    unnamed = [one.name for one in read if one.config.get("key") is None]
    if len(tables) > 1 and unnamed:
        raise ArtifactError(
            "rows-without-key",
            "the tables differ, and rows without a key cannot be told to be the same",
            where=" and ".join(unnamed),
            hint="name a column of the table as key in the config, and run it again",
        )


def _obstacle(head: str, read: Sequence[_Evaluation]) -> str:
    """Why a head cannot be compared; empty where it can."""
    own = read[0]
    for other in read[1:]:
        theirs = other.report.heads.get(head)
        if theirs is None:
            return f"{other.name} has none"
        if theirs.kind != own.report.heads[head].kind:
            return f"it is {own.report.heads[head].kind}, in {other.name} {theirs.kind}"
        if _scored(head, other.table) != _scored(head, own.table):
            return f"it has other classes or levels in {other.name}"
    return ""


def _scored(head: str, table: pl.DataFrame) -> set[str]:
    """The columns with the probability of each class, or with each quantile."""
    starts = (f"{head}.probability.", f"{head}.quantile.")
    return {name for name in table.columns if name.startswith(starts)}


def _head(name: str, read: Sequence[_Evaluation], tables: Sequence[pl.DataFrame]) -> ComparedHead:
    """A head on the rows whose target all know alike."""
    statistics = read[0].statistics[name]  # of all: they have the same classes, and one scale is as good as another
    score = score_of(statistics)
    truths = [table[f"{name}.true"].alias(str(i)) for i, table in enumerate(tables)]
    frame = pl.DataFrame(truths)
    known = frame.select(pl.all_horizontal(pl.all().is_not_null())).to_series()
    alike = frame.select(
        pl.all_horizontal([pl.col("0").eq_missing(pl.col(other)) for other in frame.columns[1:]])
    ).to_series()
    outcomes = [score.outcome(name, statistics, table.filter(known & alike)) for table in tables]
    names = score.ordered(statistics)
    own = measure(outcomes[0], names)
    metrics = {metric: [ComparedScore(value=value)] for metric, value in own.items()}
    for one, outcome in zip(read[1:], outcomes[1:], strict=True):
        resamples = one.config.get("evaluate", {}).get("bootstrap", 0)
        for metric, found in compare(outcome, outcomes[0], resamples=resamples, seed=_SEED, names=names).items():
            metrics[metric].append(
                ComparedScore(
                    value=found.value,
                    difference=found.difference,
                    interval=found.difference_interval,
                    verdict=found.verdict,
                )
            )
    return ComparedHead(
        kind=statistics.kind,
        n=int((known & alike).sum()),
        relabelled=int((known & ~alike).sum()),
        metrics=metrics,
    )


def _differences(read: Sequence[_Evaluation]) -> Iterator[Difference]:
    """What differs: the version, the data, and every value of the configurations."""
    facts: list[dict[str, Any]] = [
        {
            "polyhead": one.report.polyhead_version,
            "data": one.report.made_from.get("validation", "")[:12] or None,
            "rows": one.report.rows,
            **dict(_flat(one.config)),
        }
        for one in read
    ]
    for what in dict.fromkeys(name for one in facts for name in one):
        values = [one.get(what) for one in facts]
        if any(value != values[0] for value in values[1:]):
            yield Difference(what=what, values=values)


def _flat(section: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    """The values of a configuration by their paths."""
    for name, value in section.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{path}{name}.")
        else:
            yield f"{path}{name}", value
