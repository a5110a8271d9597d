"""The configuration in Python: proposed, looked at, changed, saved."""

from __future__ import annotations

import html
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from conftest import write_tiny

import polyhead as ph
from polyhead.contracts.config import load_config
from polyhead.errors import ConfigError, DataError


def small() -> ph.Config:
    return ph.Config(
        {
            "table": "t.csv",
            "features": {"area": {"kind": "numeric"}, "notes": {"kind": "text"}},
            "targets": {"price": {"kind": "regression"}},
        }
    )


def cells(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.drop(columns="photo")


def test_a_proposal_is_printed_with_its_reasons(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    frame = cells(write_tiny(tmp_path).frame)
    config = ph.infer(frame, targets=["price", "shape"])
    printed = capsys.readouterr().out
    assert printed == str(config)
    assert "  size: {kind: numeric}  # " in printed
    ph.infer(frame, targets="price", verbose=False)
    assert capsys.readouterr().out == ""


def test_the_same_table_gives_the_same_configuration_in_every_form(tmp_path: Path) -> None:
    """A pandas or polars frame, an Arrow table, a lazy frame; a path but for its name."""
    frame = cells(write_tiny(tmp_path).frame)
    frame.to_parquet(tmp_path / "t.parquet", index=False)
    forms: list[Any] = [frame, pl.from_pandas(frame), pa.Table.from_pandas(frame), pl.from_pandas(frame).lazy()]
    made = [ph.infer(form, targets=["price"], verbose=False) for form in forms]
    assert all(config == made[0] for config in made)
    read = ph.infer(tmp_path / "t.parquet", targets=["price"], verbose=False)
    assert read.table == str(tmp_path / "t.parquet")
    assert {**read.to_dict(), "table": ""} == {**made[0].to_dict(), "table": ""}


def test_what_is_no_table_is_said() -> None:
    with pytest.raises(DataError, match="received list") as caught:
        ph.infer([1, 2], targets=["price"])  # type: ignore[arg-type]
    assert [problem.code for problem in caught.value.problems] == ["not-a-table"]


def test_without_a_target_nothing_is_proposed(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        ph.infer(cells(write_tiny(tmp_path).frame), targets=[])
    assert [problem.code for problem in caught.value.problems] == ["no-target"]


def test_pictures_of_a_frame_start_where_its_user_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = write_tiny(tmp_path / "data")
    monkeypatch.chdir(tmp_path)
    config = ph.infer(data.frame, targets=["price"], image_root="data", verbose=False)
    assert config.image_root == "data"
    assert config.features.photo.kind == "image"
    read = ph.infer("data/table.csv", targets=["price"], image_root="data", verbose=False)
    assert read.image_root == str(tmp_path / "data")


def test_a_change_is_in_what_is_saved_and_other_reasons_stay(tmp_path: Path) -> None:
    data = write_tiny(tmp_path)
    config = ph.infer(cells(data.frame), targets=["price", "shape"], verbose=False)
    config.train.epochs = 3
    config.features.note = {"kind": "text", "vectorizer": "tfidf", "min_documents": 1}
    config.features["size"].max = 100
    del config.features.colour
    config.save(tmp_path / "saved.yaml")
    checked = load_config(tmp_path / "saved.yaml")
    assert checked == config.check()
    assert checked.train.epochs == 3
    assert checked.features["note"].kind == "text"
    assert "colour" not in checked.features
    text = (tmp_path / "saved.yaml").read_text(encoding="utf-8")
    lines = {line.split(":")[0].strip(): line for line in text.splitlines()}
    assert "#" in lines["sold"]  # the reason of a line that is as it was proposed
    assert "#" not in lines["size"]
    assert ph.Config.read(tmp_path / "saved.yaml") == config


def test_everything_wrong_is_said_at_once_and_nothing_is_saved(tmp_path: Path) -> None:
    config = small()
    config.train.epoch = 3
    config.features.notes.kind = "txt"
    with pytest.raises(ConfigError) as caught:
        config.save(tmp_path / "never.yaml")
    assert sorted(problem.code for problem in caught.value.problems) == ["unknown-key", "unknown-kind"]
    assert not (tmp_path / "never.yaml").exists()


def test_a_key_that_does_not_exist_is_no_attribute() -> None:
    config = small()
    with pytest.raises(AttributeError, match="did you mean 'train'"):
        config.trian = {}
    with pytest.raises(AttributeError, match="did you mean 'features'"):
        _ = config.featurs
    with pytest.raises(AttributeError, match="default is in force"):
        _ = config.train.epochs
    assert config.key is None
    assert "train" in dir(config)
    assert "notes" in dir(config.features)
    assert config.to_dict().keys() == {"table", "features", "targets"}  # looking at a section does not make one


@pytest.mark.parametrize(
    "body",
    [
        {"kind": "multiclass", "class_weight": {"a: b": 2.0, "no": 1, "1e3": 3.5, "x\ny": 1}},
        {"kind": "binary", "decide": {"cost": {"false_positive": 1, "false_negative": 5}}},
        {"kind": "quantile", "levels": [0.1, 0.9]},
    ],
    ids=lambda body: body["kind"],
)
def test_values_survive_being_written(body: dict[str, Any]) -> None:
    config = small()
    config.targets.price = body
    assert ph.Config(config.to_dict()) == config
    checked = config.check().targets["price"].model_dump(exclude_unset=True)
    assert {name: checked[name] for name in body if name != "kind"} == {k: v for k, v in body.items() if k != "kind"}


def test_a_notebook_shows_it_without_taking_words_for_markup() -> None:
    frame = pd.DataFrame({"<b>x</b>": [i + 0.5 for i in range(30)], "<i>y</i>": [i * 1.0 for i in range(30)]})
    config = ph.infer(frame, targets=["<i>y</i>"], verbose=False)
    shown = config._repr_html_()
    assert "<b>" not in shown
    assert html.escape("<b>x</b>") in shown
