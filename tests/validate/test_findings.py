"""What validate finds that gives a target or the test rows away: counts, rows and places, on tables made for it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from PIL import Image, ImageEnhance
from refusals import refusal

from polyhead.contracts.config import Config, load_config
from polyhead.contracts.findings import Finding
from polyhead.contracts.validation import DUPLICATES_TABLE, ValidationReport
from polyhead.errors import DataError
from polyhead.validate import step

ROWS = 80


def table(**columns: Any) -> pd.DataFrame:
    """A table in which nothing gives anything away: an id, a number, a class and a split."""
    random = np.random.default_rng(0)
    plain = {
        "id": [f"r{row}" for row in range(ROWS)],
        "size": random.normal(size=ROWS).round(4),
        "label": random.choice(["low", "high"], ROWS),
        "part": random.choice(["train", "val", "test"], ROWS),
    }
    return pd.DataFrame({**plain, **columns})


def config(features: dict[str, Any] | None = None, **sections: Any) -> Config:
    return Config.model_validate(
        {
            "table": "table.csv",
            "key": "id",
            "features": {"size": {"kind": "numeric"}, **(features or {})},
            "targets": {"label": {"kind": "multiclass"}},
            "split": {"column": "part"},
            **sections,
        }
    )


def found(folder: Path, frame: pd.DataFrame, features: dict[str, Any] | None = None, **sections: Any) -> list[Finding]:
    """The findings, with pictures of the folder."""
    made = config(features, image_root=str(folder), **sections)
    return step.run(config=made, table=frame, out=folder / "V").findings


def by_code(findings: list[Finding]) -> dict[str, Finding]:
    assert len({finding.code for finding in findings}) == len(findings)
    return {finding.code: finding for finding in findings}


def noise(path: Path, seed: int, change: Callable[[Image.Image], Image.Image] = lambda picture: picture) -> str:
    """Write a picture of random colours; its name."""
    coarse = np.random.default_rng(seed).integers(0, 256, (7, 7, 3), dtype=np.uint8)
    change(Image.fromarray(coarse).resize((60, 60), Image.Resampling.BICUBIC)).save(path)
    return path.name


PHOTO = {"photo": {"kind": "image", "size": [16, 16]}}
TWO = {**PHOTO, "back": {"kind": "image", "size": [16, 16]}}


def test_houses(houses: Path, tmp_path: Path) -> None:
    """The counts of the public data: pictures and rows that are there twice."""
    made = load_config(Path(__file__).parents[2] / "pipelines" / "configs" / "houses.yaml")
    report = step.run(config=made, table=str(houses / "houses.csv"), out=tmp_path / "V")
    findings = by_code(report.findings)
    assert {code: (finding.count, finding.affected) for code, finding in findings.items()} == {
        "duplicate_rows": (5, 10),
        "duplicate_images": (14, 13),
        "duplicate_images_in_row": (5, 5),
        "duplicate_rows_across_splits": (3, 6),
        "duplicate_images_across_splits": (6, 6),
    }
    assert findings["duplicate_images"].column == "frontal, bedroom, bathroom, kitchen"
    assert findings["duplicate_images_in_row"].rows == ["12", "227", "343", "354", "466"]
    assert findings["duplicate_images_across_splits"].rows == ["199", "214", "292", "293", "331", "351"]


def test_a_table_in_which_nothing_is_wrong_has_no_finding(tmp_path: Path) -> None:
    assert found(tmp_path, table()) == []
    assert pl.read_parquet(tmp_path / "V" / DUPLICATES_TABLE).height == 0


def test_identical_rows_count_once_a_set(tmp_path: Path) -> None:
    """Key and split may differ; a gap is a value like any other."""
    frame = table()
    frame.loc[[3, 5], "size"] = np.nan
    for to, of in ((10, 1), (11, 1), (12, 2), (5, 3)):
        frame.loc[to, ["size", "label"]] = frame.loc[of, ["size", "label"]]
    other = list(range(ROWS))
    for to, of in ((10, 1), (11, 1), (12, 2), (5, 3)):
        other[to] = other[of]
    frame["other"] = other
    frame["part"] = "train"
    frame.loc[[60, 61], "part"] = ["val", "test"]
    frame.loc[12, "part"] = "test"
    findings = by_code(found(tmp_path, frame, {"other": {"kind": "numeric"}}))
    assert findings["duplicate_rows"].count == 3
    assert findings["duplicate_rows"].rows == ["r1", "r10", "r11", "r2", "r12", "r3", "r5"]
    crossing = findings["duplicate_rows_across_splits"]
    assert (crossing.count, crossing.rows, crossing.column) == (1, ["r2", "r12"], "")
    lines = pl.read_parquet(tmp_path / "V" / DUPLICATES_TABLE)
    assert lines.select("set", "__key__", "column").rows()[:3] == [(0, "r1", None), (0, "r10", None), (0, "r11", None)]


def test_rows_that_few_words_tell_apart_are_no_finding(tmp_path: Path) -> None:
    """Two words and two classes make four different rows: that they repeat says nothing."""
    frame = table(word=np.random.default_rng(1).choice(["a", "b"], ROWS)).drop(columns="size")
    made = config(features={}).model_copy(update={})
    made = Config.model_validate(
        {**made.model_dump(by_alias=True, exclude_unset=True), "features": {"word": {"kind": "category"}}}
    )
    assert step.run(config=made, table=frame, out=tmp_path / "V").findings == []


def test_a_table_whose_rows_are_all_there_twice_is_a_finding(tmp_path: Path) -> None:
    frame = pd.concat([table(), table()], ignore_index=True)
    frame["id"] = [f"r{row}" for row in range(2 * ROWS)]
    assert by_code(found(tmp_path, frame))["duplicate_rows"].count == ROWS


def test_identical_pictures_in_rows_columns_and_labels(tmp_path: Path) -> None:
    photos = [noise(tmp_path / f"p{row}.png", row) for row in range(ROWS)]
    backs = [noise(tmp_path / f"b{row}.png", 1000 + row) for row in range(ROWS)]
    frame = table(photo=photos, back=backs, part="train")
    frame.loc[[70, 71], "part"] = ["val", "test"]
    frame.loc[4, "back"] = "p4.png"  # one path in both columns of a row
    noise(tmp_path / "copy.png", 6)  # another file with the bytes of p6.png
    frame.loc[70, "photo"] = "copy.png"
    frame.loc[[6, 70], "label"] = ["low", "high"]
    frame.loc[[8, 9], "label"] = "low"
    frame.loc[9, "photo"] = "p8.png"
    findings = by_code(found(tmp_path, frame, TWO))
    assert {code: (finding.count, finding.rows) for code, finding in findings.items()} == {
        "duplicate_images": (3, ["r4", "r6", "r70", "r8", "r9"]),
        "duplicate_images_in_row": (1, ["r4"]),
        "duplicate_images_with_other_labels": (1, ["r6", "r70"]),
        "duplicate_images_across_splits": (1, ["r6", "r70"]),
    }
    assert findings["duplicate_images"].column == "photo, back"
    assert findings["duplicate_images_across_splits"].column == "photo"


def test_nearly_identical_pictures_are_found_where_pictures_are_decoded(tmp_path: Path) -> None:
    photos = [noise(tmp_path / f"p{row}.png", row) for row in range(ROWS)]
    noise(tmp_path / "c1.jpg", 1, lambda picture: picture.resize((90, 90)))
    noise(tmp_path / "c2.png", 2, lambda picture: ImageEnhance.Brightness(picture).enhance(0.9))
    noise(tmp_path / "c3.png", 3, lambda picture: picture.crop((2, 2, 58, 58)))
    frame = table(photo=[*photos[:-3], "c1.jpg", "c2.png", "c3.png"], part="train", label=["low", "high"] * 40)
    frame.loc[[50, 77], "part"] = ["val", "test"]
    frame.loc[78, "label"] = "high"
    assert found(tmp_path, frame, PHOTO) == []
    findings = by_code(found(tmp_path, frame, PHOTO, validate={"images": "decode"}))
    near = findings["near_duplicate_images"]
    assert (near.count, near.rows) == (3, ["r1", "r77", "r2", "r78", "r3", "r79"])
    assert findings["near_duplicate_images_across_splits"].rows == ["r1", "r77"]
    assert findings["near_duplicate_images_with_other_labels"].rows == ["r2", "r78"]
    assert "duplicate_images" not in findings


def test_pictures_whose_hashes_agree_count_only_if_their_pixels_do(tmp_path: Path) -> None:
    """Mirrored brightness steps of the same signs: one hash, two pictures."""
    ramp = np.linspace(250, 5, 64)
    steps = np.repeat(np.linspace(250, 5, 8), 8) * np.concatenate([np.full(32, 1.0), np.full(32, 0.2)])
    for name, line in (("ramp.png", ramp), ("steps.png", steps)):
        Image.fromarray(np.tile(line, (64, 1)).astype(np.uint8)).save(tmp_path / name)
    photos = [noise(tmp_path / f"p{row}.png", row) for row in range(ROWS - 2)]
    frame = table(photo=[*photos, "ramp.png", "steps.png"])
    assert found(tmp_path, frame, PHOTO, validate={"images": "decode"}) == []
    clean = pl.read_parquet(tmp_path / "V" / "clean.parquet")["photo__picture"].struct.field("perceptual_hash")
    assert int(clean[-1] ^ clean[-2]).bit_count() <= 11


COPIES: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "a word for each class": ({"code": ["x", "y"]}, {"kind": "category"}, "feature_is_target"),
    "a number that says it": ({"code": [1.5, 7]}, {"kind": "numeric"}, "feature_is_target"),
}


@pytest.mark.parametrize("name", COPIES)
def test_a_column_that_is_a_function_of_the_target(tmp_path: Path, name: str) -> None:
    columns, feature, code = COPIES[name]
    frame = table()
    low, high = columns["code"]
    frame["code"] = np.where(frame["label"] == "low", low, high)
    (finding,) = found(tmp_path, frame, {"code": feature})
    assert (finding.code, finding.column, finding.count) == (code, "code", ROWS)
    assert finding.rows == [f"r{row}" for row in range(10)]


@pytest.mark.parametrize(
    ("errors", "expected"), [(0, True), (1, True), (20, False)], ids=["exact", "nearly exact", "a good feature"]
)
def test_a_column_that_scores_near_1_alone(tmp_path: Path, errors: int, expected: bool) -> None:
    """Of 600 rows; a threshold of a number tells the class but for some rows."""
    random = np.random.default_rng(3)
    rows = 600
    score = random.uniform(size=rows).round(6)
    label = np.where(score > 0.5, "high", "low")
    wrong = np.argsort(score)[5 : 5 + 10 * errors : 10]
    label[wrong] = "high"
    frame = pd.DataFrame(
        {
            "id": [f"r{row}" for row in range(rows)],
            "size": random.normal(size=rows),
            "score": score,
            "label": label,
            "part": random.choice(["train", "test"], rows),
        }
    )
    findings = found(tmp_path, frame, {"score": {"kind": "numeric"}})
    assert [finding.column for finding in findings] == (["score"] if expected else [])


def test_a_number_that_is_a_curve_of_the_target(tmp_path: Path) -> None:
    """Neither rises nor falls with it, and tells it all the same; one with noise does not."""
    random = np.random.default_rng(3)
    frame = table()
    frame["price"] = random.uniform(1, 9, ROWS)
    frame["angle"] = random.uniform(-3, 3, ROWS)
    frame["price"] = (frame["angle"] ** 2).round(6)
    frame["noisy"] = frame["price"] + random.normal(size=ROWS)
    features = {"angle": {"kind": "numeric"}, "noisy": {"kind": "numeric"}}
    findings = found(tmp_path, frame, features, targets={"price": {"kind": "regression"}})
    assert [(finding.code, finding.column) for finding in findings] == [("feature_is_target", "angle")]


TEXTS: dict[str, tuple[Callable[[Any], str], bool]] = {
    "its label": (lambda row: f"Seen on Monday: {row.label.upper()}, by Ann", True),
    "its number": (lambda row: f"sold for ${row.price:,} after {row.name % 9} days", True),
    "every label": (lambda row: "low or high?", False),
    "any label": (lambda row: f"it was {('low', 'high')[row.name % 2]} in the hills {row.name % 3}", False),
    "other numbers": (lambda row: f"sold for {1000 + row.name * 37}", False),
    "its name where it is low": (lambda row: f"{'no label' if row.label == 'low' else 'nothing'} {row.name % 9}", True),
}


@pytest.mark.parametrize("name", TEXTS)
def test_a_text_that_has_a_targets_value_or_name(tmp_path: Path, name: str) -> None:
    write, expected = TEXTS[name]
    frame = table(price=np.random.default_rng(5).integers(10_000, 900_000, ROWS))
    frame["note"] = [write(row) for _, row in frame.iterrows()]
    targets = {"label": {"kind": "multiclass"}, "price": {"kind": "regression"}}
    findings = found(tmp_path, frame, {"note": {"kind": "text"}}, targets=targets)
    assert [(finding.code, finding.column) for finding in findings] == [("target_in_text", "note")] * expected
    if name == "its name where it is low":
        low = frame["id"][frame["label"] == "low"]
        assert (findings[0].count, findings[0].rows) == (len(low), list(low[:10]))


def test_a_text_that_has_one_label_of_several(tmp_path: Path) -> None:
    random = np.random.default_rng(5)
    tags = [[tag for tag in ("red", "wide", "old") if random.random() < 0.4] for _ in range(ROWS)]
    frame = table(tags=["|".join(row) or "[]" for row in tags])
    frame["note"] = [f"a {'wide ' * ('wide' in row)}thing {place % 9}" for place, row in enumerate(tags)]
    targets = {"tags": {"kind": "multilabel"}}
    (finding,) = found(tmp_path, frame, {"note": {"kind": "text"}}, targets=targets)
    assert (finding.code, finding.count) == ("target_in_text", sum("wide" in row for row in tags))
    assert "wide" in finding.message


def test_times_that_separate_the_splits(tmp_path: Path) -> None:
    days = pd.date_range("2024-01-01", periods=ROWS).strftime("%Y-%m-%d")
    features = {"day": {"kind": "datetime"}}
    apart = ["train"] * 50 + ["val"] * 14 + ["test"] * 16
    (finding,) = found(tmp_path, table(day=days, part=apart), features)
    assert (finding.code, finding.column, finding.count) == ("time_separates_splits", "day", ROWS)
    assert finding.rows == ["r49", "r50", "r63", "r64"]
    apart[10] = "test"
    assert found(tmp_path, table(day=days, part=apart), features) == []


def test_groups_that_cross_by_the_name_of_their_column(tmp_path: Path) -> None:
    """Values of a column that names things; those of a mere word may be anywhere."""
    who = [f"p{row // 4}" for row in range(ROWS)]
    part = ["train"] * 50 + ["val"] * 14 + ["test"] * 16
    frame = table(patient_id=who, town=who, part=part)
    features = {"patient_id": {"kind": "category"}, "town": {"kind": "category"}}
    (finding,) = found(tmp_path, frame, features)
    assert (finding.code, finding.column, finding.count) == ("group_crosses", "patient_id", 1)
    assert finding.rows == ["r48", "r49", "r50", "r51"]


def test_fail_stops_with_every_finding_and_leaves_the_artifact(tmp_path: Path) -> None:
    frame = table()
    frame.loc[1, ["size", "label"]] = frame.loc[0, ["size", "label"]]
    frame["code"] = np.where(frame["label"] == "low", "x", "y")
    features = {"code": {"kind": "category"}}
    with refusal(DataError, "leakage-found", "duplicate-rows", "feature-is-target", shows=["'r0'"]):
        found(tmp_path, frame.assign(part="train"), features, validate={"leakage": "fail"})
    report = ValidationReport.read(tmp_path / "V")
    assert (report.passed, [finding.code for finding in report.findings]) == (
        False,
        ["duplicate_rows", "feature_is_target"],
    )
