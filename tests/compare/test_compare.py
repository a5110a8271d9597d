"""`polyhead compare`: the same rows, paired, and what differs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from refusals import refusal

from polyhead.compare.step import run
from polyhead.contracts.evaluation import EvaluationReport
from polyhead.errors import ArtifactError
from polyhead.results import print_compared
from polyhead.storage.artifact import close_artifact


def test_a_worse_model_is_worse_on_the_same_rows(polyhead: Any, made: Any, tmp_path: Path) -> None:
    """The differences are those of the two tables."""
    other = made.another(tmp_path / "other", error=3.0)
    result = polyhead("compare", made.evaluation, other, "--json")
    assert result.code == 0, result.err
    compared = json.loads(result.out)
    first, second = (pl.read_parquet(place / "predictions.parquet") for place in (made.evaluation, other))
    errors = [(table["price.true"] - table["price.predicted"]).abs().to_numpy() for table in (first, second)]
    mine, theirs = compared["heads"]["price"]["metrics"]["mae"]
    assert mine["value"] == pytest.approx(errors[0].mean(), abs=1e-12)
    assert theirs["value"] == pytest.approx(errors[1].mean(), abs=1e-12)
    assert theirs["difference"] == pytest.approx((errors[1] - errors[0]).mean(), abs=1e-12)
    assert theirs["interval"]["low"] < theirs["difference"] < theirs["interval"]["high"]
    assert theirs["verdict"] == "worse"
    assert compared["shared"] == first.height
    assert compared["differences"] == []


def test_only_shared_rows_with_the_same_target_count(made: Any, tmp_path: Path) -> None:
    """A row that the second lacks, and one whose target it has otherwise."""
    fewer = made.another(tmp_path / "fewer", rows=slice(1, None))
    compared = run(evaluations=[made.evaluation, fewer], names=["A", "B"])
    assert [one.rows for one in compared.evaluations] == [compared.shared + 1, compared.shared]
    changed = tmp_path / "changed"
    made.another(changed)
    table = pl.read_parquet(changed / "predictions.parquet")
    table = table.with_columns(
        pl.when(pl.int_range(pl.len()) == 0).then(-5.0).otherwise("price.true").alias("price.true")
    )
    relabelled = run(evaluations=[made.evaluation, written(changed, table)], names=["A", "B"])
    assert (relabelled.heads["price"].relabelled, relabelled.heads["sold"].relabelled) == (1, 0)
    assert relabelled.heads["price"].n == relabelled.shared - 1


def written(place: Path, table: pl.DataFrame) -> Path:
    """An evaluation with other predictions."""
    report = EvaluationReport.read(place)
    (place / "EvaluationReport.json").unlink()
    table.write_parquet(place / "predictions.parquet")
    close_artifact(place, report)
    return place


def test_what_differs_is_named(made: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Values of the configuration by their paths, of three evaluations."""
    config = made.config.model_copy(update={"train": made.config.train.model_copy(update={"seed": 7})})
    others = [made.another(tmp_path / str(i), config=config, error=1.0 + i) for i in range(2)]
    compared = run(evaluations=[made.evaluation, *others], names=["one", "two", "three"])
    assert [(one.what, one.values) for one in compared.differences] == [("train.seed", [0, 7, 7])]
    print_compared(compared)
    out = capsys.readouterr().out
    assert "train.seed: A 0; B 7; C 7" in out
    assert "C − A" in out


def test_a_model_beside_itself_does_not_differ(made: Any) -> None:
    """Every difference is 0 and none is better."""
    compared = run(evaluations=[made.evaluation, made.evaluation], names=["A", "B"])
    scores = [scores[1] for head in compared.heads.values() for scores in head.metrics.values()]
    assert {score.difference for score in scores} == {0.0}
    assert {score.verdict for score in scores} == {"not clearly better"}


def test_evaluations_without_common_rows_are_refused(made: Any, tmp_path: Path) -> None:
    """The error says how many rows each has."""
    parts = [made.another(tmp_path / str(i), rows=part) for i, part in enumerate((slice(0, 12), slice(12, None)))]
    with refusal(ArtifactError, "no-shared-rows", shows=["A has 12 rows"]):
        run(evaluations=parts, names=["A", "B"])


def test_rows_named_by_their_positions_in_other_tables_are_refused(made: Any, tmp_path: Path) -> None:
    """Row 5 of one table is not row 5 of another."""
    config = made.config.model_copy(update={"key": None})
    other = made.another(tmp_path / "E", config=config, made_from={"validation": "f" * 64})
    with refusal(ArtifactError, "rows-without-key", where="B"):
        run(evaluations=[made.evaluation, other], names=["A", "B"])


def test_what_is_no_evaluation_is_refused(polyhead: Any, made: Any) -> None:
    """With what was expected, and one alone with how to call it."""
    result = polyhead("compare", made.evaluation, made.bundle)
    assert result.code == 1
    assert "give the folder that polyhead evaluate wrote" in result.err
    assert polyhead("compare", made.evaluation).code == 2
