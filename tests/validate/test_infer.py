"""What `polyhead init` proposes: for columns of every kind, for whole tables, and for any table at all."""

from __future__ import annotations

import datetime as dt
import hashlib
import random
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image
from refusals import refusal
from strategies import bad_and_good_cells, column_names, numbers, phrases, texts, words

from polyhead.contracts.config import Config, parse_config
from polyhead.errors import DataError
from polyhead.kinds.features.image import table as image_table
from polyhead.kinds.guessing.columns import Column
from polyhead.tables.reading import read_table
from polyhead.validate import step
from polyhead.validate.infer import Proposal, propose
from polyhead.validate.infer.guesses import guess_feature, guess_target
from polyhead.validate.infer.roles import choose_key, counts_rows, split_meanings

ROWS = 200
DICE = random.Random(0)
MISSING = ("NA", "N/A", "null", "None", "?", "-", "", None)


def cells(make: Callable[[int], Any], rows: int = ROWS) -> list[Any]:
    return [make(row) for row in range(rows)]


def gaps(values: Sequence[Any], spelled: Sequence[Any] = MISSING) -> list[Any]:
    """Values with a fifth of the cells missing, in several spellings."""
    return [spelled[row // 5 % len(spelled)] if row % 5 == 0 else value for row, value in enumerate(values)]


def text_of(values: Sequence[Any]) -> list[str | None]:
    return [None if value is None else str(value) for value in values]


def column(name: str, values: Sequence[Any]) -> Column:
    return Column(pl.Series(name, values, strict=False))


AREAS = cells(lambda row: 20 + row * 37 % 391)
SENTENCES = cells(lambda row: f"A {('red', 'blue')[row % 2]} mug, sold in week {row % 50} to customer {row}.")
REVIEWS = cells(
    lambda row: f"这个产品质量{'很好' if row % 2 else '一般'},物流{'快' if row % 3 else '慢'},第{row}次购买还会再来。"
)
JAPANESE = cells(lambda row: f"この商品は{row}番目に買いました。とても良かったです。")
CITIES = cells(lambda row: ("北京", "上海", "广州")[row % 3])
TAGS = cells(lambda row: ",".join(tag for tag in ("new", "sale", "eco", "gift") if DICE.random() < 0.5) or "new")

FEATURES: list[tuple[str, Sequence[Any], str, str]] = [
    # numbers
    ("area", AREAS, "numeric", "200 different whole numbers"),
    ("area", text_of(AREAS), "numeric", "200 different whole numbers"),
    ("area", text_of(gaps(AREAS)), "numeric", "20 % missing"),
    ("area", [float(area) for area in AREAS], "numeric", "whole numbers"),
    ("ratio", cells(lambda row: row / 7), "numeric", "200 different numbers"),
    ("rooms", cells(lambda row: row % 4 + 1), "numeric", "4 different whole numbers"),
    ("flag", cells(lambda row: row % 2), "numeric", "0 or 1"),
    ("created", cells(lambda row: 1_600_000_000 + row * 3601), "datetime", "from 2020-09-13T12:26:40Z"),
    (
        "area",
        cells(lambda row: "unknown" if row % 4 == 0 else str(AREAS[row])),
        "",
        "'unknown' and the like in 50 cells",
    ),
    ("price", cells(lambda row: f"${row + 1},{row:03d}.50"), "", "is not read as a number"),
    ("weight", cells(lambda row: f"{row % 10},5 kg"), "category", "is not read as a number"),
    # codes and ids
    ("zipcode", cells(lambda row: 10_000 + row % 40), "category", "40 codes"),
    ("zip", cells(lambda row: f"{row % 40:05d}"), "category", "40 different words"),
    ("Pclass", cells(lambda row: row % 3 + 1), "category", "3 codes"),
    ("store_id", cells(lambda row: row % 8), "category", "8 codes"),
    ("customer_id", cells(lambda row: 5_000 + row % 90), "", "90 different ids"),
    ("Ticket", cells(lambda row: f"PC{row * 7919 % 9999}"), "", "every row has its own"),
    ("Cabin", cells(lambda row: f"C{row * 7919 % 99}" if row % 4 == 0 else None), "", "too few rows of each"),
    # counters
    ("Unnamed: 0", cells(lambda row: row), "", "only counts the rows"),
    ("Unnamed: 0", cells(lambda row: row % 100), "", "only counts the rows"),
    ("__index_level_0__", cells(lambda row: 3 * row), "", "only counts the rows"),
    ("n", cells(lambda row: row + 1), "", "only counts the rows"),
    ("n", text_of(cells(lambda row: (row * 77) % ROWS)), "", "only counts the rows"),
    ("index", cells(lambda row: 7 * row + 3), "", "only counts the rows"),
    ("name", cells(lambda row: f"row-{row:03d}"), "", "only counts the rows"),
    ("fold", cells(lambda row: row % 5), "", "fold"),
    # words
    ("colour", cells(lambda row: ("red", "green", "blue")[row % 3]), "category", "3 different words"),
    ("in_stock", cells(lambda row: ("True", "False")[row % 2]), "boolean", "true or false"),
    ("in_stock", cells(lambda row: row % 2 == 0), "boolean", "true or false"),
    ("smokes", gaps(cells(lambda row: ("Yes", "no", "YES")[row % 3])), "boolean", "yes or no; 20 % missing"),
    ("answer", cells(lambda row: ("y", "n", "n/a")[row % 3]), "boolean", "y or n"),
    ("lamp", cells(lambda row: ("on", "off")[row % 2]), "boolean", "on or off"),
    ("mixed", cells(lambda row: ("true", "false", "1", "0")[row % 4]), "boolean", "1 or 0"),
    ("sex", cells(lambda row: ("f", "m")[row % 2]), "category", "2 different words"),
    ("answer", cells(lambda row: ("yes", "no", "maybe")[row % 3]), "category", "3 different words"),
    ("signed", cells(lambda row: True if row % 3 else None), "category", "'true' or empty"),
    ("cheap", cells(lambda row: "x" if row % 3 else None), "category", "'x' or empty"),
    ("城市", CITIES, "category", "3 different words"),
    ("note", SENTENCES, "text", "free text, about"),
    ("评论", REVIEWS, "text", "without spaces between words"),
    ("レビュー", JAPANESE, "text", "free text"),
    ("tags", TAGS, "multicategory", "several values in a cell, with ',' between them"),
    ("genres", [tags.replace(",", "|") for tags in TAGS], "multicategory", "with '|' between them"),
    ("genres", [tags.replace(",", "; ") for tags in TAGS], "multicategory", "with ';' between them"),
    ("place", cells(lambda row: ("Paris, France", "Rome, Italy")[row % 2]), "category", "2 different words"),
    (
        "work",
        cells(lambda row: ("Craftsmen, Foremen", "Managers, Officials", "Sales", "Clerks")[row % 4]),
        "category",
        "4 different words",
    ),
    # dates and times
    (
        "when",
        cells(lambda row: dt.date(2024, 1, 1) + dt.timedelta(row)),
        "datetime",
        "dates from 2024-01-01 to 2024-07-18",
    ),
    ("when", cells(lambda row: dt.datetime(2024, 1, 1, row % 24)), "datetime", "dates and times from 2024-01-01"),
    ("id", cells(lambda row: str(dt.date(2024, 1, 1) + dt.timedelta(row))), "datetime", "dates from 2024-01-01"),
    ("when", gaps(cells(lambda row: f"2024-{row % 12 + 1:02d}-03")), "datetime", "dates from 2024-01-03 to 2024-12-03"),
    ("when", cells(lambda row: f"2024-01-03T10:{row % 60:02d}:00Z"), "datetime", "to 2024-01-03T10:59:00Z"),
    ("when", cells(lambda row: f"2024-{row % 12 + 1:02d}"), "datetime", "dates from 2024-01-01 to 2024-12-01"),
    ("when", cells(lambda row: "2024-01-03" if row % 200 else "2024-01-04"), "datetime", "99.5 % of the rows"),
    ("date", cells(lambda row: 20_240_101 + row % 28), "datetime", "dates from 2024-01-01 to 2024-01-28"),
    ("date", cells(lambda row: 5_000_000 + 7 * row), "numeric", "different whole numbers"),
    ("created", cells(lambda row: (1_600_000_000 + row * 3601) * 1000), "datetime", "from 2020-09-13T12:26:40Z"),
    ("when", cells(lambda row: dt.date(2024, 1, 1)), "", "the same in every row, '2024-01-01'"),
    # nothing to learn from
    ("same", cells(lambda row: "x"), "", "the same in every row, 'x'"),
    ("nothing", cells(lambda row: None), "", "empty"),
    ("PoolQC", cells(lambda row: ("Ex", "Fa")[row // 2] if row < 4 else None), "", "a value in only 4 of 200 rows"),
    ("street", cells(lambda row: "Grvl" if row == 7 else "Pave"), "category", "99.5 % of the rows have the same value"),
    ("labels", cells(lambda row: ["a", "b"][: row % 3]), "multicategory", "lists of values"),
    ("labels", cells(lambda row: str(["a", "b"][: row % 3])), "multicategory", "lists of values, written as text"),
    # what no kind holds
    ("when", cells(lambda row: f"Mar. {row % 28 + 1}, 2024"), "", "dates or times, which no kind holds"),
    ("when", cells(lambda row: f"{row % 12 + 1}/{row % 11 + 1}/2024"), "", "add format: '%d/%m/%Y' or '%m/%d/%Y'"),
    ("when", cells(lambda row: dt.time(row % 24, row % 60)), "", "times of day, which no kind holds"),
    ("when", cells(lambda row: f"{row % 12 + 1}:{row % 60:02d} pm"), "", "times of day, which no kind holds"),
    ("took", cells(lambda row: dt.timedelta(seconds=row)), "", "durations, which no kind holds"),
    ("url", cells(lambda row: f"https://shop.example/{row}"), "", "web addresses"),
    ("photo", cells(lambda row: f"https://shop.example/{row}.jpg?w=100"), "", "web addresses of pictures: download"),
    ("image_url", cells(lambda row: f"http://shop.example/{row}"), "", "web addresses of pictures: download"),
    ("scan", cells(lambda row: f"scans/{row}.dcm"), "image", "paths of pictures"),
    ("photo", cells(lambda row: f"photos/{row}.HEIC"), "image", "paths of pictures"),
    ("scan", cells(lambda row: f"scans/{row}.jp2"), "", "files that are not read"),
    ("slide", cells(lambda row: f"slides/{row}.tiff"), "image", "paths of pictures"),
    ("embedding", cells(lambda row: [0.5, row / 7]), "vector", "lists of 2 numbers each"),
    ("embedding", cells(lambda row: f"[0.5 {row}]"), "vector", "lists of 2 numbers each"),
    ("prices", cells(lambda row: [0.5] * (row % 3 + 1)), "", "lists that are not all of one length"),
    ("image", cells(lambda row: {"bytes": b"x", "path": "a"}), "image", "pictures inside the table"),
    ("photo", cells(lambda row: b"\xff\xd8\xff" + bytes([row])), "image", "pictures inside the table"),
    ("blob", cells(lambda row: {"x": row}), "", "records of several fields"),
    # before any is opened
    ("photo", cells(lambda row: f"images/{row:03d}.JPG"), "image", "paths of pictures"),
]


def test_dicom_files_are_not_read_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which the reason names."""
    scans = column("scan", cells(lambda row: f"scans/{row}.dcm"))
    monkeypatch.setattr(image_table, "reads_dicom", lambda: False)
    guess = guess_feature(scans)
    assert (guess.kind, "files that are not read" in guess.why, "polyhead[dicom]" in guess.why) == ("", True, True)


def test_long_texts_are_proposed_without_runs_of_characters() -> None:
    """Whose cost grows with the text."""
    assert guess_feature(column("note", SENTENCES)).options == {}
    assert guess_feature(column("note", [" ".join([text] * 12) for text in SENTENCES])).options == {"analyzer": "words"}


def test_texts_without_spaces_are_proposed_with_runs_of_characters() -> None:
    """However long they are: as words they have hardly anything in common."""
    for values in (REVIEWS, JAPANESE, ["".join([text] * 40) for text in REVIEWS]):
        assert guess_feature(column("note", values)).options == {"analyzer": "characters"}


@pytest.mark.parametrize(("name", "values", "kind", "why"), FEATURES, ids=[f"{c[0]}-{c[3]}"[:60] for c in FEATURES])
def test_a_feature_is_of_the_kind_that_its_column_holds(name: str, values: Sequence[Any], kind: str, why: str) -> None:
    """The reason says what was seen; a column without a kind, or with one that it had better not be, is left out."""
    guess = guess_feature(column(name, values))
    assert ("" if guess.left_out else guess.kind) == kind
    assert why in guess.why


@pytest.mark.parametrize(
    ("spelling", "options"),
    [
        ("%Y-%m-%d", {}),
        ("%Y-%m-%d %H:%M:%S.%f", {}),
        ("%Y-%m-%dT%H:%M:%S+02:00", {}),
        ("%d/%m/%Y", {"format": "%d/%m/%Y"}),
        ("%m/%d/%Y", {"format": "%m/%d/%Y"}),
        ("%d.%m.%y %H:%M", {"format": "%d.%m.%y %H:%M"}),
        ("%m-%d-%Y %I:%M:%S %p", {"format": "%m-%d-%Y %I:%M:%S %p"}),
        ("%b %d, %Y", {"format": "%b %d, %Y"}),
        ("%d %B %Y", {"format": "%d %B %Y"}),
        ("%d-%b-%y", {"format": "%d-%b-%y"}),
        ("%B %Y", {"format": "%B %Y"}),
    ],
)
def test_a_date_is_proposed_with_the_format_that_reads_it(spelling: str, options: dict[str, str]) -> None:
    """Which of day and month comes first is told by the cells; what does not fit is left to validate."""
    days = [dt.datetime(2024, 1, 1, 1, 2, 3, 4) + dt.timedelta(days=2 * row, hours=row) for row in range(ROWS)]
    values: list[str] = [day.strftime(spelling) for day in days]
    values[7] = "soon"
    guess = guess_feature(column("when", values))
    assert (guess.kind, dict(guess.options), guess.left_out) == ("datetime", options, False)


TARGETS: list[tuple[str, Sequence[Any], str, dict[str, object], str]] = [
    ("price", AREAS, "regression", {}, "200 different numbers"),
    ("price", text_of(gaps(AREAS)), "regression", {}, "20 % missing"),
    ("price", text_of(gaps(AREAS, ["?"])), "regression", {}, "20 % missing"),
    ("price", cells(lambda row: 10.0 ** (row % 40 / 8)), "regression", {"transform": "log"}, "a few far above"),
    ("stars", cells(lambda row: row % 9 / 2), "regression", {}, "9 different numbers"),
    ("year", cells(lambda row: 2010 + row % 12), "regression", {}, "12 different numbers"),
    ("digit", cells(lambda row: row % 12), "multiclass", {}, "12 different whole numbers"),
    ("quality", text_of(cells(lambda row: 3 + row % 6)), "multiclass", {}, "as kind: regression"),
    ("quality", [float(3 + row % 6) for row in range(ROWS)], "multiclass", {}, "as kind: regression"),
    ("survived", cells(lambda row: row % 2), "binary", {}, "50 %"),
    ("fraud", cells(lambda row: row % 20 == 0), "binary", {"class_weight": "balanced"}, "'true' or 'false', 5 % are"),
    ("species", cells(lambda row: ("cat", "dog", "owl")[row % 3]), "multiclass", {}, "3 classes"),
    ("species", cells(lambda row: ("cat", "dog", "?")[row % 3]), "multiclass", {}, "'?' is a class too"),
    ("tags", TAGS, "multilabel", {"separator": ","}, "several labels in a cell"),
    ("tags", [tags.replace(",", "|") for tags in TAGS], "multilabel", {}, "several labels in a cell"),
    ("tags", [tags.split(",") for tags in TAGS], "multilabel", {}, "lists of labels"),
    (
        "place",
        cells(lambda row: ("Paris, France", "Rome, Italy", "Nice, France")[row % 3]),
        "multiclass",
        {},
        "3 classes",
    ),
]


@pytest.mark.parametrize(("name", "values", "kind", "options", "why"), TARGETS, ids=[f"{c[0]}-{c[4]}" for c in TARGETS])
def test_a_target_is_of_the_kind_that_its_column_holds(
    name: str, values: Sequence[Any], kind: str, options: dict[str, object], why: str
) -> None:
    """With what else the kind needs."""
    guess = guess_target(column(name, values))
    assert (guess.kind, dict(guess.options)) == (kind, options)
    assert why in guess.why


@pytest.mark.parametrize(
    ("values", "code", "hint"),
    [
        (cells(lambda row: "x"), "constant-target", "'x'"),
        (cells(lambda row: None), "empty-target", ""),
        (cells(lambda row: f"{row},5"), "not-predictable", "'0,5' is not read as a number"),
        (cells(lambda row: f"$ {row}.00"), "not-predictable", "is not read as a number"),
        (SENTENCES, "not-predictable", "free text cannot be predicted"),
        (cells(lambda row: f"2024-01-01 {row // 60}:{row % 60:02d}"), "not-predictable", "from the date"),
        (
            cells(lambda row: "unknown" if row % 4 == 0 else str(row)),
            "not-predictable",
            "most cells are numbers, 'unknown' and the like in 50 cells are not: empty these",
        ),
    ],
)
def test_what_cannot_be_predicted_is_refused_with_a_way_out(values: Sequence[Any], code: str, hint: str) -> None:
    """It names the column, shows cells, and says what to do."""
    with refusal(DataError, code, where="column 'y'", shows=[hint]):
        guess_target(column("y", values))


@pytest.mark.parametrize(
    ("columns", "key"),
    [
        ({"a": cells(lambda row: row % 7), "PassengerId": cells(lambda row: row + 1)}, "PassengerId"),
        ({"row": cells(lambda row: row), "house_id": cells(lambda row: f"h{row * 31}")}, "house_id"),
        ({"url": cells(lambda row: f"https://a.example/{row}"), "sku": cells(lambda row: f"S{row * 31}")}, "sku"),
        ({"n": cells(lambda row: row), "code_word": cells(lambda row: f"x{row * 7919}")}, "code_word"),
        ({"Unnamed: 0": cells(lambda row: row), "a": cells(lambda row: row / 3)}, "Unnamed: 0"),
        ({"user_id": cells(lambda row: max(row, 1))}, "user_id"),  # one repeated name is a row that is rejected
        ({"user_id": cells(lambda row: row % 100)}, None),
        ({"price": cells(lambda row: row * 31)}, None),  # unique by chance
        ({"length": cells(lambda row: row / 7)}, None),
        ({"note": SENTENCES}, None),
        ({"when": cells(lambda row: dt.datetime(2024, 1, 1) + dt.timedelta(hours=row))}, None),
        ({"paid": cells(lambda row: row % 2)}, None),
    ],
)
def test_a_unique_column_is_the_key(columns: dict[str, Sequence[Any]], key: str | None) -> None:
    """One that is called an id before others, a counter after words; never a measurement, a text or a date."""
    chosen = choose_key([column(name, values) for name, values in columns.items()])
    assert (chosen.name if chosen else None) == key


@given(st.permutations(range(30)), st.sampled_from([0, 1]), st.sampled_from(["{}", "row-{:03d}", "x{}y", "{}.0"]))
@settings(max_examples=50, deadline=None)
def test_a_counter_is_one_in_any_order_and_spelling(order: list[int], first: int, spelling: str) -> None:
    """Whatever it is called."""
    assert counts_rows(column("c", [spelling.format(number + first) for number in order]))
    doubled = [0, *order[1:]] if order[0] else [1, *order[1:]]
    assert not counts_rows(column("c", [spelling.format(number) for number in doubled]))


@pytest.mark.parametrize(
    ("values", "meanings"),
    [
        (["train", "val", "test"], {"train": "train", "val": "val", "test": "test"}),
        (["Train", "VALID", "Test"], {"Train": "train", "VALID": "val", "Test": "test"}),
        (["training", "dev", "holdout"], {"training": "train", "dev": "val", "holdout": "test"}),
        (["train", "test", "eval"], {"train": "train", "test": "test", "eval": "val"}),
        (["train", "validation"], {"train": "train", "validation": "test"}),  # else nothing would be tested
        (["train", "test", None], None),
        (["train", "bus", "test"], None),
        (["val", "test"], None),
        (["train"], None),
    ],
)
def test_a_column_with_the_words_of_a_split_is_the_split(values: list[str], meanings: dict[str, str] | None) -> None:
    """In any case and spelling; every row has to have one."""
    assert split_meanings(column("part", values * 9)) == meanings


@pytest.mark.parametrize(
    ("name", "values", "meanings"),
    [
        ("is_train", [True, False], {"true": "train", "false": "test"}),
        ("isTest", ["1", "0"], {"1": "test", "0": "train"}),
        ("is_valid", ["no", "yes"], {"no": "train", "yes": "test"}),
        ("is_new", [True, False], None),
    ],
)
def test_a_flag_of_the_split_is_the_split(name: str, values: list[Any], meanings: dict[str, str] | None) -> None:
    assert split_meanings(column(name, values * 9)) == meanings


def proposed(columns: Mapping[str, Sequence[Any]], *targets: str, place: str = "t.csv") -> tuple[Proposal, Config]:
    frame = pl.DataFrame({name: pl.Series(values, strict=False) for name, values in columns.items()})
    proposal = propose(frame, "t.csv", targets, place=place)
    return proposal, parse_config(proposal.text())


def reasons(proposal: Proposal, role: str) -> dict[str, str]:
    return {choice.column: choice.why for choice in proposal.choices if choice.role == role}


def test_what_gives_a_target_away_is_left_out_with_the_reason() -> None:
    """A copy on another scale, bands of it, a finer division, other words for it; what only helps stays."""
    price = [100.0 + area * area % 997 for area in AREAS]
    group = [f"group {row % 5}" for row in range(ROWS)]
    columns = {
        "price": price,
        "group": group,
        "price_eur": [0.9 * value for value in price],
        "band": ["low" if value < 400 else "high" for value in price],
        "subgroup": [f"sub {row % 20}" for row in range(ROWS)],
        "number": [row % 5 + 3 for row in range(ROWS)],
        "noisy": [value + DICE.gauss(0, 200) for value in price],
        "colour": cells(lambda row: DICE.choice(("red", "blue", "green"))),
        "area": AREAS,
    }
    proposal, config = proposed(columns, "price", "group")
    assert reasons(proposal, "left out") == {
        "price_eur": "rises and falls with 'price' in all rows: a feature only if it is known before",
        "band": "holds bands of 'price' in all rows: a feature only if it is known before",
        "subgroup": "tells 'group' exactly in all rows: a feature only if it is known before",
        "number": "tells 'group' exactly in all rows: a feature only if it is known before",
    }
    assert list(config.features) == ["noisy", "colour", "area"]


def test_a_date_of_its_own_in_every_row_is_no_key() -> None:
    """Of whatever type and name, in order or not."""
    days = [str(dt.date(2024, 1, 1) + dt.timedelta(row)) for row in range(ROWS)]
    shuffled = DICE.sample(days, ROWS)
    columns = {"date_id": days, "when": shuffled, "area": AREAS, "y": cells(lambda row: DICE.random())}
    _, config = proposed(columns, "y")
    assert config.key is None
    assert {name: feature.kind for name, feature in config.features.items()} == {
        "date_id": "datetime",
        "when": "datetime",
        "area": "numeric",
    }


def test_where_every_column_gives_the_target_away_they_stay() -> None:
    """A made-up table of x and y is still one to try things on."""
    proposal, config = proposed({"x": AREAS, "y": [3 * area for area in AREAS]}, "y")
    assert list(config.features) == ["x"]
    assert reasons(proposal, "feature")["x"].startswith("rises and falls with 'y'")


def test_a_feature_that_is_there_twice_is_proposed_once() -> None:
    """However its cells are spelled."""
    columns = {"y": cells(lambda row: row % 2), "a": AREAS, "b": text_of(AREAS), "c": cells(lambda row: row % 5)}
    proposal, config = proposed(columns, "y")
    assert list(config.features) == ["a", "c"]
    assert reasons(proposal, "left out") == {"b": "the same as 'a'"}


def test_other_outcomes_are_named_at_the_top() -> None:
    """They stay features until somebody decides."""
    columns = {"area": AREAS, "price": cells(lambda row: row * row), "Survived": cells(lambda row: row // 7 % 2)}
    proposal, config = proposed(columns, "Survived")
    assert proposal.notes[0].startswith("'price' looks like an outcome too")
    assert "price" in config.features


def test_every_head_is_gated_by_its_baseline() -> None:
    """By the headline metric; by one that does not hang on 0.5 where classes are weighted or a row has many labels."""
    columns = {
        "area": AREAS,
        "price": [area * area % 997 for area in AREAS],
        "sold": cells(lambda row: row % 2),
        "fraud": cells(lambda row: row % 20 == 7),
        "kind": cells(lambda row: f"k{row % 3}"),
        "tags": TAGS,
    }
    _, config = proposed(columns, "price", "sold", "fraud", "kind", "tags")
    assert config.gate == {
        "price": {"r2": "beats baseline"},
        "sold": {"accuracy": "beats baseline"},
        "fraud": {"roc_auc": "beats baseline"},
        "kind": {"accuracy": "beats baseline"},
        "tags": {"roc_auc": "beats baseline"},
    }


def test_a_split_whose_test_rows_know_no_target_is_not_used() -> None:
    """Tables of competitions have such rows."""
    columns = {
        "a": AREAS,
        "set": ["train", "test"] * 100,
        "y": [row % 3 if row % 2 == 0 else None for row in range(ROWS)],
    }
    proposal, config = proposed(columns, "y")
    assert config.split.column is None
    assert any("its test rows have no value of 'y'" in note for note in proposal.notes)


def test_cells_that_cannot_be_read_do_not_add_up_to_a_refusal() -> None:
    """Columns of numbers with a few words in them are features only as long as nine of ten rows are kept."""
    columns: dict[str, Sequence[Any]] = {"y": cells(lambda row: row % 2)}
    for number in range(4):
        columns[f"n{number}"] = [f"word{row}" if row // 8 == number else str(row / 7 + number) for row in range(ROWS)]
    proposal, config = proposed(columns, "y")
    assert list(config.features) == ["n2", "n3"]
    assert "too many rows would be rejected" in reasons(proposal, "left out")["n0"]
    assert any(note.startswith("16 rows have a cell that does not fit") for note in proposal.notes)


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A folder with 30 pictures below `photos/small`, and a table beside it."""
    (tmp_path / "photos" / "small").mkdir(parents=True)
    for row in range(30):
        Image.new("RGB", (9, 9), (row, 0, 0)).save(tmp_path / "photos" / "small" / f"{row}.png")
    return tmp_path


def pictured(paths: Sequence[str | None], place: Path) -> tuple[Proposal, Config]:
    columns = {"y": [row % 3 for row in range(30)], "photo": paths, "a": [row / 7 for row in range(30)]}
    return proposed(columns, "y", place=str(place / "t.csv"))


def test_pictures_are_opened_before_a_column_is_called_one(shop: Path) -> None:
    proposal, config = pictured([f"photos/small/{row}.png" for row in range(30)], shop)
    assert config.features["photo"].kind == "image"
    assert config.image_root is None
    assert reasons(proposal, "feature")["photo"] == "paths of pictures; opened 15 of them"


def test_the_folder_where_paths_start_is_looked_for(shop: Path) -> None:
    """Below the table's folder; and of whole paths it is the folder that they share."""
    assert pictured([f"{row}.png" for row in range(30)], shop)[1].image_root == "photos/small"
    whole = pictured([str(shop / "photos" / "small" / f"{row}.png") for row in range(30)], shop)[1]
    assert whole.image_root == str(shop / "photos" / "small")
    for config in (pictured([f"small/{row}.png" for row in range(30)], shop)[1], whole):
        assert config.features["photo"].kind == "image"


def test_paths_that_lead_nowhere_are_left_out_with_what_was_looked_for(shop: Path) -> None:
    proposal, config = pictured([f"elsewhere/{row}.png" for row in range(30)], shop)
    assert list(config.features) == ["a"]
    assert reasons(proposal, "left out")["photo"] == (
        "reads like paths of pictures, but 15 of 15 cannot be opened from the table's folder "
        "('elsewhere/0.png': no such file: there is no folder elsewhere below image_root): "
        "set image_root to the folder where the paths start"
    )


def test_one_broken_picture_is_told(shop: Path) -> None:
    (shop / "photos" / "small" / "4.png").write_bytes(b"no picture")
    proposal, config = pictured([f"photos/small/{row}.png" for row in range(30)], shop)
    assert "photo" in config.features
    assert "1 of 15 tried cannot be opened, 'photos/small/4.png'" in reasons(proposal, "feature")["photo"]


COLUMNS = st.one_of(
    st.sampled_from([bad_and_good_cells, phrases, texts, words, numbers.map(repr)]),
    st.sampled_from([st.integers(-5, 5), st.integers(-(2**62), 2**62), numbers, st.booleans(), st.floats(width=32)]),
    st.sampled_from([st.dates(), st.datetimes(), st.lists(words, max_size=3), st.binary(max_size=3), st.none()]),
    st.sampled_from(
        [
            st.integers(0, 400).map(lambda number: f"row-{number}"),
            st.sampled_from(["train", "Validation", "TEST"]),
            st.lists(st.sampled_from("abcd"), min_size=1, max_size=3, unique=True).map(",".join),
            st.sampled_from(["1.0", "0.0", "", None]),
            st.sampled_from(["['a', 'b']", "[]", "['c']"]),
            st.sampled_from(["a.png", "b.jpg", "https://a.example/c.png"]),
            st.integers(0, 99).map(str) | st.sampled_from(MISSING),
        ]
    ),
)


@st.composite
def tables(draw: st.DrawFn) -> tuple[pl.DataFrame, list[str]]:
    """A table with columns of any names and kinds, and one or two of them to predict."""
    rows = draw(st.integers(1, 40))
    names = draw(st.lists(column_names | texts.filter(bool), min_size=2, max_size=6, unique=True))
    columns = {}
    for name in names:
        cell = draw(COLUMNS)
        missing = draw(st.booleans())
        values = draw(st.lists(cell | st.none() if missing else cell, min_size=rows, max_size=rows))
        columns[name] = pl.Series(values, strict=False).alias(name)
    return pl.DataFrame(columns), draw(st.lists(st.sampled_from(names), min_size=1, max_size=2))


@settings(max_examples=60, deadline=None)
@given(tables())
@example((pl.DataFrame({"0": list("0001"), "*": list("1111"), "len": ["1", "1", "1", "2.5"]}), ["0"]))
def test_whatever_the_table_validate_accepts_what_is_proposed(drawn: tuple[pl.DataFrame, list[str]]) -> None:
    """The YAML parses, every column has a role and a reason, and validate passes the same table with it."""
    frame, targets = drawn
    try:
        proposal = propose(frame, "t.parquet", targets)
    except DataError:
        return
    config = parse_config(proposal.text())
    assert [choice.column for choice in proposal.choices if choice.role != "target"] == [
        name for name in frame.columns if name not in targets
    ]
    assert all(choice.why for choice in proposal.choices)
    assert [config.column_of(name) for name in config.targets] == list(dict.fromkeys(targets))
    with tempfile.TemporaryDirectory() as folder:
        report = step.run(config=config, table=frame, out=Path(folder) / "V")
    assert report.passed


def test_bytes_that_are_no_pictures_are_left_out() -> None:
    """Such as digests, of which validate would reject every row."""
    digests = [hashlib.sha256(bytes([row])).digest() for row in range(30)]
    frame = pl.DataFrame({"digest": [b"", *digests[1:]], "area": AREAS[:30], "price": AREAS[30:60]})
    choices = {choice.column: choice for choice in propose(frame, "t.parquet", ["price"]).choices}
    assert choices["digest"].role == "left out"


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".jsonl"])
def test_a_table_gets_one_proposal_however_it_is_stored(tmp_path: Path, suffix: str) -> None:
    """Types are looked at only where the cells say nothing."""
    frame = pl.DataFrame(
        {
            "id": cells(lambda row: row * 31),
            "area": [None if row % 9 == 0 else area for row, area in enumerate(AREAS)],
            "new": cells(lambda row: row % 2 == 0),
            "zip": cells(lambda row: f"{row % 30:05d}"),
            "note": SENTENCES,
            "y": cells(lambda row: row * row / 3),
        }
    )
    path = tmp_path / f"table{suffix}"
    writers: dict[str, Any] = {".csv": frame.write_csv, ".parquet": frame.write_parquet, ".jsonl": frame.write_ndjson}
    writers[suffix](path)
    stored = propose(read_table(str(path)), "t", ["y"])
    assert stored == propose(frame, "t", ["y"])


@pytest.mark.parametrize("end", ["\n", "\x85", "\u2028", "\u2029"])
def test_a_name_with_a_line_end_of_yaml_is_written_with_escapes(end: str) -> None:
    """As the column is called, and on one line."""
    name = f"a{end}b"
    _, config = proposed({name: AREAS, "y": cells(lambda row: row * row % 997)}, "y")
    assert [config.column_of(feature) for feature in config.features] == [name]
