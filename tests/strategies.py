"""Hypothesis strategies for what users hand over: words, numbers, tables' cells, configuration text."""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import Any

from hypothesis import strategies as st

# Unassigned code points are left out: two Unicode versions may differ on them. Surrogates are no text.
characters = st.characters(exclude_categories=("Cs", "Cn"))
texts = st.text(characters, max_size=60)

# What people write in cells: letters of several scripts, digits, marks that separate, spaces.
ALPHABET = "abcXYZ019 _-.,;|'\"\t éßİıΣσςжЯ中文日本語ñÅ\u0301\u00a0"
phrases = st.text(st.sampled_from(ALPHABET), max_size=40)

words = st.text(st.sampled_from("abcdeXYZ 019-éß中"), min_size=1, max_size=8).map(str.strip).filter(bool)
labels = st.sampled_from(["red", "green", "blue", "Ärger", "7", "007", "a b"])

# What typed columns of numbers, booleans, dates and times look like in cells, and what nearly looks like that.
spellings = st.one_of(
    st.integers(-(10**20), 10**20).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.floats(-1e18, 1e18).map(lambda number: f"{float(round(number))}"),
    st.sampled_from(["True", "FALSE", "true", "TRUE", "False"]),
    st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.none() | st.timezones()).map(str),
    st.datetimes().map(lambda moment: f"{moment:%Y-%m-%dT%H:%M:%S.%f}"),
    st.dates().map(str),
    st.times().map(str),
    st.from_regex(r"-?0?[0-9]{1,2}\.?[0-9]{0,8}(e[+-]?[0-9]{1,3})?", fullmatch=True),
    st.from_regex(
        r"[0-9]{4}-[01][0-9]-[0-3][0-9][ T][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(Z|[+-][0-9]{2}:?[0-9]{2})?",
        fullmatch=True,
    ),
)  # fmt: skip

# Finite and within what a 32-bit float holds.
numbers = st.floats(min_value=-3e38, max_value=3e38, allow_nan=False, allow_infinity=False)
calm_numbers = st.floats(min_value=-1e6, max_value=1e6, allow_nan=False, allow_infinity=False).map(
    lambda number: round(number, 4)
)

# Configurations: a plain word that is a string to YAML 1.1 and to Polyhead alike, and values of that kind.
plain_words = st.from_regex(r"[a-z]{4,9}[xz]", fullmatch=True)
_NUMBER_TO_US = re.compile(r"[-+]?[0-9.]+[eE][-+]?[0-9]+")  # and a word to PyYAML, which wants a point and a sign
yaml_texts = st.text(st.characters(exclude_categories=("Cs", "Cn", "Cc"), include_characters="\n\t"), max_size=20)
yaml_scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**12), 10**12),
    st.floats(allow_nan=False, allow_infinity=False),
    plain_words,
    yaml_texts.filter(lambda text: not _NUMBER_TO_US.fullmatch(text)),
)
yaml_values: st.SearchStrategy[Any] = st.recursive(
    yaml_scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(plain_words, inner, max_size=4),
    max_leaves=15,
)
yaml_documents = st.dictionaries(plain_words, yaml_values, min_size=1, max_size=5)

# Text that looks like YAML and often is none.
yaml_noise = st.one_of(
    texts,
    st.lists(
        st.sampled_from(
            [
                *"{}[]:,-?&*!|>'\"%@`#~ \n\t\\",
                "a",
                "b: ",
                "- ",
                "\n  ",
                "<<: ",
                "&a ",
                "*a",
                "!!int ",
                '"\\U',
                '"\\ud800"',
                "FFFFFFFF",
                "---\n",
                "...\n",
                "%YAML 1.2\n",
                "1e999",
                "0x1f",
                "?",
                "\ufeff",
                "\x00",
                "\x85",
            ]
        ),
        max_size=25,
    ).map("".join),
)

# Cells of which every kind of column takes some and refuses others.
bad_and_good_cells = st.sampled_from(
    ["1", "2.5", "x", "inf", "nan", "", None, "-1", "red", "yes", "a|b", "[]", "train", "val", "valid", " ", "a", "b"]
)


# Tables as Python holds them: a list of values for each column, None where one is missing, of one type each.
_whole = st.integers(-(2**53), 2**53)
_columns = st.sampled_from(
    [
        _whole,
        st.integers(0, 3),
        st.booleans(),
        st.floats(allow_nan=False, allow_infinity=False, min_value=-1e38, max_value=1e38),
        st.integers(-50, 50).map(float),
        st.dates(date(1700, 1, 1), date(2200, 1, 1)),
        st.datetimes(datetime(1700, 1, 1), datetime(2200, 1, 1)),
        st.dates(date(1700, 1, 1), date(2200, 1, 1)).map(lambda day: datetime(day.year, day.month, day.day)),
        words,
    ]
)


@st.composite
def _typed_tables(draw: st.DrawFn) -> dict[str, list[Any]]:
    rows = draw(st.integers(2, 8))

    def column(values: st.SearchStrategy[Any]) -> list[Any]:
        return draw(st.lists(st.none() | values, min_size=rows, max_size=rows).filter(any_known))

    def any_known(values: list[Any]) -> bool:
        return any(value is not None for value in values)

    numbers_of = st.sampled_from([st.floats(-1e6, 1e6), st.integers(-(10**4), 10**4)])
    return {
        "key": column(draw(st.sampled_from([_whole, st.integers(0, 9).map(float), words]))),
        "number": column(draw(numbers_of)),
        "group": column(draw(_columns)),
        "note": column(phrases.filter(lambda text: bool(text.strip()))),
        "label": column(draw(st.sampled_from([st.integers(0, 1), st.booleans(), st.sampled_from(["no", "yes"])]))),
        "tags": column(st.lists(labels, max_size=3)),
        "amount": column(draw(numbers_of)),
    }


typed_tables = _typed_tables()
