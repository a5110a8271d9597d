"""The preprocess step: fitted on train rows only, stable, refused where it cannot be right."""

from __future__ import annotations

import datetime as dt
import os
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pytest
from folders import contents
from refusals import gist, refusal

from polyhead.contracts.config import Config, load_config
from polyhead.contracts.preprocessing import SPLITS_TABLE, Preprocessing
from polyhead.contracts.validation import REJECTED_TABLE, ValidationReport
from polyhead.errors import ArtifactError, DataError
from polyhead.kinds.features.category.config import CategoryStatistics
from polyhead.kinds.features.text.config import TextStatistics
from polyhead.kinds.vocabulary import read_vocabulary
from polyhead.preprocess import step
from polyhead.preprocess.split import stratified_split
from polyhead.shard import step as shard
from polyhead.validate import step as validate

LOOSE = {"max_rejected": 1.0}


def run(data: Any, name: str = "P") -> Preprocessing:
    config = load_config(data.config)
    validate.run(config=config, table=str(data.table), out=data.folder / "V")
    return step.run(config=config, data=data.folder / "V", out=data.folder / name)


def splits(data: Any, name: str = "P") -> dict[str, str]:
    table = pl.read_parquet(data.folder / name / SPLITS_TABLE)
    return dict(zip(table["__key__"], table["__split__"], strict=True))


def test_what_it_writes(tiny: Any) -> None:
    """The contract, the split of every clean row, one vocabulary per word feature."""
    data = tiny()
    fitted = run(data)
    assert sorted(contents(data.folder / "P")) == [
        "Preprocessing.json", "splits.parquet", "vocabularies/colour.arrow", "vocabularies/note.arrow",
        "vocabularies/note.characters.arrow",
    ]  # fmt: skip
    assert Preprocessing.read(data.folder / "P") == fitted
    assert fitted.rows == {"train": 16, "val": 4, "test": 4}
    assert splits(data) == dict(zip(data.frame["id"], data.frame["part"], strict=True))
    train = data.frame[data.frame["part"] == "train"]
    colour, note = fitted.feature_statistics["colour"], fitted.feature_statistics["note"]
    assert isinstance(colour, CategoryStatistics)
    assert isinstance(note, TextStatistics)
    counts = train["colour"].value_counts()
    assert dict(read_vocabulary(data.folder / "P", colour.vocabulary).rows()) == counts.to_dict()
    assert [of.tokenizer for of in note.terms] == ["unicode-words-1", "unicode-characters-1"]
    assert note.terms[0].vocabulary.size == 8
    assert note.documents == 16
    size: Any = fitted.feature_statistics["size"]
    price: Any = fitted.target_statistics["price"]
    assert size.mean == pytest.approx(train["size"].mean())
    assert size.variance == pytest.approx(train["size"].var(ddof=0))
    assert price.median == train["price"].median()
    assert fitted.warnings == []


def test_poisoned_val_and_test_rows_change_no_fitted_byte(tiny: Any, tmp_path: Path) -> None:
    """Every number multiplied and every word replaced outside train: statistics and vocabularies are the same bytes."""

    def poison(frame: pd.DataFrame) -> pd.DataFrame:
        held = frame["part"] != "train"
        for column in ("size", "price"):
            frame.loc[held, column] *= 1000
        for column in ("colour", "note", "shape", "sold"):
            frame.loc[held, column] = ["yes" if column == "sold" else f"poison{i} venom" for i in range(held.sum())]
        frame.loc[held, "tags"] = "poison|venom"
        return frame

    good, bad = tiny(folder=tmp_path / "good"), tiny(folder=tmp_path / "bad", change=poison)
    first, second = run(good), run(bad)
    for field in ("feature_statistics", "target_statistics", "features", "targets", "rows", "files"):
        assert getattr(first, field) == getattr(second, field)
    left, right = contents(good.folder / "P"), contents(bad.folder / "P")
    assert set(left) == set(right)
    assert {name for name in left if left[name] != right[name]} == {"Preprocessing.json"}
    assert first.made_from["validation"] != second.made_from["validation"]
    assert second.warnings[-2:] == [
        "target 'shape' has labels that no training row has, so no model can predict them: "
        "'poison0 venom', 'poison1 venom', 'poison2 venom', 'poison3 venom', 'poison4 venom', 'poison5 venom'",
        "target 'tags' has labels that no training row has, so no model can predict them: 'poison', 'venom'",
    ]


def test_a_changed_train_row_does_change_them(tiny: Any, tmp_path: Path) -> None:
    """The counter-test of the poison test."""

    def change(frame: pd.DataFrame) -> pd.DataFrame:
        frame.loc[0, "size"], frame.loc[0, "colour"], frame.loc[0, "note"] = 99.0, "pink", "poison"
        return frame

    first = run(tiny(folder=tmp_path / "a")).feature_statistics
    second = run(tiny(folder=tmp_path / "b", change=change)).feature_statistics
    assert {name for name in first if first[name] != second[name]} == {"size", "colour", "note"}


@pytest.mark.parametrize("split", [{"column": "part"}, {"seed": 3}])
def test_shuffled_rows_give_the_same_statistics(tiny: Any, tmp_path: Path, split: dict[str, Any]) -> None:
    """And the same split for every key."""
    first = tiny(folder=tmp_path / "a", rows=60, split=split)
    second = tiny(
        folder=tmp_path / "b", rows=60, split=split, change=lambda frame: frame.sample(frac=1, random_state=1)
    )
    one, other = run(first), run(second)
    assert one.feature_statistics == other.feature_statistics
    assert one.target_statistics == other.target_statistics
    assert splits(first) == splits(second)
    for name in ("colour", "note"):
        path = f"vocabularies/{name}.arrow"
        assert contents(first.folder / "P")[path] == contents(second.folder / "P")[path]


def test_twice_is_the_same_bytes_and_more_rows_move_none(tiny: Any, tmp_path: Path) -> None:
    """With the split by hash."""
    small, large = tiny(folder=tmp_path / "s", rows=60, split=None), tiny(folder=tmp_path / "l", rows=90, split=None)
    run(small)
    run(small, "Q")
    run(large)
    assert contents(small.folder / "P") == contents(small.folder / "Q")
    assert splits(small).items() <= splits(large).items()
    assert set(splits(small).values()) == {"train", "val", "test"}


def test_training_settings_do_not_matter(tiny: Any, tmp_path: Path) -> None:
    """Another number of epochs, the same artifact."""
    first, second = tiny(folder=tmp_path / "a"), tiny(folder=tmp_path / "b", train={"epochs": 3, "seed": 9})
    assert run(first) == run(second)
    assert contents(first.folder / "P") == contents(second.folder / "P")


def test_no_train_rows(tiny: Any) -> None:
    """Refused, with the rows by split; nothing is left behind."""
    data = tiny(change=lambda frame: frame.assign(part=["val", "test"] * 12))
    with pytest.raises(DataError) as caught:
        run(data)
    assert [gist(problem) for problem in caught.value.problems] == [
        ("split", "no-train-rows", ["train", "0", "val", "12", "test", "12"])
    ]
    assert sorted(os.listdir(data.folder)) == ["V", "images", "polyhead.yaml", "table.csv"]


def test_no_val_and_no_test_rows_are_warnings(tiny: Any) -> None:
    """Said, and allowed."""
    assert run(tiny(change=lambda frame: frame.assign(part="train"))).warnings == [
        "there are no validation rows: training cannot stop early and keeps the last epoch",
        "there are no test rows: nothing can be evaluated",
    ]


def test_all_heads_that_cannot_learn_are_named_at_once(tiny: Any) -> None:
    """Train rows of one class, of one price, with an unknown weight."""

    def flatten(frame: pd.DataFrame) -> pd.DataFrame:
        train = frame["part"] == "train"
        frame.loc[train, "shape"], frame.loc[train, "price"] = "round", 5.0
        return frame

    data = tiny(change=flatten)
    with pytest.raises(DataError) as caught:
        run(data)
    assert [gist(problem) for problem in caught.value.problems] == [
        ("target 'price'", "constant-target", []),
        ("target 'shape'", "single-class", ["round"]),
    ]
    assert not (data.folder / "P").exists()


def test_row_weights_of_the_train_rows_alone_count(tiny: Any, tmp_path: Path) -> None:
    """Means and masses are pandas' own, in any order of the rows and whatever the others weigh."""

    def weighed(frame: pd.DataFrame) -> pd.DataFrame:
        return frame.assign(w=[0.1 * (row % 5) for row in range(len(frame))])

    def others(frame: pd.DataFrame) -> pd.DataFrame:
        frame = weighed(frame)
        frame.loc[frame["part"] != "train", "w"] = 1000.0
        return frame.sample(frac=1, random_state=1)

    (tmp_path / "b").mkdir()
    data, changed = tiny(change=weighed, weight="w"), tiny(change=others, weight="w", folder=tmp_path / "b")
    fitted, again = run(data), run(changed)
    assert (fitted.mean_weights, fitted.target_statistics) == (again.mean_weights, again.target_statistics)
    train = data.frame[data.frame["part"] == "train"]
    mean = train["w"].mean()
    assert fitted.mean_weights == pytest.approx(dict.fromkeys(("price", "shape", "sold", "tags"), mean), rel=1e-12)
    sold: Any = fitted.target_statistics["sold"]
    masses = train["w"].groupby(train["sold"]).sum() / mean
    assert sold.masses == pytest.approx([masses[label] for label in sold.classes], rel=1e-12)
    tags: Any = fitted.target_statistics["tags"]
    expected = [train["w"][train["tags"].str.contains(label)].sum() / mean for label in tags.labels]
    assert tags.masses == pytest.approx(expected, rel=1e-12)


def test_heads_whose_train_rows_weigh_nothing_are_named_at_once(tiny: Any) -> None:
    targets = {
        "price": {"kind": "regression"},
        "shape": {"kind": "multiclass"},
        "sold": {"kind": "binary", "weight": "v"},
        "tags": {"kind": "multilabel"},
    }
    data = tiny(
        change=lambda frame: frame.assign(w=(frame["part"] != "train") * 1.0, v=1.0), weight="w", targets=targets
    )
    where = [f"target '{name}'" for name in ("price", "shape", "tags")]
    with refusal(DataError, *["no-row-weight"] * 3, where=where, shows=["'w'"]):
        run(data)


def test_artifacts_that_do_not_belong_together(tiny: Any) -> None:
    """Another config, a failed validation, no validation at all."""
    data = tiny()
    run(data)
    config = load_config(data.config)
    other = Config.model_validate({**data.sections, "split": {"seed": 1}})
    with refusal(ArtifactError, "config-mismatch"):
        step.run(config=other, data=data.folder / "V", out=data.folder / "Q")
    with refusal(ArtifactError, "artifact-not-found", shows=["ValidationReport.json"]):
        step.run(config=config, data=data.folder / "P", out=data.folder / "Q")
    report = ValidationReport.read(data.folder / "V")
    report.model_copy(update={"passed": False}).write(data.folder / "V")
    with refusal(ArtifactError, "not-validated"):
        step.run(config=config, data=data.folder / "V", out=data.folder / "Q")
    assert not (data.folder / "Q").exists()
    report.write(data.folder / "V")
    with refusal(ArtifactError, "output-not-empty", shows=["polyhead preprocess"]):
        step.run(config=config, data=data.folder / "V", out=data.folder / "V")


def test_a_changed_or_lost_vocabulary_is_refused(tiny: Any) -> None:
    """By its digest."""
    data = tiny()
    colour = run(data).feature_statistics["colour"]
    assert isinstance(colour, CategoryStatistics)
    path = data.folder / "P" / colour.vocabulary.path
    path.write_bytes(path.read_bytes() + b"\0")
    with refusal(ArtifactError, "artifact-changed"):
        read_vocabulary(data.folder / "P", colour.vocabulary)
    path.unlink()
    with refusal(ArtifactError, "artifact-file-missing"):
        read_vocabulary(data.folder / "P", colour.vocabulary)


def test_features_without_any_train_value_have_neutral_statistics(tiny: Any) -> None:
    """Mean 0, variance 1, empty vocabularies: the model masks them."""

    def empty(frame: pd.DataFrame) -> pd.DataFrame:
        train = frame["part"] == "train"
        frame["size"] = frame["size"].where(~train)
        frame["colour"] = frame["colour"].where(~train)
        frame["note"] = frame["note"].where(~train)
        return frame

    statistics = run(tiny(change=empty)).feature_statistics
    size: Any = statistics["size"]
    assert (size.count, size.missing, size.mean, size.variance, size.minimum, size.maximum) == (0, 16, 0, 1, 0, 0)
    colour, note = statistics["colour"], statistics["note"]
    assert isinstance(colour, CategoryStatistics)
    assert isinstance(note, TextStatistics)
    assert (colour.vocabulary.size, note.size) == (0, 0)


def test_houses(houses: Path, tmp_path: Path) -> None:
    """The real table: its split column, its prices and areas as pandas sees them."""
    frame = pd.read_csv(houses / "houses.csv")
    config = Config.model_validate(
        {
            "table": str(houses / "houses.csv"),
            "key": "house_id",
            "features": {"area": {"kind": "numeric"}, "zipcode": {"kind": "category"}},
            "targets": {"price": {"kind": "regression", "transform": "log"}, "price_band": {"kind": "multiclass"}},
            "split": {"column": "split"},
        }
    )
    report = validate.run(config=config, out=tmp_path / "V")
    assert (report.rows_read, report.rows_rejected) == (len(frame), 0)
    fitted = step.run(config=config, data=tmp_path / "V", out=tmp_path / "P")
    train = frame[frame["split"] == "train"]
    assert fitted.rows == frame["split"].value_counts().to_dict()
    area: Any = fitted.feature_statistics["area"]
    zipcode: Any = fitted.feature_statistics["zipcode"]
    assert area.mean == pytest.approx(train["area"].mean(), rel=1e-12)
    vocabulary = read_vocabulary(tmp_path / "P", zipcode.vocabulary)
    assert dict(vocabulary.rows()) == train["zipcode"].astype(str).value_counts().to_dict()
    bands: Any = fitted.target_statistics["price_band"]
    assert dict(zip(bands.classes, bands.counts, strict=True)) == train["price_band"].value_counts().to_dict()


def test_a_split_that_is_given_takes_the_place_of_the_configurations(tiny: Any, tmp_path: Path) -> None:
    """The artifact is that of a table whose split column says the same."""
    parts = ["train", "test", "train", "val", "train"]
    data, column = (
        tiny(rows=60, split=None),
        tiny(
            folder=tmp_path / "c", rows=60, change=lambda frame: frame.assign(part=[parts[at % 5] for at in range(60)])
        ),
    )
    run(column)
    given = pl.read_parquet(column.folder / "P" / SPLITS_TABLE)
    given.write_parquet(tmp_path / "given.parquet")
    run(data)
    config = load_config(data.config)
    made = step.run(config=config, data=data.folder / "V", out=tmp_path / "Q", splits=tmp_path / "given.parquet")
    assert made.rows == {"train": 36, "val": 12, "test": 12}
    assert contents(tmp_path / "Q")[SPLITS_TABLE] == contents(column.folder / "P")[SPLITS_TABLE]
    assert made.feature_statistics == Preprocessing.read(column.folder / "P").feature_statistics


def test_a_split_of_other_rows_is_refused(tiny: Any, tmp_path: Path) -> None:
    """Fewer, in another order, or with another word for a split."""
    data = tiny(rows=30, split=None)
    run(data)
    whole = pl.read_parquet(data.folder / "P" / SPLITS_TABLE)
    other = whole.with_columns(pl.lit("dev").alias("__split__"))
    for at, table in enumerate((whole.head(29), whole.reverse(), other)):
        table.write_parquet(tmp_path / f"{at}.parquet")
        with refusal(ArtifactError, "split-mismatch", where=tmp_path / f"{at}.parquet"):
            step.run(
                config=load_config(data.config),
                data=data.folder / "V",
                out=tmp_path / "Q",
                splits=tmp_path / f"{at}.parquet",
            )


def timed(folder: Path, **split: Any) -> tuple[Config, pl.DataFrame]:
    """Forty validated rows without pictures, one a day, in no order, three of them on one day."""
    days = [(i * 7) % 40 for i in range(40)]
    days[3] = days[4] = days[5]
    frame = pl.DataFrame(
        {
            "id": [f"k{i}" for i in range(40)],
            "x": [float(i % 5) for i in range(40)],
            "y": [float(i % 7) for i in range(40)],
            "sold": [dt.date(2024, 1, 1) + dt.timedelta(days=day) for day in days],
            "day": days,
        }
    )
    config = Config.model_validate(
        {
            "table": "t.csv",
            "key": "id",
            "features": {"x": {"kind": "numeric"}},
            "targets": {"y": {"kind": "regression"}},
            "split": split,
        }
    )
    validate.run(config=config, table=frame, out=folder / "V")
    return config, frame


def test_rows_within_the_gap_are_kept_with_the_reason_and_counted_to_the_end(tmp_path: Path) -> None:
    """In the file, the contract and the shards, whose rows and rejected rows are the table's; by parts too."""
    config, frame = timed(tmp_path, time="sold", gap="3d")
    fitted = step.run(config=config, data=tmp_path / "V", out=tmp_path / "P")
    split = pl.read_parquet(tmp_path / "P" / SPLITS_TABLE).with_columns(frame["sold"])
    aside = pl.read_parquet(tmp_path / "P" / REJECTED_TABLE)
    left = split.filter(pl.col("__split__").is_null())
    begin = split.group_by("__split__").agg(pl.col("sold").min())
    begins = dict(begin.drop_nulls().iter_rows())
    assert aside.select("row", "key", "column", "reason").rows() == [
        (row, key, "sold", "in_gap") for row, key, _, _ in left.rows()
    ]
    assert aside["value"].to_list() == [day.isoformat() for day in left["sold"]]
    assert aside["detail"].to_list() == [
        f"is within 3d before the {name} rows, which begin at {begins[name].isoformat()}"
        for name in ("val" if day < begins["val"] else "test" for day in left["sold"])
    ]
    assert all(
        any(dt.timedelta(0) < first - day < dt.timedelta(days=3) for first in begins.values()) for day in left["sold"]
    )
    assert (sum(fitted.rows.values()), fitted.rows_rejected) == (40 - left.height, left.height)
    assert left.height == 3
    assert [(found.reason, found.rows) for found in fitted.rejections] == [("in_gap", 3)]
    manifest = shard.run(config=config, data=tmp_path / "V", preprocessing=tmp_path / "P", out=tmp_path / "S")
    assert manifest.rows == fitted.rows
    assert (manifest.rows_read, manifest.rows_rejected, manifest.rejections) == (40, 3, fitted.rejections)
    plan = {"config": config, "data": tmp_path / "V", "preprocessing": tmp_path / "P", "plan": tmp_path / "plan"}
    planned = shard.plan(
        config=config, data=tmp_path / "V", preprocessing=tmp_path / "P", partitions=2, out=tmp_path / "plan"
    )
    for part in planned.partitions:
        shard.run_partition(**plan, partition=part.name, out=tmp_path / part.name)  # type: ignore[arg-type]
    parts = [tmp_path / part.name for part in planned.partitions]
    merged = shard.merge(**plan, parts=parts, out=tmp_path / "M")  # type: ignore[arg-type]
    assert (merged.shards, merged.rows_rejected, merged.rejections) == (manifest.shards, 3, manifest.rejections)


def test_a_gap_longer_than_the_val_rows_last(tmp_path: Path) -> None:
    """Leaves them out, and train rows still before where they would have begun."""
    config, frame = timed(tmp_path, time="day", gap=9)
    fitted = step.run(config=config, data=tmp_path / "V", out=tmp_path / "P")
    plain = config.model_copy(update={"split": config.split.model_copy(update={"gap": None})})
    validate.run(config=plain, table=frame, out=tmp_path / "V2")
    step.run(config=plain, data=tmp_path / "V2", out=tmp_path / "P2")
    whole = pl.read_parquet(tmp_path / "P2" / SPLITS_TABLE).with_columns(frame["day"])
    begin = whole.group_by("__split__").agg(pl.col("day").min())
    begins = dict(begin.iter_rows())
    assert fitted.rows["val"] == 0
    said = pl.read_parquet(tmp_path / "P" / REJECTED_TABLE).join(whole, left_on="row", right_on="__row__")
    for split, detail in said.select("__split__", "detail").rows():
        name = "val" if split == "train" else "test"
        assert detail == f"is within 9 before the {name} rows, which begin at {begins[name]}"
    assert set(said["__split__"]) == {"train", "val"}


def test_a_gap_that_leaves_out_every_train_row(tmp_path: Path) -> None:
    """Is refused with the number of rows left out."""
    config, _ = timed(tmp_path, time="day", gap=1000)
    with refusal(DataError, "no-train-rows", where="split", shows=["left out"]):
        step.run(config=config, data=tmp_path / "V", out=tmp_path / "P")
    assert not (tmp_path / "P").exists()


def test_without_a_gap_there_is_no_file_of_rejected_rows(tmp_path: Path) -> None:
    config, frame = timed(tmp_path, time="day")
    step.run(config=config, data=tmp_path / "V", out=tmp_path / "P")
    assert not (tmp_path / "P" / REJECTED_TABLE).exists()
    by_split = pl.read_parquet(tmp_path / "P" / SPLITS_TABLE).with_columns(frame["day"]).sort("day")
    assert by_split["__split__"].rle().struct.field("value").to_list() == ["train", "val", "test"]


def test_a_stratified_split_of_the_clean_rows_is_written(tmp_path: Path) -> None:
    """In their order, with the groups that are kept of them."""
    config, frame = timed(tmp_path, stratify=["y"], group="day", fractions={"train": 0.5, "val": 0.0, "test": 0.5})
    fitted = step.run(config=config, data=tmp_path / "V", out=tmp_path / "P")
    assert fitted.rows == {"train": 20, "val": 0, "test": 20}
    split = pl.read_parquet(tmp_path / "P" / SPLITS_TABLE)
    assert split["__key__"].to_list() == frame["id"].to_list()
    held = split.with_columns(frame["y"], frame["day"].cast(pl.String).alias("__group__"))
    assert held["__split__"].to_list() == stratified_split(config.split, held).to_list()
    assert held.group_by("__group__").agg(pl.col("__split__").n_unique())["__split__"].max() == 1
