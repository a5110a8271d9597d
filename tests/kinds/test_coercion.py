"""Columns into canonical types: same values, same spelling, whatever they were read from."""

from __future__ import annotations

import datetime as dt
import json
import math
from collections.abc import Callable
from decimal import Decimal

import numpy as np
import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from refusals import refusal
from strategies import numbers as finite
from strategies import phrases, spellings, texts, words

from polyhead.contracts.words import spelled
from polyhead.errors import DataError
from polyhead.kinds import coercion as module
from polyhead.kinds.coercion import NO_NUMBER, Coerced, numbers
from polyhead.kinds.features.category.config import CategoryFeature
from polyhead.kinds.features.image.config import ImageFeature
from polyhead.kinds.features.numeric.config import NumericFeature
from polyhead.kinds.features.text.config import TextFeature
from polyhead.kinds.tables import coerce
from polyhead.kinds.targets.binary.config import BinaryTarget
from polyhead.kinds.targets.multiclass.config import MulticlassTarget
from polyhead.kinds.targets.multilabel.config import MultilabelTarget
from polyhead.kinds.targets.regression.config import RegressionTarget

NUMBER_TEXT = r"[ \t]{0,2}[-+]?([0-9]{1,20}|[0-9]{0,12}\.[0-9]{1,18}|[0-9]{1,12}\.)([eE][-+]?[0-9]{1,2})?[ \t]{0,2}"


def faults(coerced: Coerced) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for fault in coerced.faults:
        found[fault.reason] = sorted([*found.get(fault.reason, []), *fault.mask.arg_true()])
    return found


def label_sets(column: pl.Series, separator: str) -> Coerced:
    return coerce(column, MultilabelTarget(kind="multilabel", separator=separator))


@settings(max_examples=200, deadline=None)
@given(st.lists(st.from_regex(NUMBER_TEXT, fullmatch=True) | finite.map(repr), min_size=1))
def test_numbers_in_text_are_what_python_reads(texts: list[str]) -> None:
    """Every way to write a number gives the very float that Python's float() gives."""
    texts = [text for text in texts if abs(float(text)) <= 3e38] or ["0"]
    coerced = numbers(pl.Series(texts))
    assert coerced.values.to_list() == [float(text) for text in texts]
    assert coerced.faults == []


@pytest.mark.parametrize("late", [None, "", " red", "True", "12.0", "e\u0301", "red"])
def test_words_that_repeat_are_spelled_one_by_one(late: str | None) -> None:
    """However many right ones come before: the first rows of a column do not speak for the others."""
    cells = [["red", "blue", None][row % 3] for row in range(5_000)]
    cells += [late, *(f"w{row}.0" for row in range(100)), "red"]
    expected = [None if cell is None else spelled(cell) or None for cell in cells]
    for column in (cells, cells[:5_001]):
        coerced = coerce(pl.Series(column, dtype=pl.String), CategoryFeature(kind="category"))
        assert coerced.values.to_list() == expected[: len(column)]
        assert coerced.faults == []


@settings(max_examples=200, deadline=None)
@given(st.lists(phrases, min_size=1, max_size=10))
@example(["1_000", "0x10", "1,5", "١٢", "1 2", "--1", "1e", "e5", ".", "+", "TRUE", "12abc"])
def test_other_text_is_no_number(texts: list[str]) -> None:
    """What is read as a number is one to Python too; all else is missing or a fault, never dropped."""
    coerced = numbers(pl.Series(texts, dtype=pl.String))
    bad = set(faults(coerced).get("not_a_number", []))
    for row, (text, value) in enumerate(zip(texts, coerced.values, strict=True)):
        if value is not None:
            assert {"true": 1.0, "false": 0.0}.get(text.lower().strip()) == value or float(text) == value
        else:
            blank = text.strip().lower() in NO_NUMBER
            assert (row in bad) is (not blank and row not in faults(coerced).get("infinite", []))


def test_numbers_missing_infinite_and_too_large() -> None:
    """NaN and its spellings are missing; infinity, and what cannot be squared, are faults."""
    coerced = numbers(
        pl.Series(["NaN", " n/a ", "None", "", None, "inf", "-Infinity", "1e400", "4e150", "-4e150", "1"])
    )
    assert coerced.values.to_list() == [None] * 10 + [1.0]
    assert faults(coerced) == {"infinite": [5, 6, 7], "too_large": [8, 9]}
    typed = numbers(pl.Series([math.nan, math.inf, -math.inf, None, 1e151, 1e150, 1.5]))
    assert typed.values.to_list() == [None] * 5 + [1e150, 1.5]
    assert faults(typed) == {"infinite": [1, 2], "too_large": [4]}


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (pl.Series([True, None, False]), [1.0, None, 0.0]),
        (pl.Series([2**53 + 1, -3]), [float(2**53), -3.0]),
        (pl.Series([2**64 - 1], dtype=pl.UInt64), [float(2**64)]),
        (pl.Series([Decimal("1.10"), None]), [1.1, None]),
        (pl.Series(["1.5", None], dtype=pl.Categorical), [1.5, None]),
        (pl.Series([None, None]), [None, None]),
        (pl.Series([0.1], dtype=pl.Float32), [float(np.float32(0.1))]),
        (pl.Series(["True", "false", "TRUE", None]), [1.0, 0.0, 1.0, None]),
        (pl.Series([b"1.5", b"NA", None]), [1.5, None, None]),
    ],
)
def test_numbers_of_every_type(column: pl.Series, expected: list[float | None]) -> None:
    """Float64 comes out, whatever went in."""
    coerced = numbers(column)
    assert coerced.values.dtype == pl.Float64
    assert coerced.values.to_list() == expected
    assert coerced.faults == []


@pytest.mark.parametrize(
    "column",
    [
        pl.Series("c", [[1.0]]),
        pl.Series("c", [{"x": 1}]),
        pl.Series("c", [dt.date(2024, 1, 1)]),
        pl.Series("c", [dt.timedelta(1)]),
        pl.Series("c", [object()]),
    ],
)
def test_a_type_that_holds_no_numbers_is_a_data_error(column: pl.Series) -> None:
    """It names the column and the type."""
    with refusal(DataError, "not-a-number", where="column 'c'", shows=[column.dtype]):
        coerce(column, NumericFeature(kind="numeric"))


@settings(max_examples=150, deadline=None)
@given(st.lists(st.integers(-(2**63), 2**63 - 1) | st.none(), min_size=1))
def test_whole_numbers_spell_alike(values: list[int | None]) -> None:
    """As text, as integers, and as floats where a float holds them."""
    text = [None if value is None else str(value) for value in values]
    assert module.words(pl.Series(text, dtype=pl.String)).to_list() == text
    assert module.words(pl.Series(values, dtype=pl.Int64)).to_list() == text
    held = [value for value in values if value is not None and int(float(value)) == value and abs(value) < 2**63]
    assert module.words(pl.Series([float(value) for value in held], dtype=pl.Float64)).to_list() == [
        str(value) for value in held
    ]


@settings(max_examples=150, deadline=None)
@given(st.lists(st.floats(allow_nan=False), min_size=1))
def test_spelled_floats_read_back_as_themselves(values: list[float]) -> None:
    """No two numbers share a spelling, except the two zeros."""
    spelled = module.words(pl.Series(values, dtype=pl.Float64)).to_list()
    assert [float(word) for word in spelled] == values
    assert all(not word.endswith(".0") for word in spelled)


def test_words_of_other_types() -> None:
    """Booleans, dates, decimals, categories; NaN and blank text are missing; text is stripped."""
    for column, expected in (
        (pl.Series([True, None, False]), ["true", None, "false"]),
        (pl.Series([2**64 - 1], dtype=pl.UInt64), ["18446744073709551615"]),
        (pl.Series([dt.date(2024, 1, 31), None]), ["2024-01-31", None]),
        (pl.Series([Decimal("1.10")]), ["1.10"]),
        (pl.Series(["a", None, " b "], dtype=pl.Categorical), ["a", None, "b"]),
        (pl.Series(["a", None], dtype=pl.Enum(["a", "b"])), ["a", None]),
        (pl.Series([math.nan, 1.0, 2.5, -0.0]), [None, "1", "2.5", "0"]),
        (pl.Series(["", "  ", "\t", " x ", "007", "1.0"]), [None, None, None, "x", "007", "1"]),
        (pl.Series([None, None]), [None, None]),
    ):
        received = module.words(column)
        assert received.dtype == pl.String
        assert received.to_list() == expected


@pytest.mark.parametrize(
    "column",
    [
        pl.Series("c", [["a"]]),
        pl.Series("c", [{"x": 1}]),
        pl.Series("c", [object()]),
        pl.Series("c", [dt.timedelta(1)]),
    ],
)
def test_a_type_that_holds_no_words_is_a_data_error(column: pl.Series) -> None:
    """Lists, structs, objects and durations have no one spelling."""
    with refusal(DataError, "not-a-single-value", shows=["'c'"]):
        coerce(column, CategoryFeature(kind="category"))


SAME_WORD = [
    ("85255", ["85255", "85255.0", 85255, 85255.0, Decimal("85255.0"), b"85255.0", np.float32(85255)]),
    ("0", ["0", "-0", "-0.0", "0.0", 0, -0.0]),
    ("10000000000000000", ["1e+16", "1e16", 1e16, 10**16, "10000000000000000"]),
    ("10000000000000000000000", ["1e+22", "1e22", 1e22]),
    ("1e-05", ["1e-05", "1e-5", "0.00001", 0.00001]),
    ("0.5", ["0.5", 0.5, Decimal("0.5")]),
    ("true", ["true", "True", "TRUE", True]),
    ("false", ["false", "False", "FALSE", False]),
    ("2024-01-31", ["2024-01-31", "2024-01-31 00:00:00", "2024-01-31T00:00:00.000000", "2024-01-31T00:00:00.000",
                    dt.date(2024, 1, 31), dt.datetime(2024, 1, 31)]),
    ("2024-01-31T12:30:00.5", ["2024-01-31 12:30:00.500", "2024-01-31T12:30:00.500000000",
                               dt.datetime(2024, 1, 31, 12, 30, 0, 500_000)]),
    ("2024-01-31T11:30:00Z", ["2024-01-31 12:30:00+01:00", "2024-01-31T12:30:00.000000+0100", "2024-01-31T11:30:00Z",
                              "2024-01-31 11:30:00+00:00", dt.datetime(2024, 1, 31, 11, 30, tzinfo=dt.UTC)]),
    ("12:30:00", ["12:30:00", "12:30:00.000000000", dt.time(12, 30)]),
    ("caf\u00e9", ["caf\u00e9", "cafe\u0301", "cafe\u0301".encode()]),
]  # fmt: skip


@pytest.mark.parametrize(("word", "cells"), SAME_WORD, ids=[word for word, _ in SAME_WORD])
def test_one_value_is_one_word(word: str, cells: list[object]) -> None:
    """However a typed column, pandas, polars or a person wrote it: alone, among other words, in a list, in a config."""
    for cell in cells:
        typed = pl.Series([cell], dtype=pl.Float32 if isinstance(cell, np.float32) else None)
        assert module.words(typed).to_list() == [word]
        assert label_sets(typed.implode(), "|").values.to_list() == [[word]]
        if isinstance(cell, str):
            among = pl.Series(["x", None, f" {cell} ", "y"])
            for dtype in (pl.String, pl.Categorical, pl.Enum(["x", f" {cell} ", "y"])):
                assert module.words(among.cast(dtype)).to_list() == ["x", None, word, "y"]
            assert module.words(pl.Series([cell]), strip=False).to_list() == [cell if "caf" in cell else word]
            assert spelled(cell) == word
            assert label_sets(pl.Series([f"b0|{cell}"]), "|").values.to_list() == [sorted(["b0", word])]
            target = MulticlassTarget.model_validate({"kind": "multiclass", "classes": [cell, "other"]})
            assert target.classes == [word, "other"]


@pytest.mark.parametrize(
    "word", ["007", "1.50", "1.00", "12e5", "1e5", "+1.0", "1.", ".5", "01.0", "tRue", "2024-1-31", "2024-01-31 12:30",
             "12:30:000", "1e400", "10:00:00.0.0", "-", "1,0", "2024-13-45T25:61:61+01:00"]
)  # fmt: skip
def test_what_no_typed_column_writes_stays_as_it_is(word: str) -> None:
    """Codes with zeros in front, versions, unusual times."""
    assert module.words(pl.Series([word])).to_list() == [word] == [spelled(word)]


@settings(max_examples=300, deadline=None)
@given(st.lists(spellings | words | texts, min_size=1, max_size=10))
def test_columns_and_single_words_are_spelled_alike_and_once(cells: list[str]) -> None:
    """The columnar engine and Python agree, and a spelled word stays as it is."""
    cells = [cell for cell in cells if not set(cell) & set("\x1c\x1d\x1e\x1f")]  # white space to Python alone
    received = module.words(pl.Series(cells, dtype=pl.String))
    assert received.to_list() == [spelled(cell) or None for cell in cells]
    assert module.words(received).equals(received)


def test_every_character_has_its_normal_form() -> None:
    """All of Unicode, each alone and what it is taken apart into."""
    import unicodedata

    every = [chr(code) for code in range(1, 0x110000) if not 0xD800 <= code < 0xE000]
    apart = [unicodedata.normalize("NFD", character) for character in every]
    spaces = pl.Series(every).filter(pl.Series(every).str.strip_chars() == "")
    received = module.words(pl.Series(every + apart))
    for character, word in zip(every + apart, received, strict=True):
        assert (word or "") == unicodedata.normalize("NFC", character.strip("".join(spaces)))


def test_bytes_that_are_no_text_are_faults() -> None:
    """Whatever the kind, and beside cells that are text."""
    column = pl.Series([b"1", b"\xff", None])
    for member in (CategoryFeature(kind="category"), NumericFeature(kind="numeric"), TextFeature(kind="text"),
                   ImageFeature(kind="image"), MultilabelTarget(kind="multilabel")):  # fmt: skip
        coerced = coerce(column, member)
        assert faults(coerced) == {"not_text": [1]}
        assert coerced.values.null_count() == 2


def test_paths_are_spelled_as_they_are() -> None:
    """A file may have any name."""
    column = pl.Series([" 1.0 ", "True", "cafe\u0301.png", " "])
    assert coerce(column, ImageFeature(kind="image")).values.to_list() == ["1.0", "True", "cafe\u0301.png", None]


def test_text_keeps_its_spaces_and_names_lose_them() -> None:
    """A sentence is as written; a category, a label and a path are not told apart by blanks."""
    column = pl.Series([" a b ", "   "])
    assert coerce(column, TextFeature(kind="text")).values.to_list() == [" a b ", None]
    for member in (CategoryFeature(kind="category"), ImageFeature(kind="image"), BinaryTarget(kind="binary")):
        assert coerce(column, member).values.to_list() == ["a b", None]


label_words = words.filter(lambda word: word != "[]")


@settings(max_examples=150, deadline=None)
@given(st.lists(st.none() | st.lists(label_words | st.just(""), max_size=5), min_size=1))
def test_label_sets_from_text_and_from_lists_are_the_same_and_stay_so(rows: list[list[str] | None]) -> None:
    """Sorted, without repeats and blanks; a second pass changes nothing."""
    expected = [None if row is None else sorted({spelled(word) for word in row if word}) for row in rows]
    lists = label_sets(pl.Series(rows, dtype=pl.List(pl.String)), "|").values
    text = ["[]" if row == [] else None if row is None else " | ".join(row) for row in expected]
    assert lists.to_list() == expected
    assert label_sets(pl.Series(text, dtype=pl.String), "|").values.to_list() == expected
    assert label_sets(lists, "|").values.equals(lists)
    assert lists.dtype == pl.List(pl.String)


@pytest.mark.parametrize(
    ("column", "separator", "expected"),
    [
        (pl.Series(["a|b", " [] ", "", None, " b | a|a", "|"]), "|", [["a", "b"], [], None, None, ["a", "b"], []]),
        (pl.Series(["a, b", "c"]), ", ", [["a", "b"], ["c"]]),
        (pl.Series([3, 12, None]), "|", [["3"], ["12"], None]),
        (pl.Series([[1.0, 2.5], [], None]), "|", [["1", "2.5"], [], None]),
        (pl.Series([[True, None]]), "|", [["true"]]),
        (pl.Series([[" a ", "a", ""]]), "|", [["a"]]),
        (pl.Series([["b", "a"]], dtype=pl.Array(pl.String, 2)), "|", [["a", "b"]]),
        (pl.Series([None, None]), "|", [None, None]),
        (pl.Series([[], None]), "|", [[], None]),
    ],
)
def test_label_sets(column: pl.Series, separator: str, expected: list[list[str] | None]) -> None:
    """Text, numbers and lists; `[]` is known and empty, an empty cell is unknown."""
    received = label_sets(column, separator).values
    assert received.dtype == pl.List(pl.String)
    assert received.to_list() == expected


@pytest.mark.parametrize(
    "column", [pl.Series("c", [{"x": 1}]), pl.Series("c", [[{"x": 1}]]), pl.Series("c", [[["a"]]])]
)
def test_nested_label_sets_are_a_data_error(column: pl.Series) -> None:
    """A set of records is no set of labels."""
    with refusal(DataError, "not-a-single-value", shows=["'c'"]):
        label_sets(column, "|")


@settings(max_examples=200, deadline=None)
@given(st.lists(texts | words, max_size=5), st.sampled_from(["python", "json", "tuple", "numpy"]))
def test_lists_in_cells_are_read_as_the_lists(row: list[str], writer: str) -> None:
    """As Python, NumPy and JSON write them into a CSV file: the labels that the typed list has."""
    writers: dict[str, Callable[[list[str]], str]] = {
        "python": str,
        "json": json.dumps,
        "tuple": lambda labels: str(tuple(labels)) if labels else "[]",
        "numpy": lambda labels: str(np.array(labels, dtype=object)),
    }
    cell = writers[writer](row)
    if writer == "numpy" and any("\n" in label for label in row):
        return  # NumPy breaks and aligns such lines
    received = label_sets(pl.Series([cell, "x"]), "|").values
    assert received.to_list()[0] == label_sets(pl.Series([row], dtype=pl.List(pl.String)), "|").values.to_list()[0]


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("['new', 'old']", ["new", "old"]), ('["a"]', ["a"]), ("['a' 'b']", ["a", "b"]), ("['a'\n 'b']", ["a", "b"]),
        ("[np.str_('x'), np.str_('y')]", ["x", "y"]), ("[1, 2.0, 3.]", ["1", "2", "3"]),
        ("[True False]", ["false", "true"]),
        ("[nan, 'a', None]", ["a"]), ("{'b', 'a'}", ["a", "b"]), ("('a',)", ["a"]), ("[ ]", []), ("[x]", ["[x]"]),
        ('["it\'s", "caf\\u00e9"]', ["café", "it's"]), ("(1) one", ["(1) one"]), ("[a]|[b]", ["[a]", "[b]"]),
        ("['a', 'b'", ["['a', 'b'"]),
    ],
)  # fmt: skip
def test_lists_and_what_looks_like_them(cell: str, expected: list[str]) -> None:
    """Brackets alone make no list."""
    if cell == "['a', 'b'":
        assert faults(coerce(pl.Series([cell]), MultilabelTarget(kind="multilabel"))) == {"not_a_list": [0]}
    else:
        assert label_sets(pl.Series([cell]), "|").values.to_list() == [expected]


@pytest.mark.parametrize("cell", ["[new, old]", "['a' ... 'b']", "['a'b]", "[__import__('os'), 'a']", "['a', ['b']]"])
def test_a_list_that_nobody_writes_is_a_fault(cell: str) -> None:
    """It does not become a label, and the way out is told."""
    for separator in ("|", ";"):
        coerced = coerce(pl.Series([cell, "a"]), MultilabelTarget(kind="multilabel", separator=separator))
        assert [(f.reason, f.detail, f.mask.to_list()) for f in coerced.faults] == [
            ("not_a_list", f"is not a list that Python or JSON writes; separate its values with '{separator}'",
             [True, False])
        ]  # fmt: skip


def test_a_list_is_no_single_word() -> None:
    """In a CSV cell as in a typed column; texts are as they are written."""
    column = pl.Series(["['new', 'old']", "[]", "[x]", "(1) a (2)", None])
    for member in (CategoryFeature(kind="category"), MulticlassTarget(kind="multiclass"), BinaryTarget(kind="binary")):
        assert faults(coerce(column, member)) == {"a_list": [0, 1]}
    assert coerce(column, TextFeature(kind="text")).values.to_list() == column.to_list()


def test_label_sets_outside_the_labels() -> None:
    """One unknown label rejects the row; the empty set and a missing one are fine."""
    target = MultilabelTarget(kind="multilabel", labels=["a", "b"])
    coerced = coerce(pl.Series(["a|b", "a|c", "[]", None]), target)
    assert coerced.values.to_list() == [["a", "b"], None, [], None]
    assert faults(coerced) == {"not_allowed": [1]}
    assert coerced.faults[0].detail == "accepted are a, b"


def test_ranges_and_log() -> None:
    """A cell is reported once, for the first rule that it breaks; the bounds themselves are fine."""
    coerced = coerce(pl.Series([1, 5, 0, 6, None]), NumericFeature(kind="numeric", min=1, max=5))
    assert coerced.values.to_list() == [1.0, 5.0, None, None, None]
    assert [(fault.reason, fault.detail, fault.mask.arg_true().to_list()) for fault in coerced.faults] == [
        ("out_of_range", "the smallest accepted value is 1", [2]),
        ("out_of_range", "the largest accepted value is 5", [3]),
    ]
    target = RegressionTarget(kind="regression", transform="log", min=-1)
    assert faults(coerce(pl.Series([-2.0, -1.0, 0.0, 0.1, None]), target)) == {
        "out_of_range": [0],
        "not_positive": [1, 2],
    }


def test_allowed_values_and_classes() -> None:
    """Numbers count by their spelling; a missing value is not a wrong one."""
    feature = CategoryFeature(kind="category", allowed=["85255", "7"])
    coerced = coerce(pl.Series([85255.0, 7.0, 8.0, None]), feature)
    assert coerced.values.to_list() == ["85255", "7", None, None]
    assert faults(coerced) == {"not_allowed": [2]}
    target = MulticlassTarget(kind="multiclass", classes=["a", "b"])
    assert faults(coerce(pl.Series(["a", "B", None, "b "]), target)) == {"not_allowed": [1]}


def test_required_rejects_what_is_missing_once() -> None:
    """A cell that is already a fault is not also missing."""
    coerced = coerce(pl.Series(["1", "x", None, ""]), NumericFeature(kind="numeric", required=True))
    assert faults(coerced) == {"not_a_number": [1], "missing": [2, 3]}


@settings(max_examples=100, deadline=None)
@given(st.lists(phrases | st.none(), min_size=1, max_size=12))
def test_no_row_is_lost_by_any_kind(cells: list[str | None]) -> None:
    """Values stay aligned with the rows, and a faulty cell is null."""
    column = pl.Series("c", cells, dtype=pl.String)
    for member in (
        NumericFeature(kind="numeric", min=0, required=True),
        CategoryFeature(kind="category", allowed=["a"]),
        TextFeature(kind="text", required=True),
        ImageFeature(kind="image"),
        BinaryTarget(kind="binary"),
        MultilabelTarget(kind="multilabel", labels=["a"]),
        RegressionTarget(kind="regression", transform="log"),
    ):
        coerced = coerce(column, member)
        assert len(coerced.values) == len(column)
        for fault in coerced.faults:
            assert len(fault.mask) == len(column)
            assert coerced.values.filter(fault.mask).null_count() == fault.mask.sum()
