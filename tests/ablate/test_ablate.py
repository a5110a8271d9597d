"""`polyhead ablate`: models trained again without an input, beside the model on the same rows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pytest
from commandline import polyhead  # noqa: F401
from refusals import refusal
from sklearn.metrics import r2_score
from trainings import forbid_serving

from polyhead.ablate.step import run
from polyhead.contracts.config import load_config
from polyhead.contracts.evaluation import EvaluationReport
from polyhead.errors import ArtifactError, ConfigError

SECTIONS: dict[str, Any] = {
    "features": {"size": {"kind": "numeric"}, "colour": {"kind": "category"}},
    "targets": {"price": {"kind": "regression"}},
    "train": {"epochs": 1, "batch_size": 16},
    "ensemble": {"use": "off", "members": []},
    "split": {"group": "shop", "fractions": {"train": 0.4, "val": 0.2, "test": 0.4}},
    "evaluate": {"maps": 0},
}


def test_a_model_trained_without_a_feature_stands_beside_those_that_it_is_hidden_from(
    tf: Any,
    tiny: Any,
    tmp_path: Path,
    polyhead: Any,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its value is that of a model which never had the feature; what is left of the folder is the evaluation.

    The models trained without have no SavedModel, which nobody would ask.

    The groups of the split are slices too, and which row is of which is not in the bundle.
    """
    from polyhead.chain import Chain

    shops = [f"shop {at % 10}" for at in range(200)]
    data = tiny(rows=200, change=lambda frame: frame.assign(shop=shops), **SECTIONS)
    config = load_config(data.config)
    made = Chain(config, tmp_path / "R", workers=None, until=None).run(str(data.table), "")
    groups = pl.read_parquet(tmp_path / "R" / "preprocess" / "slices.parquet")
    assert dict(groups.iter_rows()).items() <= dict(zip(data.frame["id"], shops, strict=True)).items()
    of_shops = {one.value: one.n for one in made.heads["price"].slices if one.feature == "shop"}
    assert len(of_shops) > 1
    assert of_shops.keys() == set(groups["__group__"])
    assert not list((tmp_path / "R" / "train").rglob("slices.parquet"))
    steps = {name: tmp_path / "R" / name for name in ("train", "shard", "preprocess")}
    places = ("--bundle", steps["train"], "--shards", steps["shard"], "--preprocessing", steps["preprocess"])
    forbid_serving(monkeypatch)
    result = polyhead("ablate", data.config, *places, "-o", tmp_path / "A", "--without", "size", "--json")
    assert result.code == 0, result.err
    worth = json.loads(result.out)["heads"]["price"]["worth"]
    assert [(one["name"], one["how"]) for one in worth][-1] == ("size", "retrained")
    assert len(worth) == len(made.heads["price"].worth) + 1
    assert not [path.name for path in tmp_path.iterdir() if path.name.startswith(".")]

    alone = config.model_copy(update={"features": {"colour": config.features["colour"]}})
    Chain(alone, tmp_path / "C", workers=None, until=None, serving=False).learned(steps["preprocess"], steps["shard"])
    said = pl.read_parquet(tmp_path / "C" / "evaluate" / "predictions.parquet").drop_nulls("price.true")
    expected = r2_score(said["price.true"], said["price.predicted"])
    retrained, whole = worth[-1], made.heads["price"].metrics["r2"].value
    assert whole is not None
    assert retrained["value"] == pytest.approx(expected, abs=1e-9)
    assert retrained["difference"] == pytest.approx(whole - expected, abs=1e-9)
    assert "a model trained without it" in (tmp_path / "A" / "report.html").read_text(encoding="utf-8")

    from polyhead.evaluate.step import run as evaluate

    given: Any = {"config": config, "bundle": steps["train"], "shards": steps["shard"]}
    with refusal(ArtifactError, "not-comparable"):
        evaluate(
            **given, preprocessing=steps["preprocess"], out=tmp_path / "B", retrained=[tmp_path / "R" / "evaluate"]
        )
    with refusal(ConfigError, "unknown-feature", shows=["size"]):
        run(**given, preprocessing=steps["preprocess"], out=tmp_path / "B", without=["siez"])
    with refusal(ConfigError, "too-few-features"):
        run(**{**given, "config": alone}, preprocessing=steps["preprocess"], out=tmp_path / "B")
    assert EvaluationReport.read(tmp_path / "A").heads["price"].metrics == made.heads["price"].metrics


def test_quarters_of_the_time_that_the_split_goes_by_are_slices(tf: Any, tiny: Any, tmp_path: Path) -> None:
    """On the clocks of its time zone, where midnight is another day in UTC; as a number, of a feature that is one too.

    All test rows are later than the quartiles of the train rows, which the feature is sliced by.
    """
    from polyhead.chain import Chain

    days = pd.date_range("2024-01-01", periods=200)
    columns = {"sold": days.astype(str), "day": range(200)}
    ends = [120, 139, 140, 159, 160, 179, 180, 199]
    sections = SECTIONS | {"features": {"day": {"kind": "numeric"}}, "evaluate": {"maps": 0, "worth": False}}
    for column, time, kind, quarters in (
        ("sold", {"column": "sold", "time_zone": "Asia/Tokyo"}, "period", [str(days[at].date()) for at in ends]),
        ("day", "day", "range", [str(at) for at in ends]),
    ):
        split = {"time": time, "fractions": {"train": 0.4, "val": 0.2, "test": 0.4}}
        data = tiny(rows=200, change=lambda frame: frame.assign(**columns), **{**sections, "split": split})
        made = Chain(load_config(data.config), tmp_path / column, workers=None, until=None).run(str(data.table), "")
        of_time = [one for one in made.heads["price"].slices if one.feature == column]
        assert [(one.value, one.n, one.kind) for one in of_time] == [
            (f"{first} to {last}", 20, kind) for first, last in zip(quarters[::2], quarters[1::2], strict=True)
        ]
