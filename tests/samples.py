"""What each kind gives to the tests that run over all kinds: a configuration, cells it accepts, cells it refuses.

A kind that is registered and has no entry here fails `tests/kinds/test_conformance.py`, which says so.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from strategies import labels, moments, numbers, phrases, words

from polyhead.contracts.config import Config
from polyhead.kinds.coercion import EMPTY_SET, VECTOR
from polyhead.kinds.examples import FEATURES_HELD
from polyhead.kinds.tables import coerce
from polyhead.kinds.union import FEATURES, TARGETS, Feature, Target

KINDS = [*FEATURES, *TARGETS]
PART = ("train", "train", "val", "train", "test", "train")


@dataclass(frozen=True)
class Sample:
    """What the tests know of one kind.

    Attributes:
        canonical: Strategy for cells in the kind's canonical type, none of them missing.
        raw: Different cells as a CSV file has them, in several spellings where the kind knows several, all accepted.
        refused: Cells that are not accepted, the reason, and a part of what the detail says to do about it.
        options: A configuration that has something to say of the cells. Default: none.
        pictures: Files that the cells name. Default: none.
        needs: Options without which there is no such feature or target. Default: none.
    """

    canonical: st.SearchStrategy[Any]
    raw: tuple[str, ...]
    refused: tuple[tuple[str | bytes, str, str], ...]
    options: dict[str, Any] = field(default_factory=dict)
    pictures: tuple[str, ...] = ()
    needs: dict[str, Any] = field(default_factory=dict)


SAMPLES: dict[str, Sample] = {
    "image": Sample(
        options={"size": [16, 16]},
        canonical=words.map(lambda word: f"{word}.jpg"),
        raw=("0.png", "1.jpg", "2.bmp", "3.gif"),
        refused=(("nowhere.png", "image_missing", "no such file"),),
        pictures=("0.png", "1.jpg", "2.bmp", "3.gif"),
    ),
    "images": Sample(
        options={"size": [16, 16], "max_pictures": 3, "pool": "attention"},
        canonical=st.lists(words.map(lambda word: f"{word}.jpg"), min_size=1, max_size=3),
        raw=("0.png", "1.jpg| 2.bmp", "['3.gif', '0.png']", "|2.bmp|1.jpg|3.gif", "3.gif|3.gif"),
        refused=(
            ("0.png|nowhere.png", "image_missing", "no such file"),
            ("['0.png', oops]", "image_missing", "no such file"),
        ),
        pictures=("0.png", "1.jpg", "2.bmp", "3.gif"),
    ),
    "numeric": Sample(
        options={"min": -1e6},
        canonical=numbers,
        raw=("1", " 2.5 ", "-3e2", "true", "0", "1234567.890625"),
        refused=(
            ("abc", "not_a_number", "cannot be read as a number"),
            ("-1e7", "out_of_range", "the smallest accepted value is -1e+06"),
            ("inf", "infinite", "must be finite"),
        ),
    ),
    "category": Sample(
        options={"allowed": ["red", "green", "blue", "7"]},
        canonical=labels,
        raw=("red", " green ", "blue", "7.0"),
        refused=(
            ("purple", "not_allowed", "accepted are red, green, blue, 7"),
            ("['red']", "a_list", "give one word, or set kind: multicategory (multilabel for a target)"),
        ),
    ),
    "text": Sample(
        options={"min_documents": 1, "ngrams": 2, "analyzer": "both"},
        canonical=phrases.filter(str.strip),
        raw=("a red house", " Grün und BLAU, grün ", "2024-01-31 00:00:00", "7.0", "?!"),
        refused=((b"\xff", "not_text", "not UTF-8 text"),),
    ),
    "datetime": Sample(
        options={"time_zone": "Europe/Berlin"},
        canonical=moments,
        raw=("2024-01-31", " 2024-07-31 10:15:00.25 ", "2023-10-29T02:30+02:00", "1969-12-31T23:59:59Z", "2024/2/9"),
        refused=(
            ("03/04/2024", "not_a_date", "give format, such as '%d/%m/%Y'"),
            ("1700000000", "a_number", "give unit"),
            ("2024-03-31 02:30", "no_such_time", "give the offset"),
            ("0000-12-31", "out_of_range", "years 1 to 9999"),
        ),
    ),
    "vector": Sample(
        options={"length": 3},
        canonical=st.lists(st.floats(-(2.0**100), 2.0**100, width=32), min_size=3, max_size=3),
        raw=("[0.1, 0.2, 0.3]", " [1 -2.5e-3 3]", "[np.float32(7.0), 0, 1e9]", "[0.5,0.25,0]"),
        refused=(
            ("[1, 2]", "wrong_length", "has 2 numbers, and length is 3"),
            ("[]", "wrong_length", "has 0 numbers, and length is 3"),
            ("[1, nan, 3]", "not_a_number", "a vector has all of its numbers"),
            ("[1, x, 3]", "not_a_number", "a vector has all of its numbers"),
            ("[1, inf, 3]", "infinite", "finite numbers"),
            ("[1, 1e39, 3]", "infinite", "of 32 bits"),
            ("1, 2, 3", "not_a_list", "in brackets, such as [0.1, 0.2]"),
        ),
    ),
    "multicategory": Sample(
        options={"allowed": ["red", "green", "blue", "7"], "encoding": "counts"},
        canonical=st.lists(labels, max_size=5).map(sorted),
        raw=("red", "green| 7.0|green", "[]", "blue|7|red|", " red | blue "),
        refused=(
            ("red|purple", "not_allowed", "accepted are red, green, blue, 7"),
            ("['red', oops]", "not_a_list", "separate its values with '|'"),
        ),
    ),
    "boolean": Sample(
        canonical=st.sampled_from(["true", "false"]),
        raw=("true", " No", "Y", "f", "1.0", "0", "ON", "False"),
        refused=(
            ("maybe", "not_a_boolean", "1/0, true/false, yes/no, y/n, t/f, on/off"),
            ("2", "not_a_boolean", "use kind: category"),
        ),
    ),
    "binary": Sample(
        canonical=st.sampled_from(["no", "yes"]),
        raw=("no", " yes"),
        refused=(("['yes', 'no']", "a_list", "give one word, or set kind: multicategory (multilabel for a target)"),),
    ),
    "multiclass": Sample(
        options={"classes": ["red", "green", "7"]},
        canonical=st.sampled_from(["red", "green", "7"]),
        raw=("red", "green ", "7.0"),
        refused=(("purple", "not_allowed", "accepted are red, green, 7"),),
    ),
    "multilabel": Sample(
        options={"labels": ["red", "green", "7"]},
        canonical=st.lists(st.sampled_from(["red", "green", "7"]), unique=True).map(sorted),
        raw=("red", "green| 7.0", "[]", "['red', 'green']"),
        refused=(
            ("red|purple", "not_allowed", "accepted are red, green, 7"),
            ("['red', oops]", "not_a_list", "separate its values with '|'"),
        ),
    ),
    "regression": Sample(
        options={"transform": "log"},
        canonical=st.floats(1e-3, 1e9),
        raw=("1", " 2.5", "3e2", "0.125"),
        refused=(
            ("-3", "not_positive", "transform: log needs numbers above zero"),
            ("inf", "infinite", "must be finite"),
        ),
    ),
    "ordinal": Sample(
        options={"classes": ["low", "mid", "high"]},
        canonical=st.sampled_from(["low", "mid", "high"]),
        raw=("low", "mid ", "high"),
        refused=(
            ("middle", "not_allowed", "accepted are low, mid, high"),
            ("['low']", "a_list", "give one word"),
        ),
    ),
    "count": Sample(
        canonical=st.integers(0, 10**15).map(float),
        raw=("0", " 3.0", "1e2", "1", "true"),
        refused=(
            ("-3", "negative", "a count is a whole number from 0 on"),
            ("2.5", "not_whole", "make the target kind: regression"),
            ("inf", "infinite", "must be finite"),
            ("1e16", "out_of_range", "the largest accepted value is 1e+15"),
        ),
    ),
    "quantile": Sample(
        options={"transform": "log", "levels": [0.05, 0.5, 0.95], "max": 1e6},
        canonical=st.floats(1e-3, 1e6),
        raw=("1", " 2.5", "3e2", "0.125"),
        refused=(
            ("0", "not_positive", "transform: log needs numbers above zero"),
            ("2e6", "out_of_range", "the largest accepted value is 1e+06"),
        ),
    ),
    "regressions": Sample(
        options={"length": 2, "transform": "log"},
        needs={"length": 2},
        canonical=st.lists(st.floats(1e-3, 1e9) | st.none(), min_size=2, max_size=2).filter(any),
        raw=("[1, 2.5]", " [3e2 0.125]", "[nan, 7]", "[0.5,0.25]", "[np.float64(4.0), None]"),
        refused=(
            ("[1, 2, 3]", "wrong_length", "has 3 numbers, and length is 2"),
            ("[1, x]", "not_a_number", "2 cannot be read as a number"),
            ("[1, inf]", "infinite", "finite numbers"),
            ("[1, 1e200]", "too_large", "the largest number is"),
            ("[1, -3]", "not_positive", "transform: log needs numbers above zero"),
            ("1, 2", "not_a_list", "in brackets, such as [0.1, 0.2]"),
        ),
    ),
}
"""By kind."""


def sample_of(kind: str) -> Sample:
    """A kind's sample."""
    assert kind in SAMPLES, f"kind '{kind}' is registered but has no sample: add its entry to tests/samples.py"
    return SAMPLES[kind]


def member(kind: str, **options: Any) -> Feature | Target:
    """A feature or target of a kind."""
    model = {**FEATURES, **TARGETS}[kind]
    made: Feature | Target = model.model_validate({"kind": kind, **sample_of(kind).needs, **options})
    return made


def sample_member(kind: str) -> Feature | Target:
    """A feature or target of a kind, as its sample configures it."""
    return member(kind, **sample_of(kind).options)


def sent(feature: Feature, cells: pl.Series, folder: Path) -> NDArray[Any]:
    """A column as somebody sends it to the served graph.

    Args:
        feature: Of the column.
        cells: As the table has them, or canonical; null where missing.
        folder: Where the pictures are.

    Returns:
        (rows,): float64, NaN where missing, for a kind of numbers; the files' bytes for pictures; (rows, length)
        float32 for vectors, NaN where missing; otherwise the words, those of a set with `|` between them. The files of
        several pictures in a cell are (rows, pictures), with nothing behind the last one.
    """
    if feature.SEVERAL:
        lists = cells if cells.dtype == pl.List(pl.String) else coerce(cells, feature).values
        most = max((len(paths) for paths in lists if paths is not None), default=1)
        filled = [[*(paths or []), *[""] * most][:most] for paths in lists.to_list()]
        return np.array([[(folder / path).read_bytes() if path else b"" for path in paths] for paths in filled], object)
    if FEATURES_HELD[feature.kind].dtype == pl.Float64:
        numbers = cells if cells.dtype == pl.Float64 else coerce(cells, feature).values
        return numbers.fill_null(float("nan")).to_numpy()
    if FEATURES_HELD[feature.kind].dtype == VECTOR:
        vectors = cells if cells.dtype == VECTOR else coerce(cells, feature).values
        missing = [math.nan] * sample_of(feature.kind).options["length"]
        return np.array([missing if vector is None else vector for vector in vectors.to_list()], np.float32)
    if cells.dtype == pl.List(pl.String):
        cells = cells.list.join("|").replace("", EMPTY_SET)
    if feature.PICTURES:
        return np.array([(folder / path).read_bytes() if path else b"" for path in cells], object)
    return np.array([(cell or "").encode() for cell in cells], object)


def draw_pictures(folder: Path, names: Iterable[str]) -> None:
    """A small picture under each name, in the format that its suffix says."""
    for at, name in enumerate(names):
        pixels = np.random.default_rng(at).integers(0, 256, (20, 24, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / name)


def every_kind(folder: Path, *, rows: int = 24) -> tuple[Config, pl.DataFrame]:
    """A configuration with two features and one target of each kind, and a table for it, all cells text.

    The cells are those of the samples in turn, so that a column has all of them and a missing one in train rows and in
    others. Columns are called `<kind>_0`, `<kind>_1` and `<kind>`. Every head has the row weights of a column `weight`.

    Args:
        folder: Where the pictures are drawn.
        rows: Of the table.
    """
    columns: dict[str, list[str | None]] = {"id": [f"r{row:03d}" for row in range(rows)]}
    sections: dict[str, dict[str, Any]] = {"features": {}, "targets": {}}
    for place, kind in enumerate(KINDS):
        sample = sample_of(kind)
        draw_pictures(folder, sample.pictures)
        names = [f"{kind}_0", f"{kind}_1"] if kind in FEATURES else [kind]
        for column, name in enumerate(names):
            cells = [*sample.raw, None] if column == 0 else [None, *reversed(sample.raw)]
            columns[name] = [cells[(row + row // len(cells) + 3 * place) % len(cells)] for row in range(rows)]
            sections["features" if kind in FEATURES else "targets"][name] = {"kind": kind, **sample.options}
    columns["part"] = [PART[row % len(PART)] for row in range(rows)]
    columns["weight"] = [str(row % 4 / 2) for row in range(rows)]
    config = {"table": "t.csv", "image_root": str(folder), "key": "id", "split": {"column": "part"}, **sections}
    config["weight"] = "weight"
    return Config.model_validate(config), pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.String))
