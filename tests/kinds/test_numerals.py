"""Numbers as a table spells them: separators stated for the table, units for a column."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from refusals import refusal

from polyhead.contracts.bundle import ModelBundle
from polyhead.contracts.config import Config, parse_config
from polyhead.contracts.numbers import NumbersSection
from polyhead.contracts.preprocessing import Preprocessing
from polyhead.contracts.validation import ValidationReport
from polyhead.errors import ConfigError
from polyhead.kinds.coercion import Coerced, Source, applied, number_coercion
from polyhead.kinds.guessing.columns import Column
from polyhead.kinds.guessing.guess import Rank
from polyhead.tables.reading import Table
from polyhead.validate.infer.guesses import guess_feature
from polyhead.validate.infer.proposal import propose
from polyhead.validate.step import clean_features
from polyhead.validate.step import run as validate

GERMAN = NumbersSection(decimal=",", thousands=".")
SPELLINGS = [
    GERMAN,
    NumbersSection(decimal=",", thousands=" "),
    NumbersSection(decimal=",", thousands="'"),
    NumbersSection(decimal=".", thousands=","),
    NumbersSection(decimal=",", thousands=None),
]


def read(cells: Sequence[str | None], spelling: NumbersSection, *units: str) -> Coerced:
    def made(source: Source) -> Any:
        own = Source(source.name, source.dtype, source.received, source.values, spelling)
        return number_coercion(own, units=units)

    return applied(pl.Series("x", cells, dtype=pl.String), made)


def refused(coerced: Coerced) -> list[int]:
    return sorted(row for fault in coerced.faults for row in fault.mask.arg_true())


def written(number: float, spelling: NumbersSection) -> str:
    """As a person writes it: Python's own grouping, with other marks."""
    text = f"{number:,}" if spelling.thousands else f"{number}"
    return text.translate({ord(","): spelling.thousands or "", ord("."): spelling.decimal})


@pytest.mark.parametrize("spelling", SPELLINGS, ids=str)
@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(-(10**9), 10**9) | st.floats(-1e12, 1e12), min_size=1, max_size=8))
def test_a_number_is_read_back_as_itself(spelling: NumbersSection, numbers: list[float]) -> None:
    """With its thousands separated and without, and with an exponent, to the last bit."""
    grouped = read([written(number, spelling) for number in numbers], spelling)
    plain = read([f"{number!r}".replace(".", spelling.decimal) for number in numbers], spelling)
    assert grouped.values.to_list() == plain.values.to_list() == [float(number) for number in numbers]
    assert not grouped.faults
    assert not plain.faults


def test_tables_are_read_as_pandas_reads_them() -> None:
    cells = ["1.234,5", "-7", "0,25", "1.000.000", "3e2", "12,"]
    oracle = pd.read_csv(io.StringIO("x\n" + "\n".join(cells)), sep=";", decimal=",", thousands=".")
    assert read(cells, GERMAN).values.to_list() == oracle["x"].to_list()


@pytest.mark.parametrize(
    ("cells", "thousands", "numbers"),
    [
        (["1 234,5", "1\u00a0234", "1\u202f234", "1\u2009234,0"], " ", [1234.5, 1234, 1234, 1234]),
        (["1'234,5", "1\u2019234"], "'", [1234.5, 1234]),
        (["12.34.567,5", "1.23.456"], ".", [1234567.5, 123456]),
    ],
    ids=["spaces", "apostrophes", "groups of two"],
)
def test_a_mark_stands_for_those_that_look_like_it(cells: list[str], thousands: str, numbers: list[float]) -> None:
    spelling = NumbersSection.model_validate({"decimal": ",", "thousands": thousands})
    assert read(cells, spelling).values.to_list() == numbers


@pytest.mark.parametrize("cell", ["1.5", "1.23", "12.3456", "1..234", "1,5,5", "1.234.", ",", "1,234.5", "1 234", "x1"])
def test_another_spelling_is_refused_and_never_read_as_another_number(cell: str) -> None:
    """A point where thousands are separated is not a fraction, whatever came before."""
    coerced = read(["1,5", cell], GERMAN)
    assert coerced.values.to_list() == [1.5, None]
    assert refused(coerced) == [1]


def test_words_mean_the_same_in_every_spelling() -> None:
    coerced = read(["true", "False", "NA", "-", "+nan", "", None, "inf"], GERMAN, "kg")
    assert coerced.values.to_list() == [1.0, 0.0, *[None] * 6]
    assert refused(coerced) == [7]


def test_a_unit_is_stripped_from_either_end_and_nothing_else_is() -> None:
    cells = ["70 kg", "70kg", "70", "-70.5\u00a0kg", "-€5", "€ -5", "5 €", "1e3 kg", "12 m2"]
    coerced = read(cells, NumbersSection(), "kg", "€", "m", "m2")
    assert coerced.values.to_list() == [70, 70, 70, -70.5, -5, -5, 5, 1000, 12]
    wrong = ["70 KG", "70 g", "kg", "5 kg kg", "€5€€", "70 kg/m", "-€-5", "k g 5"]
    assert refused(read(wrong, NumbersSection(), "kg", "€")) == list(range(len(wrong)))
    assert refused(read(["70 kg", "70"], NumbersSection())) == [0]
    both = read(["1.234,5 kg", "€ -1.000"], GERMAN, "kg", "€")
    assert both.values.to_list() == [1234.5, -1000]


@pytest.mark.parametrize("cell", ["1,234", "1 234.5", "70 kg", "$5", "5 %"])
def test_what_is_not_stated_is_refused_with_where_to_state_it(cell: str) -> None:
    (fault,) = read(["1", cell], NumbersSection()).faults
    assert fault.reason == "not_a_number"
    assert fault.mask.to_list() == [False, True]
    assert [word for word in ("numbers.decimal", "numbers.thousands", "unit") if word not in fault.detail] == []
    (fault,) = read(["1,5", "abc"], GERMAN, "kg").faults
    assert [word for word in ("','", "'.'", "'kg'") if word not in fault.detail] == []


CELLS = {
    "id": ["a", "b", "c", "d", "e", "f"],
    "weight": ["1.070,5 kg", "70", "7 kg", None, "8,25 lb", "9"],
    "price": ["1.234,50 €", "€ 99", "7", "8,5", "10", "1.5 €"],
}
WANTED = [("a", 1070.5, 1234.5), ("b", 70.0, 99.0), ("c", 7.0, 7.0), ("d", None, 8.5)]


def config(**sections: Any) -> Config:
    return Config.model_validate(
        {
            "table": "t.csv",
            "key": "id",
            "numbers": {"decimal": ",", "thousands": "."},
            "features": {"weight": {"kind": "numeric", "unit": "kg"}},
            "targets": {"price": {"kind": "regression", "unit": ["€", "EUR"]}},
            "validate": {"max_rejected": 0.5},
            **sections,
        }
    )


def as_csv(folder: Path) -> Table:
    pl.DataFrame(CELLS).write_csv(folder / "t.csv", separator=";")
    return str(folder / "t.csv")


def as_parquet(folder: Path) -> Table:
    pl.DataFrame(CELLS).write_parquet(folder / "t.parquet")
    return str(folder / "t.parquet")


def as_json_lines(folder: Path) -> Table:
    """Numbers without quotes are numbers, whatever the spelling of those in quotes."""
    rows = pl.DataFrame(CELLS).to_dicts()
    rows[1]["weight"] = 70.0
    (folder / "t.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return str(folder / "t.jsonl")


@pytest.mark.parametrize(
    "write", [as_csv, as_parquet, as_json_lines, lambda _: pd.DataFrame(CELLS), lambda _: pl.DataFrame(CELLS)]
)
def test_every_format_gives_the_same_rows(tmp_path: Path, write: Callable[[Path], Table]) -> None:
    """For features and targets, and what is spelled otherwise is rejected with row, column, value and remedy."""
    validate(config=config(), table=write(tmp_path), out=tmp_path / "V")
    clean = pl.read_parquet(tmp_path / "V" / "clean.parquet")
    assert clean.select("__key__", "weight", "price").rows() == WANTED
    rejected = pl.read_parquet(tmp_path / "V" / "rejected.parquet")
    assert rejected.select("key", "column", "value").rows() == [("e", "weight", "8,25 lb"), ("f", "price", "1.5 €")]
    assert rejected["detail"].str.contains("unit").all()


def test_rows_to_predict_are_read_as_the_trained_ones() -> None:
    """By the configuration that a bundle holds."""
    bundled = Config.model_validate_json(config().model_dump_json(by_alias=True))
    clean, rejected = clean_features(pl.DataFrame(CELLS).drop("price"), bundled)
    assert clean["weight"].to_list() == [1070.5, 70.0, 7.0, None, None, 9.0]
    assert rejected.frame()["value"].to_list() == ["8,25 lb"]


def test_the_spelling_and_the_unit_decide_the_data() -> None:
    """And the default is that of artifacts that were made before there was a choice."""
    contracts = (ValidationReport, Preprocessing, ModelBundle)
    plain = config(numbers={})
    assert all(plain.fingerprint(of) == config(numbers={"decimal": "."}).fingerprint(of) for of in contracts)
    assert all(plain.fingerprint(of) != config().fingerprint(of) for of in contracts)
    other = config(features={"weight": {"kind": "numeric", "unit": ["kg", "lb"]}})
    assert all(other.fingerprint(of) != config().fingerprint(of) for of in contracts)


@pytest.mark.parametrize(
    ("sections", "code", "where", "shows"),
    [
        ("numbers: {decimal: ',', thousands: ','}", "conflicting-keys", "numbers", ["','"]),
        ("numbers: {decimal: ;}", "invalid-choice", "numbers.decimal", ["';'", "'.'", "','"]),
        ("numbers: {thousands: _}", "invalid-choice", "numbers.thousands", ["'_'", "' '"]),
        ("numbers: {decimals: ','}", "unknown-key", "numbers.decimals", ["'decimal'"]),
    ],
)
def test_what_is_no_spelling_says_so(sections: str, code: str, where: str, shows: list[str]) -> None:
    text = f"table: t.csv\nfeatures: {{x: {{kind: numeric}}}}\ntargets: {{y: {{kind: regression}}}}\n{sections}"
    with refusal(ConfigError, code, where=f"c.yaml:4 {where}", shows=shows):
        parse_config(text, name="c.yaml")


@pytest.mark.parametrize(
    ("unit", "code", "place"),
    [
        ("5", "wrong-type", ""),
        ("5kg", "invalid-format", ".0"),
        ("' kg'", "invalid-format", ".0"),
        ("'kg '", "invalid-format", ".0"),
        ("''", "invalid-format", ".0"),
        ("[kg, -]", "invalid-format", ".1"),
        ("[]", "wrong-length", ""),
    ],
)
@pytest.mark.parametrize("member", ["features.x", "targets.y"])
def test_what_is_no_unit_says_so(member: str, unit: str, code: str, place: str) -> None:
    own = {"features.x": "", "targets.y": "", member: f", unit: {unit}"}
    text = (
        f"table: t.csv\nfeatures: {{x: {{kind: numeric{own['features.x']}}}}}\n"
        f"targets: {{y: {{kind: regression{own['targets.y']}}}}}"
    )
    line = {"features.x": 2, "targets.y": 3}[member]
    with refusal(ConfigError, code, where=f"c.yaml:{line} {member}.unit{place}"):
        parse_config(text, name="c.yaml")


@pytest.mark.parametrize("cells", [["1.234,5", "7,25", "0,5"] * 10, ["70 kg", "71 kg", "72 kg"] * 10])
def test_init_says_how_such_a_column_is_read_as_numbers(cells: list[str]) -> None:
    guess = guess_feature(Column(pl.Series("x", cells)))
    assert (guess.kind, guess.rank) == ("category", Rank.WORDS)
    assert [word for word in ("numbers", "unit") if word not in guess.why] == []


ROWS = 60
TABLES: list[tuple[dict[str, Callable[[int], str]], dict[str, str]]] = [
    ({"y": lambda row: f"{row * 1.25:.2f}".replace(".", ","), "x": lambda row: f"{row % 7}"}, {"decimal": ","}),
    (
        {"y": lambda row: f"{row * 91:,}".replace(",", ".") + ",5", "x": lambda row: f"{row % 9},5"},
        {"decimal": ",", "thousands": "."},
    ),
    (
        {"y": lambda row: f"{row * 91:,}".replace(",", "\u202f") + ",5", "x": lambda row: f"{row % 9},5"},
        {"decimal": ",", "thousands": " "},
    ),
    (
        {"y": lambda row: f"{row * 91 + 0.25:,}", "x": lambda row: f"{row % 9}.5"},
        {"decimal": ".", "thousands": ","},
    ),
    (
        {"y": lambda row: f"{row * 91 + 0.25:,}".replace(",", "'"), "x": lambda row: f"{row % 9}.5"},
        {"decimal": ".", "thousands": "'"},
    ),
    ({"y": lambda row: f"{row * 0.125}", "x": lambda row: f"{row % 9}.5"}, {}),
]


@pytest.mark.parametrize(("table", "numbers"), TABLES, ids=lambda value: str(value) if "y" not in value else "")
def test_init_proposes_the_spelling_of_the_table(
    tmp_path: Path, table: dict[str, Callable[[int], str]], numbers: dict[str, str]
) -> None:
    """And what it proposes reads every row, numbers as numbers."""
    frame = pl.DataFrame({name: [cell(row) for row in range(ROWS)] for name, cell in table.items()})
    text = propose(frame, "t.csv", ["y"]).text()
    proposed = parse_config(text)
    assert proposed.numbers == NumbersSection.model_validate(numbers)
    assert ("numbers:" in text) is bool(numbers)
    assert (proposed.features["x"].kind, proposed.targets["y"].kind) == ("numeric", "regression")
    report = validate(config=proposed, table=frame, out=tmp_path / "V")
    assert report.rows_clean == ROWS


def test_init_leaves_open_what_two_spellings_read_differently() -> None:
    """Whether 1,234 is a thousand or one and a bit has to be said."""
    frame = pl.DataFrame({"x": [f"{row // 6 + 1},250" for row in range(ROWS)], "y": ["a", "b", "c"] * 20})
    proposal = propose(frame.with_columns(z=pl.Series(range(ROWS)) % 7), "t.csv", ["y"])
    assert proposal.numbers == NumbersSection()
    (choice,) = (choice for choice in proposal.choices if choice.column == "x")
    assert "numbers" in choice.why
    beside_points = frame.with_columns(z=pl.Series([f"{row}.5" for row in range(ROWS)]))
    assert propose(beside_points, "t.csv", ["y"]).numbers == NumbersSection(thousands=",")
