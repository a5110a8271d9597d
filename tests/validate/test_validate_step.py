"""The validate step: what is kept, what is set aside and why, and how each broken table reads."""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pytest
import xxhash
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from refusals import gist, refusal

from polyhead.contracts.config import load_config, parse_config
from polyhead.contracts.validation import CLEAN_TABLE, DUPLICATES_TABLE, REJECTED_TABLE, ValidationReport
from polyhead.errors import ArtifactError, DataError
from polyhead.pictures.folder import PictureFolder
from polyhead.validate import step

LOOSE = {"max_rejected": 1.0}


def run(data: Any, out: str = "V", table: Any = None, **options: Any) -> ValidationReport:
    config = load_config(data.config)
    return step.run(config=config, table=str(data.table) if table is None else table, out=data.folder / out, **options)


def refused(data: Any, **options: Any) -> list[tuple[str, str, list[str]]]:
    with pytest.raises(DataError) as caught:
        run(data, **options)
    return [gist(problem) for problem in caught.value.problems]


def clean(data: Any, out: str = "V") -> pl.DataFrame:
    return pl.read_parquet(data.folder / out / CLEAN_TABLE)


def rejected(data: Any, out: str = "V") -> list[tuple[Any, ...]]:
    return pl.read_parquet(data.folder / out / REJECTED_TABLE).rows()


def put(column: str, values: dict[int, Any]) -> Any:
    def change(frame: pd.DataFrame) -> pd.DataFrame:
        frame[column] = frame[column].astype(object)
        for row, value in values.items():
            frame.loc[row, column] = value
        return frame

    return change


def test_a_clean_table(tiny: Any) -> None:
    """Canonical types, every row, the row's number and key, a summary per column."""
    data = tiny()
    report = run(data)
    assert (report.rows_read, report.rows_clean, report.rows_rejected) == (24, 24, 0)
    assert (report.passed, report.rejections, report.warnings, report.images_checked) == (True, [], [], 24)
    assert report.image_root == str(data.folder)
    frame = clean(data)
    assert frame.schema == {
        "__row__": pl.Int64, "__key__": pl.String, "photo": pl.String,
        "photo__picture": pl.Struct(
            {"size": pl.Int64, "width": pl.Int32, "height": pl.Int32, "format": pl.String, "mode": pl.String,
             "orientation": pl.UInt8, "content_hash": pl.String, "perceptual_hash": pl.UInt64}
        ),
        "size": pl.Float64, "colour": pl.String, "note": pl.String, "price": pl.Float64, "shape": pl.String,
        "sold": pl.String, "tags": pl.List(pl.String), "__split__": pl.String,
    }  # fmt: skip
    assert frame["__row__"].to_list() == list(range(24))
    for name, column in (
        ("__key__", "id"),
        ("size", "size"),
        ("note", "note"),
        ("price", "price"),
        ("__split__", "part"),
    ):
        assert frame[name].to_list() == data.frame[column].tolist()
    summaries = {summary.name: summary for summary in report.columns}
    assert (summaries["size"].minimum, summaries["size"].maximum) == (
        data.frame["size"].min(),
        data.frame["size"].max(),
    )
    assert (summaries["colour"].distinct, summaries["shape"].role, summaries["photo"].missing) == (3, "target", 0)
    assert pl.read_parquet(data.folder / "V" / REJECTED_TABLE).height == 0
    assert ValidationReport.read(data.folder / "V") == report


def test_every_format_gives_the_same_bytes(tiny: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """CSV, typed Parquet, JSON Lines, pandas and polars frames, at any number of workers."""
    data = tiny(change=lambda frame: put("size", {3: None})(put("tags", {4: None, 5: "[]"})(frame)))
    expected = run(data, workers=1)
    typed = data.frame.assign(size=data.frame["size"].astype(float))
    lists = typed.assign(tags=[None if t is None else [] if t == "[]" else t.split("|") for t in typed["tags"]])
    typed.to_parquet(data.folder / "t.parquet")
    lists.to_json(data.folder / "t.jsonl", orient="records", lines=True)
    lists.assign(colour=lists["colour"].astype("category")).to_parquet(data.folder / "l.parquet")
    monkeypatch.chdir(data.folder)
    tables = [str(data.folder / name) for name in ("t.parquet", "t.jsonl", "l.parquet")]
    for i, table in enumerate([*tables, typed, lists, pl.from_pandas(typed), typed.set_index("price", drop=False)]):
        report = run(data, out=f"V{i}", table=table, workers=3)
        assert report.clean_digest == expected.clean_digest
        assert report.image_root == expected.image_root


def test_bad_cells_are_set_aside_with_key_column_reason_and_value(tiny: Any) -> None:
    """Every problem of every bad row is in rejected.parquet; the good rows are untouched."""

    def spoil(frame: pd.DataFrame) -> pd.DataFrame:
        spoilt: dict[str, dict[int, Any]] = {
            "size": {1: "big", 2: "inf", 3: "", 4: "nan"},
            "price": {1: -5, 5: "Infinity", 6: "NaN"},
            "id": {7: "row000", 8: "", 9: "row000"},
            "part": {10: "valid", 11: ""},
            "photo": {12: "images/gone.png", 13: ""},
        }
        for column, values in spoilt.items():
            frame = put(column, values)(frame)
        return frame

    data = tiny(change=spoil, validate=LOOSE)
    report = run(data)
    assert rejected(data) == [
        (1, "row001", "price", "not_positive", "-5", "transform: log needs numbers above zero"),
        (1, "row001", "size", "not_a_number", "big", "cannot be read as a number"),
        (2, "row002", "size", "infinite", "inf", "must be finite"),
        (5, "row005", "price", "infinite", "Infinity", "must be finite"),
        (7, "row000", "id", "duplicate_key", "row000", "an earlier row has this key"),
        (8, None, "id", "missing", None, "the key column must name every row"),
        (9, "row000", "id", "duplicate_key", "row000", "an earlier row has this key"),
        (10, "row010", "part", "unknown_split", "valid", "did you mean 'val'?"),
        (11, "row011", "part", "missing", None, "every row needs train, val or test"),
        (12, "row012", "photo", "image_missing", "images/gone.png", "no such file below image_root"),
    ]
    assert (report.rows_read, report.rows_clean, report.rows_rejected) == (24, 15, 9)
    assert clean(data)["__row__"].to_list() == [0, 3, 4, 6, *range(13, 24)]
    assert clean(data)["size"].null_count() == 2
    assert clean(data)["price"].null_count() == 1
    most = report.rejections[0]
    assert (most.column, most.reason, most.rows) == ("id", "duplicate_key", 2)
    assert sum(r.rows for r in report.rejections) == 10


def test_every_broken_picture_has_its_reason(tiny: Any) -> None:
    """Corrupt, truncated, empty, a bomb, a pipe, a folder, outside; two rows that share one share its fate."""
    data = tiny(
        change=put(
            "photo",
            {0: "images/corrupt.png", 1: "images/cut.jpg", 2: "images/empty.png", 3: "images/bomb.png",
             4: "images/pipe.png", 5: "images", 6: "../outside.png", 7: "/etc/passwd", 8: "images/link.png",
             9: "images/corrupt.png"},
        ),
        validate={**LOOSE, "max_pixels": 10_000, "images": "decode"},
    )  # fmt: skip
    images = data.folder / "images"
    content = (images / "000.png").read_bytes()
    (images / "corrupt.png").write_bytes(content[:60] + b"\xff\x00" + content[62:])
    Image.effect_noise((64, 64), 90).save(images / "whole.jpg")
    (images / "cut.jpg").write_bytes((images / "whole.jpg").read_bytes()[:-500])
    (images / "empty.png").touch()
    Image.new("RGB", (101, 100)).save(images / "bomb.png")
    os.mkfifo(images / "pipe.png")
    (images / "link.png").symlink_to("/etc/passwd")
    report = run(data)
    assert [(row[0], row[1], row[2], row[3]) for row in rejected(data)] == [
        (0, "row000", "photo", "image_unreadable"),
        (1, "row001", "photo", "image_unreadable"),
        (2, "row002", "photo", "image_unreadable"),
        (3, "row003", "photo", "image_too_large"),
        (4, "row004", "photo", "image_not_a_file"),
        (5, "row005", "photo", "image_not_a_file"),
        (6, "row006", "photo", "image_outside_root"),
        (7, "row007", "photo", "image_outside_root"),
        (8, "row008", "photo", "image_outside_root"),
        (9, "row009", "photo", "image_unreadable"),
    ]
    assert rejected(data)[1][5].startswith("image file is truncated")
    assert rejected(data)[3][5] == "101 x 100 pixels, validate.max_pixels is 10,000"
    assert report.images_checked == 23
    assert report.rows_clean == 14


@pytest.mark.parametrize(
    ("options", "kept"),
    [({}, []), ({"on_missing": "mask"}, [0]), ({"on_corrupt": "mask"}, [1, 2]),
     ({"on_missing": "mask", "on_corrupt": "mask"}, [0, 1, 2])],
)  # fmt: skip
def test_masked_pictures_keep_their_rows(tiny: Any, options: dict[str, str], kept: list[int]) -> None:
    """Each option its own faults and no others; a masked picture is listed, counted, and null like its facts."""
    photo = {"kind": "image", "size": [16, 16], **options}
    data = tiny(
        change=put("photo", {0: "images/gone.png", 1: "images/junk.png", 2: "images/empty.png", 3: "../outside.png"}),
        validate=LOOSE,
        features={"photo": photo, "size": {"kind": "numeric"}},
    )
    (data.folder / "images" / "junk.png").write_bytes(b"junk")
    (data.folder / "images" / "empty.png").touch()
    report = run(data)
    reasons = ["image_missing", "image_unreadable", "image_unreadable", "image_outside_root"]
    assert [(row[0], row[3]) for row in rejected(data)] == [
        (row, f"masked_{reason}" if row in kept else reason) for row, reason in enumerate(reasons)
    ]
    assert (report.rows_read, report.rows_rejected, report.rows_clean) == (24, 4 - len(kept), 20 + len(kept))
    assert sum(rejection.rows for rejection in report.rejections) == 4
    rows = clean(data).head(len(kept))
    assert rows["__row__"].to_list() == kept
    assert rows["photo"].null_count() == rows["photo__picture"].null_count() == len(kept)
    assert next(column.missing for column in report.columns if column.name == "photo") == len(kept)


def test_masked_pictures_stop_no_run(tiny: Any) -> None:
    """However many: only rows that are set aside count."""
    data = tiny(
        change=put("photo", dict.fromkeys(range(20), "images/gone.png")),
        validate={"on_bad_row": "fail"},
        features={"photo": {"kind": "image", "size": [16, 16], "on_missing": "mask"}},
    )
    assert (run(data).passed, run(data).rows_clean) == (True, 24)


def test_a_damaged_picture_passes_by_its_header_and_is_refused_when_decoded(tiny: Any) -> None:
    """The report says how pictures were checked; either way the content is hashed."""
    data = tiny(change=put("photo", {1: "images/cut.jpg"}), validate=LOOSE)
    Image.effect_noise((64, 48), 90).save(data.folder / "images" / "whole.jpg")
    content = (data.folder / "images" / "whole.jpg").read_bytes()[:-500]
    (data.folder / "images" / "cut.jpg").write_bytes(content)
    report = run(data)
    assert (report.images, report.images_checked, report.rows_rejected) == ("header", 24, 0)
    assert clean(data)["photo__picture"][1] == {
        "size": len(content), "width": 64, "height": 48, "format": "JPEG", "mode": "L", "orientation": 1,
        "content_hash": xxhash.xxh3_128_hexdigest(content), "perceptual_hash": None,
    }  # fmt: skip
    config = load_config(data.config)
    deep = config.model_copy(update={"validate_": config.validate_.model_copy(update={"images": "decode"})})
    report = step.run(config=deep, table=str(data.table), out=data.folder / "D")
    assert (report.images, report.images_checked, report.rows_rejected) == ("decode", 24, 1)
    assert rejected(data, "D")[0][:4] == (1, "row001", "photo", "image_unreadable")
    assert clean(data, "D")["photo__picture"].struct.field("perceptual_hash").null_count() == 0


def test_the_clean_table_tells_what_was_seen_of_every_picture(tiny: Any) -> None:
    """Size, format, mode and orientation as the file system and Pillow have them; null where the path is."""
    data = tiny(change=put("photo", {0: "images/turned.jpg", 1: None, 2: "images/clear.webp", 3: "images/turned.jpg"}))
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (40, 30), "red").save(data.folder / "images" / "turned.jpg", exif=exif)
    Image.new("RGBA", (10, 20)).save(data.folder / "images" / "clear.webp", lossless=True)
    run(data)
    frame = clean(data)
    for path, facts in frame.select("photo", "photo__picture").iter_rows():
        if path is None:
            assert facts is None
            continue
        place = data.folder / path
        with Image.open(place) as image:
            assert (facts["width"], facts["height"], facts["format"], facts["mode"]) == (
                *image.size, image.format, image.mode,
            )  # fmt: skip
            assert facts["orientation"] == image.getexif().get(0x0112, 1)
        assert facts["size"] == place.stat().st_size
        assert facts["content_hash"] == xxhash.xxh3_128_hexdigest(place.read_bytes())
    assert frame["photo__picture"].null_count() == 1
    assert frame["photo__picture"][0]["orientation"] == 6
    assert frame["photo__picture"][0] == frame["photo__picture"][3]


def test_every_different_picture_is_read_once(tiny: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many rows, columns and batches share it, and where repeated keys make the table be read again."""
    reads: Counter[str] = Counter()
    read = PictureFolder.read

    def counted(folder: PictureFolder, path: str) -> bytes:
        reads[path] += 1
        return read(folder, path)

    monkeypatch.setattr(PictureFolder, "read", counted)
    data = tiny(
        change=lambda frame: frame.assign(
            photo=[f"images/{i % 5:03d}.png" for i in range(24)], id=["a", "a", *range(22)]
        ),
        validate=LOOSE,
    )
    report = run(data, batch_rows=4)
    assert reads == {f"images/{i:03d}.png": 1 for i in range(5)}
    assert (report.images_checked, report.rows_rejected) == (5, 1)


def test_image_root_is_relative_to_the_tables_folder(tiny: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """For a DataFrame it is relative to the working directory."""
    data = tiny(image_root="images", change=lambda f: f.assign(photo=f["photo"].str.removeprefix("images/")))
    assert run(data).image_root == str(data.folder / "images")
    monkeypatch.chdir(data.folder)
    assert run(data, table=data.frame, out="W").image_root == str(data.folder / "images")
    config = load_config(data.config)
    assert step.image_root(config, "gs://bucket/x/t.csv") == "gs://bucket/x/images"
    assert step.image_root(config.model_copy(update={"image_root": "gs://b/y"}), "t.csv") == "gs://b/y"
    assert step.image_root(config.model_copy(update={"image_root": None}), "gs://bucket/x/t.csv") == "gs://bucket/x"


@pytest.mark.parametrize("root", ["ftp://bucket/x", "https://example.org"])
def test_an_image_root_that_nothing_reads_is_refused(tiny: Any, root: str) -> None:
    """Instead of ten thousand missing files."""
    assert refused(tiny(image_root=root)) == [(root, "unknown-scheme", [])]


def test_a_table_of_another_place_and_missing_columns(tiny: Any) -> None:
    """The table is named, and every missing column at once with the nearest name."""
    data = tiny(change=lambda frame: frame.rename(columns={"size": "sise", "note": "remark"}))
    where = str(data.table)
    assert refused(data) == [
        (where, "unknown-column", ["size", "sise"]),
        (where, "unknown-column", ["note"]),
    ]
    gone = str(data.folder / "gone.csv")
    assert refused(data, table=gone) == [(gone, "file-not-found", [])]
    assert not (data.folder / "V").exists()


def test_an_empty_table(tiny: Any) -> None:
    """A header without rows."""
    data = tiny(change=lambda frame: frame.head(0))
    assert refused(data) == [(str(data.table), "no-rows", [])]


def test_columns_of_an_impossible_type_are_all_named(tiny: Any) -> None:
    """Lists where words belong, dates where numbers belong: feature, key and split at once."""
    data = tiny(suffix=".parquet")
    frame = pl.read_parquet(data.table).with_columns(
        pl.concat_list("id").alias("id"),
        pl.date(2024, 1, 1).alias("size"),
        pl.concat_list("colour").alias("colour"),
        pl.concat_list("part").alias("part"),
    )
    assert refused(data, table=frame) == [
        ("column 'id'", "not-a-single-value", []),
        ("column 'size'", "not-a-number", []),
        ("column 'colour'", "not-a-single-value", []),
        ("column 'part'", "not-a-single-value", []),
    ]


def test_text_in_a_numeric_column_of_a_pandas_frame(tiny: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A column of numbers and one word: the word's row is rejected, as from CSV."""
    data = tiny(validate=LOOSE)
    monkeypatch.chdir(data.folder)
    frame = put("size", {4: "n.a.?"})(data.frame.copy())
    assert run(data, table=frame).rows_rejected == 1
    assert rejected(data) == [(4, "row004", "size", "not_a_number", "n.a.?", "cannot be read as a number")]


@pytest.mark.parametrize(
    ("column", "value", "where", "code", "values"),
    [
        ("shape", "round", "target 'shape'", "single-class", ["round"]),
        ("sold", "no", "target 'sold'", "single-class", ["no"]),
        ("shape", None, "target 'shape'", "empty-target", []),
        ("price", None, "target 'price'", "empty-target", []),
        ("price", 7.5, "target 'price'", "constant-target", ["7.5"]),
        ("tags", None, "target 'tags'", "empty-target", []),
    ],
)
def test_a_target_that_teaches_nothing(
    tiny: Any, column: str, value: Any, where: str, code: str, values: list[str]
) -> None:
    """One class, one value or none at all stops the run; the artifact says that it did not pass."""
    data = tiny(change=lambda frame: frame.assign(**{column: value}))
    assert refused(data) == [(where, code, values)]
    assert ValidationReport.read(data.folder / "V").passed is False


def test_a_binary_target_with_three_labels(tiny: Any) -> None:
    """It names them and the kind that fits."""
    data = tiny(change=put("sold", {0: "maybe", 6: "maybe"}))
    assert refused(data) == [("target 'sold'", "too-many-classes", ["3"])]


def test_a_class_with_one_row_and_an_empty_feature_are_warnings(tiny: Any) -> None:
    """Allowed, but said."""
    data = tiny(change=lambda frame: put("shape", {3: "hexagon"})(frame).assign(size=None))
    report = run(data)
    assert report.passed
    assert report.warnings == [
        "target 'shape' has classes with a single row ('hexagon'): they cannot be both learned and tested",
        "feature 'size' has no value in any row",
    ]


def test_max_rejected_is_a_share(tiny: Any) -> None:
    """At the share the run goes on, above it it stops, with the artifact written and the reasons told."""
    spoil = put("size", {1: "x", 2: "y", 3: "z"})
    assert run(tiny(change=spoil, validate={"max_rejected": 0.125})).rows_rejected == 3
    data = tiny(change=spoil, validate={"max_rejected": 0.12})
    with refusal(
        DataError, "too-many-rejected", "not-a-number", "run-stopped", shows=[data.folder / "V" / REJECTED_TABLE]
    ) as stopped:
        run(data)
    assert [gist(problem) for problem in stopped.problems[:2]] == [
        ("", "too-many-rejected", ["3", "24", "12.5", "12.0"]),
        ("column 'size'", "not-a-number", ["3", "x"]),
    ]
    assert ValidationReport.read(data.folder / "V").passed is False
    assert len(rejected(data)) == 3


def test_on_bad_row_fail_stops_at_one(tiny: Any) -> None:
    """Whatever max_rejected says."""
    data = tiny(change=put("size", {1: "x"}), validate={"on_bad_row": "fail", "max_rejected": 1.0})
    assert refused(data)[0] == ("", "too-many-rejected", ["1", "24", "4.2"])
    assert run(tiny(validate={"on_bad_row": "fail"})).passed


def test_all_rows_rejected(tiny: Any) -> None:
    """Even where everything may be rejected."""
    data = tiny(change=lambda frame: frame.assign(size="x"), validate=LOOSE)
    assert refused(data)[0] == ("", "too-many-rejected", ["24", "100.0", "100.0"])


def test_an_output_folder_that_holds_something_else_is_refused(tiny: Any) -> None:
    """Untouched, and a validation that stands there is replaced."""
    data = tiny()
    (data.folder / "V").mkdir()
    (data.folder / "V" / "notes.txt").write_text("mine")
    with refusal(ArtifactError, "output-not-empty"):
        run(data)
    assert os.listdir(data.folder / "V") == ["notes.txt"]
    first = run(data, out="W")
    assert run(data, out="W") == first
    assert sorted(os.listdir(data.folder / "W")) == [
        "ValidationReport.json",
        CLEAN_TABLE,
        DUPLICATES_TABLE,
        REJECTED_TABLE,
    ]


def test_the_same_table_twice_is_the_same_artifact(tiny: Any) -> None:
    """Byte for byte, bad rows included."""
    data = tiny(change=put("size", {1: "x", 5: "inf"}))
    run(data, out="A", workers=1)
    run(data, out="B", workers=4)
    for name in (CLEAN_TABLE, REJECTED_TABLE, "ValidationReport.json"):
        assert (data.folder / "A" / name).read_bytes() == (data.folder / "B" / name).read_bytes()


def test_without_a_key_rows_are_named_by_their_position(tiny: Any) -> None:
    """From 0."""
    data = tiny(key=None, change=put("size", {2: "x"}))
    run(data)
    assert clean(data)["__key__"].to_list() == [str(i) for i in range(24) if i != 2]
    assert rejected(data)[0][:2] == (2, "2")


CELLS = st.sampled_from(["1", "2.5", "x", "inf", "nan", "", None, "-1", "red", "yes", "a|b", "[]", "train", " "])
CONFIG = parse_config(
    yaml.safe_dump(
        {
            "table": "t.csv",
            "key": "id",
            "features": {"n": {"kind": "numeric", "min": 0, "required": True}, "c": {"kind": "category"}},
            "targets": {"r": {"kind": "regression"}, "m": {"kind": "multilabel", "labels": ["a", "b"]}},
            "validate": {"max_rejected": 1.0},
        }
    )
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(*[CELLS] * 5), min_size=1, max_size=12))
def test_no_row_is_ever_lost(rows: list[tuple[str | None, ...]]) -> None:
    """Read is clean plus rejected, and each side holds exactly its rows."""
    import tempfile

    frame = pl.DataFrame(rows, schema=dict.fromkeys(["id", "n", "c", "r", "m"], pl.String), orient="row")
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "V"
        with contextlib.suppress(DataError):
            step.run(config=CONFIG, table=frame, out=out)
        report = ValidationReport.read(out)
        kept = set(pl.read_parquet(out / CLEAN_TABLE)["__row__"])
        aside = pl.read_parquet(out / REJECTED_TABLE)
        assert report.rows_read == len(rows) == report.rows_clean + report.rows_rejected
        assert (len(kept), aside["row"].n_unique()) == (report.rows_clean, report.rows_rejected)
        assert kept | set(aside["row"]) == set(range(len(rows)))
        assert sum(group.rows for group in report.rejections) == aside.height


def test_features_of_a_table_to_be_predicted(tiny: Any) -> None:
    """Neither targets nor split nor key are needed; bad cells are found as in training."""
    data = tiny()
    frame = pl.from_pandas(data.frame[["photo", "size", "colour", "note"]].assign(size=["x", *range(23)]).astype(str))
    features, aside = step.clean_features(frame, load_config(data.config))
    assert features.columns == ["__row__", "__key__", "photo", "size", "colour", "note"]
    assert features["__key__"].to_list() == [str(i) for i in range(24)]
    assert aside.rows == {0}


def test_a_row_without_a_usable_weight_is_set_aside(tiny: Any) -> None:
    """Missing, negative and infinite weights, by the table's column, with what to do; 0 is a weight."""
    weights = ["1.5", "", "-1", "inf", "heavy", "0", *["2"] * 18]
    data = tiny(change=lambda frame: frame.assign(w=weights), weight="w", validate=LOOSE)
    run(data)
    assert [(row[0], *row[2:5]) for row in rejected(data)] == [
        (1, "w", "missing", None),
        (2, "w", "negative", "-1"),
        (3, "w", "infinite", "inf"),
        (4, "w", "not_a_number", "heavy"),
    ]
    assert all("0" in row[5] for row in rejected(data)[:2])
    assert clean(data)["__weight__w"].to_list() == [1.5, 0.0, *[2.0] * 18]
