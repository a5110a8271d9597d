"""The whole fit again for every fold: every row once, by a model that never saw it; resumed where it was stopped."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest
from refusals import refusal
from trainings import forbid_serving

from polyhead import chain
from polyhead.contracts.config import load_config
from polyhead.contracts.cross_validation import CrossValidation
from polyhead.cross_validate import step as cross_validate_step
from polyhead.cross_validate.component import component
from polyhead.errors import DataError
from polyhead.validate import step as validate_step

SECTIONS: dict[str, Any] = {
    "features": {"size": {"kind": "numeric"}},
    "targets": {"price": {"kind": "regression"}, "sold": {"kind": "binary"}, "tags": {"kind": "multilabel"}},
    "train": {"epochs": 2},
    "ensemble": {"use": "off", "members": []},
    "cross_validate": {"folds": 2, "repeats": 2},
}


@pytest.fixture
def data(tiny: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A small table, validated; of what is trained on it no SavedModel is to be made, which nobody would ask."""
    forbid_serving(monkeypatch)
    made = tiny(rows=48, **SECTIONS)
    validate_step.run(config=load_config(made.config), table=str(made.table), out=made.folder / "V")
    return made


def test_every_row_is_predicted_once_in_each_repeat(
    tf: Any, data: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped in its second repeat, it keeps the folds that it had finished, and ends as if it had not been."""
    config = load_config(data.config)
    steps: list[Path] = []
    evaluate = chain.evaluate

    def counting(**given: Any) -> Any:
        steps.append(given["out"])
        if len(steps) == 4:
            raise KeyboardInterrupt
        return evaluate(**given)

    monkeypatch.setattr(chain, "evaluate", counting)
    with pytest.raises(KeyboardInterrupt):
        cross_validate_step.run(config=config, data=data.folder / "V", out=tmp_path / "C")
    assert not (tmp_path / "C").exists()
    result = cross_validate_step.run(config=config, data=data.folder / "V", out=tmp_path / "C")
    assert len(steps) == 5

    assert result == CrossValidation.read(tmp_path / "C")
    assert (result.folds, result.seeds, result.rows, result.stratified_by) == (2, [0, 1], 48, ["sold"])
    assert sorted(path.name for path in (tmp_path / "C").iterdir()) == [
        "CrossValidation.json",
        "predictions.parquet",
        "report.html",
    ]
    table = pl.read_parquet(tmp_path / "C" / "predictions.parquet")
    for repeat in (1, 2):
        part = table.filter(pl.col("repeat") == repeat)
        assert sorted(part["key"]) == sorted(data.frame["id"])
        assert part["fold"].value_counts()["count"].to_list() == [24, 24]
    truths = dict(zip(data.frame["id"], data.frame["price"], strict=True))
    assert [truths[key] for key in table["key"]] == table["price.true"].to_list()
    for head in result.heads.values():
        for metric in head.metrics.values():
            assert len(metric.repeats) == 2
    page = (tmp_path / "C" / "report.html").read_text(encoding="utf-8")
    assert "48 rows in 2 folds" in page
    assert json.loads((tmp_path / "C" / "CrossValidation.json").read_text())["heads"]["price"]["n"] == 48


def test_the_component_and_the_command_say_the_same(
    tf: Any, data: Any, tmp_path: Path, polyhead: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The component fills its outputs; the command validates the table and prints what the step gives as JSON."""
    text = data.config.read_text(encoding="utf-8").replace("repeats: 2", "repeats: 1")
    metrics, report = SimpleNamespace(metadata={}), SimpleNamespace(path=str(tmp_path / "report.html"))
    component("image:1").python_func(
        config=text,
        data=SimpleNamespace(path=str(data.folder / "V")),
        scores=SimpleNamespace(path=str(tmp_path / "S")),
        metrics=metrics,
        report=report,
    )
    result = CrossValidation.read(tmp_path / "S")
    assert metrics.metadata == result.flat_metrics()
    assert metrics.metadata["price.mae"] == result.heads["price"].metrics["mae"].value
    assert Path(report.path).read_bytes() == (tmp_path / "S" / "report.html").read_bytes()

    (data.folder / "once.yaml").write_text(text, encoding="utf-8")
    monkeypatch.setattr(cross_validate_step, "run", lambda **given: CrossValidation.read(tmp_path / "S"))
    ran = polyhead("cross-validate", data.folder / "once.yaml", "--out", tmp_path / "out", "--json")
    assert ran.code == 0, ran.err
    assert json.loads(ran.out) == json.loads((tmp_path / "S" / "CrossValidation.json").read_text())
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["validate"]


def test_fewer_rows_than_folds_are_refused(data: Any, tmp_path: Path) -> None:
    """Before anything is done."""
    config = load_config(data.config)
    many = config.model_copy(update={"cross_validate": config.cross_validate.model_copy(update={"folds": 49})})
    with refusal(DataError, "too-few-rows", shows=[48, 49]):
        cross_validate_step.run(config=many, data=data.folder / "V", out=tmp_path / "C")


@pytest.mark.parametrize("strata", [["sold"], ["price", "tags"]])
def test_folds_follow_the_groups_and_strata_of_the_split(
    tiny: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, strata: list[str]
) -> None:
    """Of each repeat; no group is in two splits, and every row is tested once."""
    split = {"group": "note"} if strata == ["sold"] else {"group": "note", "stratify": strata}
    made = tiny(rows=48, **{**SECTIONS, "split": split})
    config = load_config(made.config)
    validate_step.run(config=config, table=str(made.table), out=made.folder / "V")
    splits: list[pl.DataFrame] = []

    def stopping(config: Any, data: Any, work: Path, workers: Any) -> Any:
        splits.append(pl.read_parquet(work / "splits.parquet"))
        if len(splits) == 4:
            raise KeyboardInterrupt
        return pl.DataFrame({"key": ["a"]})

    monkeypatch.setattr(cross_validate_step, "_predictions", stopping)
    with pytest.raises(KeyboardInterrupt):
        cross_validate_step.run(config=config, data=made.folder / "V", out=tmp_path / "C")
    notes = pl.Series("note", made.frame["note"])
    for split_table in splits:
        by_note = split_table.with_columns(notes).group_by("note").agg(pl.col("__split__").n_unique())
        assert by_note["__split__"].max() == 1
    for first, second in (splits[:2], splits[2:]):
        tested = pl.concat([first, second]).filter(pl.col("__split__") == "test")
        assert sorted(tested["__key__"]) == sorted(made.frame["id"])


def test_fewer_groups_than_folds(tiny: Any, tmp_path: Path) -> None:
    """Refused before anything is fitted."""
    made = tiny(**{**SECTIONS, "split": {"group": "colour"}, "cross_validate": {"folds": 5}})
    config = load_config(made.config)
    validate_step.run(config=config, table=str(made.table), out=made.folder / "V")
    with refusal(DataError, "too-few-rows", where="cross_validate.folds", shows=["3 groups", "5 folds"]):
        cross_validate_step.run(config=config, data=made.folder / "V", out=tmp_path / "C")
