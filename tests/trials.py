"""Hypothesis strategies for whole runs: a small table of columns of any kind, and a configuration over it.

Columns are missing, constant, of one class, or hold cells that their kind refuses; rows are there twice. Options are
drawn one by one, so a configuration may contradict itself or the table, which must then be said.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from hypothesis import strategies as st
from samples import draw_pictures
from strategies import ALPHABET, labels, phrases

from polyhead.kinds.union import TARGETS

PICTURES = ("0.png", "1.png", "2.jpg", "3.bmp")
_NUMBERS = st.one_of(
    st.integers(-9, 9).map(str),
    st.floats(-1e4, 1e4).map(lambda number: f"{number:.4g}"),
    st.sampled_from(["0", "1", "1e30", "-1e150", "5e-324", "1e-9", "123456789.125", "0.1"]),
)
_POSITIVE = st.floats(1e-3, 1e6).map(lambda number: f"{number:.4g}")
_WORDS = st.one_of(labels, labels, st.text(ALPHABET, min_size=1, max_size=4).filter(str.strip))
_LABELS = st.sampled_from(["red", "green", "7"])
_DAYS = st.sampled_from(
    ["2024-01-31", "1969-12-31", "2024-02-29 10:15:00.25", "0001-01-01", "9999-12-31", "2023-10-29"]
)
_VECTORS = st.lists(st.sampled_from(["0", "1", "-2.5", "1e9", "3e38"]), min_size=2, max_size=2).map(
    lambda numbers: f"[{', '.join(numbers)}]"
)
_SETS = st.lists(_LABELS, max_size=3).map(lambda words: "|".join(words) or "[]")

CELLS: dict[str, st.SearchStrategy[str]] = {
    "image": st.sampled_from(PICTURES),
    "images": st.lists(st.sampled_from(PICTURES), min_size=1, max_size=3).map("|".join),
    "numeric": _NUMBERS,
    "category": _WORDS,
    "text": st.one_of(phrases, st.sampled_from(["a red house", "the green house", "?!", "2024"])),
    "datetime": _DAYS,
    "vector": _VECTORS,
    "multicategory": _SETS,
    "boolean": st.sampled_from(["yes", "no", "1", "f"]),
    "binary": st.sampled_from(["no", "yes"]),
    "multiclass": _LABELS,
    "multilabel": _SETS,
    "regression": st.one_of(_POSITIVE, _NUMBERS),
    "ordinal": _LABELS,
    "count": st.sampled_from(["0", "1", "2", "7", "300", "1e15"]),
    "quantile": st.one_of(_POSITIVE, _NUMBERS),
    "regressions": st.tuples(_POSITIVE | st.just("nan"), _POSITIVE | _NUMBERS).map(
        lambda pair: f"[{pair[0]}, {pair[1]}]"
    ),
}
"""Cells that a kind accepts, by kind, for most options."""

ODD_CELLS = (
    "",
    "?",
    "nan",
    "inf",
    "-1",
    "maybe",
    "[1, 2",
    "['red', 'blue']",
    "1.234,5",
    "5 km",
    "nowhere.png",
    "2024-13-01",
    "é",
)
ODD = st.sampled_from(ODD_CELLS)
_WEIGHT = st.sampled_from(["0", "1", "0.5", "3", "1e6", "1e-6"])


def _some(**options: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Some of the options: most are left out, as in most configurations."""

    @st.composite
    def chosen(draw: st.DrawFn) -> dict[str, Any]:
        names = draw(st.lists(st.sampled_from(sorted(options)), unique=True, max_size=3)) if options else []
        return {name: draw(options[name]) for name in names}

    return chosen()


def _of(*values: Any) -> st.SearchStrategy[Any]:
    return st.sampled_from(values)


_NUMBER_OPTIONS = {"min": _of(-1e200, -1e6), "max": _of(1e200, 1e9), "unit": _of("km", ["km", "m"])}
_CLASS_OPTIONS = {"class_weight": _of("balanced", "effective_number", {"red": 2.5}, {"red": 0.1, "green": 3, "7": 1})}
_SOFT_OPTIONS = {"label_smoothing": _of(0.1, 0.9), "focal": _of(0.5, 2, 10)}
_DECIDE = _of(
    {"best": "f1"},
    {"best": "youden"},
    {"cost": {"false_negative": 5}},
    {"recall": 0.9},
    {"threshold": 0},
    {"threshold": 1},
)
_HEAD_OPTIONS = {"loss_weight": _of(0, 0.1, 3), "hidden": _of(1, 5)}
_YES_NO = {"class_weight": _of("balanced", "effective_number", {"yes": 4}, {"no": 1, "yes": 0.2})}

OPTIONS: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "image": {
        "fit": _of("crop", "pad"),
        "channels": _of("grey"),
        "store": _of("png", "jpeg"),
        "background": _of("black", [1, 2, 3]),
        "range": _of([0, 255]),
        "on_missing": _of("mask"),
        "on_corrupt": _of("mask"),
        "augment": _of({"flip": True, "shift": 0.2, "noise": 0.1}, {"rotate": 90, "erase": 0.5, "crop": 0.5}),
    },
    "images": {
        "pool": _of("attention"),
        "separator": _of(";"),
        "max_pictures": _of(3),
        "on_missing": _of("mask"),
        "augment": _of({"flip": True}),
    },
    "numeric": {
        **_NUMBER_OPTIONS,
        "scale": _of("standard", "log1p", "minmax", "robust", "quantile", "none"),
        "clip": _of([0, 1], [None, 5], [-3, None]),
    },
    "category": {
        "allowed": _of(["red", "green", "blue", "Ärger", "7", "007", "a b"]),
        "min_count": _of(2, 100),
        "max_size": _of(0, 1, 2),
        "hash_buckets": _of(2, 7),
        "target_means": _of(True),
    },
    "text": {
        "analyzer": _of("words", "characters"),
        "ngrams": _of(2, 5),
        "stop_words": _of(["a", "the"], ["red", "house", "a"]),
        "characters": _of([1, 1], [3, 8]),
        "min_documents": _of(2, 0.5, 100),
        "max_documents": _of(1, 0.3, 100),
        "max_terms": _of(1, 7),
    },
    "datetime": {"time_zone": _of("Europe/Berlin", "UTC")},
    "vector": {"projection": _of(1, 2, 5)},
    "multicategory": {
        "allowed": _of(["red", "green", "7"]),
        "encoding": _of("counts"),
        "min_count": _of(2, 100),
        "max_size": _of(1, 2),
    },
    "boolean": {},
    "binary": {**_HEAD_OPTIONS, **_SOFT_OPTIONS, **_YES_NO, "positive": _of("yes", "no"), "decide": _DECIDE},
    "multiclass": {
        **_HEAD_OPTIONS,
        **_SOFT_OPTIONS,
        **_CLASS_OPTIONS,
        "classes": _of(["red", "green", "7"], ["red", "green", "7", "never"]),
    },
    "multilabel": {
        **_HEAD_OPTIONS,
        **_SOFT_OPTIONS,
        **_CLASS_OPTIONS,
        "labels": _of(["red", "green", "7"], ["red", "green", "7", "never"]),
        "decide": _DECIDE,
    },
    "regression": {
        **_HEAD_OPTIONS,
        **_NUMBER_OPTIONS,
        "transform": _of("log", "log1p", "sqrt", "quantile"),
        "loss": _of("mse", "mae"),
        "predict": _of("mean"),
    },
    "ordinal": {
        **_HEAD_OPTIONS,
        **_CLASS_OPTIONS,
        "classes": _of(["red", "green", "7"], ["7", "green", "red", "never"]),
    },
    "count": {**_HEAD_OPTIONS, "unit": _of("km"), "distribution": _of("negative_binomial")},
    "quantile": {
        **_HEAD_OPTIONS,
        **_NUMBER_OPTIONS,
        "levels": _of([0.5], [0.01, 0.99], [0.1, 0.2, 0.5, 0.8, 0.9]),
        "transform": _of("log"),
    },
    "regressions": {**_HEAD_OPTIONS, "transform": _of("log", "sqrt", "quantile"), "loss": _of("mse", "mae")},
}
"""Options of each kind, by kind; of those that it needs, see `_NEEDED`."""

_NEEDED: dict[str, dict[str, Any]] = {
    "image": {"size": [8, 8]},
    "images": {"size": [8, 8], "max_pictures": 2},
    "vector": {"length": 2},
    "ordinal": {"classes": ["red", "green", "7"]},
    "regressions": {"length": 2},
}
_FEATURES = ["numeric", "numeric", "category", "text", "datetime", "vector", "multicategory", "boolean"]
_HEADS = ["binary", "multiclass", "multilabel", "regression", "ordinal", "count", "quantile", "regressions"]


@dataclass(frozen=True)
class Trial:
    """A table and a configuration over it.

    Attributes:
        sections: The configuration, as a dict.
        columns: The table's cells, by column, all text; empty or None where missing.
    """

    sections: dict[str, Any]
    columns: dict[str, list[str | None]]

    def write(self, folder: Path) -> None:
        """Write `table.csv` and the pictures into a folder."""
        self._table.write_csv(folder / "table.csv")
        draw_pictures(folder, PICTURES)

    @property
    def _table(self) -> pl.DataFrame:
        return pl.DataFrame(self.columns, schema=dict.fromkeys(self.columns, pl.String))

    @property
    def new(self) -> pl.DataFrame:
        """The rows without what is to be predicted, and with a column of no use, so that no line is empty."""
        names = [name for name in self.columns if name.startswith(("f", "id"))]
        return self._table.select(*names, pl.lit("x").alias("unused"))

    @property
    def turned(self) -> pl.DataFrame:
        """The same from the last to the first, and then a row for each feature and odd cell."""
        new = self.new
        odd = [
            {**new.row(0, named=True), name: cell, "id": f"odd {name} {cell}"}
            for name in self.sections["features"]
            for cell in ODD_CELLS
        ]
        more = pl.DataFrame(odd, schema=dict.fromkeys([*new.columns, "id"], pl.String))
        return pl.concat([new.reverse(), more.select(new.columns)])


_USUAL = ("full", "full", "full", "gaps")
_HARD = (*_USUAL, "odd", "odd", "constant", "rare", "missing", "all but one missing")


@st.composite
def _column(
    draw: st.DrawFn, rows: int, cells: st.SearchStrategy[str], *, shapes: Sequence[str] = _HARD
) -> list[str | None]:
    """A column: of a few different cells, some missing, some odd, or all of them the same or missing."""
    shape = draw(st.sampled_from(shapes))
    random = np.random.default_rng(draw(st.integers(0, 999)))
    pool = draw(st.lists(cells, min_size=2, max_size=6, unique=True))
    found: list[str | None] = [pool[at] for at in random.integers(0, len(pool), rows)]
    if shape == "gaps":
        found = [None if gone else cell for cell, gone in zip(found, random.random(rows) < 0.3, strict=True)]
    if shape == "odd":
        for row in random.integers(0, rows, 3):
            found[int(row)] = draw(ODD)
    if shape in ("constant", "rare"):
        found = [pool[0]] * rows
    if shape in ("missing", "all but one missing"):
        found = [None] * rows
    if shape in ("rare", "all but one missing"):
        found[int(random.integers(rows))] = pool[1]
    return found


@st.composite
def _splits(
    draw: st.DrawFn, rows: int, targets: Sequence[str], columns: dict[str, list[str | None]], *, hard: bool
) -> dict[str, Any]:
    """A split section, whose columns are added to the table's."""
    way = draw(_of("none", "fractions", "column", "group", "time", "stratify", "both"))
    split: dict[str, Any] = draw(_some(seed=st.integers(0, 99))) if way != "none" else {}
    shares = _of([0.7, 0.15, 0.15], [0.5, 0.0, 0.5], [0.02, 0.02, 0.96], [0.4, 0.3, 0.3])
    if way not in ("none", "column") and draw(st.booleans()):
        split["fractions"] = dict(zip(("train", "val", "test"), draw(shares), strict=True))
    if way == "column":
        words = _of("train", "val", "test", "dev")
        columns["part"] = draw(_column(rows, words, shapes=_HARD if hard else ["full"]))
        if not hard:
            columns["part"][:9] = ["train", "train", "train", "train", "train", "val", "val", "test", "test"]
        split |= {"column": "part", "names": {"val": ["dev"]}}
    if way in ("group", "both"):
        columns["group"] = draw(_column(rows, _WORDS, shapes=_HARD if hard else ["full"]))
        split["group"] = "group"
    if way == "time":
        dates = draw(st.booleans())
        columns["time"] = draw(_column(rows, _DAYS if dates else _NUMBERS, shapes=_HARD if hard else ["full"]))
        split["time"] = draw(_of("time", {"column": "time"}, {"column": "time", "unit": "s"}))
        split |= draw(_some(gap=_of(0, 1, 1000, "1d", "12h", "5000w")))
    if way in ("stratify", "both"):
        split["stratify"] = draw(st.lists(st.sampled_from(targets), unique=True, min_size=1))
    return split


def _twice(columns: Mapping[str, list[str | None]], rows: int) -> dict[str, list[str | None]]:
    """The columns with their first rows once more at their end."""
    return {name: [*cells[:-rows], *cells[:rows]] if name != "id" else cells for name, cells in columns.items()}


@st.composite
def _trials(draw: st.DrawFn) -> Trial:
    rows = draw(st.integers(20, 60))
    kinds = [draw(st.sampled_from(_FEATURES)) for _ in range(draw(st.integers(1, 5)))]
    if draw(st.integers(0, 9)) == 9:
        kinds.append(draw(_of("image", "images")))
    heads = [draw(st.sampled_from(_HEADS)) for _ in range(draw(st.integers(1, 3)))]
    columns: dict[str, list[str | None]] = {}
    sections: dict[str, Any] = {"table": "table.csv", "features": {}, "targets": {}}
    hard = draw(st.integers(0, 3)) == 3
    if draw(st.booleans()):
        columns["id"] = [f"r{row}" for row in range(rows)]
        sections["key"] = "id"
    for group, letter, members in (("features", "f", kinds), ("targets", "t", heads)):
        for place, kind in enumerate(members):
            name = f"{letter}{place}"
            columns[name] = draw(_column(rows, CELLS[kind], shapes=_HARD if group == "features" or hard else _USUAL))
            options = {**_NEEDED.get(kind, {}), **draw(_some(**OPTIONS[kind]))}
            if group == "features":
                options["required"] = hard and draw(st.booleans())
            sections[group][name] = {"kind": kind, **options}
    names = list(sections["targets"])
    weight = draw(_of("none", "none", "all", "one"))
    if weight != "none":
        columns["weight"] = draw(_column(rows, _WEIGHT, shapes=_HARD if hard else ["full"]))
        (sections if weight == "all" else sections["targets"][names[0]])["weight"] = "weight"
    sections["split"] = draw(_splits(rows, names, columns, hard=hard))
    if draw(st.integers(0, 4)) == 4:
        columns = _twice(columns, draw(st.integers(1, 8)))
    rare = [name for name, body in sections["targets"].items() if TARGETS[body["kind"]].RESAMPLES]
    train = draw(
        _some(
            loss_balancing=_of("uncertainty"),
            mixup=_of(0.2, 1.0),
            **({"resample": st.builds(dict, head=st.sampled_from(rare), ratio=_of(0.1, 0.5, 1.0))} if rare else {}),
            learning_rate=_of(1e-4, 1.0),
            weight_decay=_of(0, 0.5),
        )
    )
    moves = not {"group", "time"} & {*sections["split"]}
    leakage = _of("warn", "move") if moves else _of("warn", "fail")
    slices = [name for name, body in sections["features"].items() if body["kind"] in ("category", "boolean")]
    sections |= {
        "numbers": draw(_of({}, {}, {"thousands": ","}, {"thousands": " "})),
        "validate": {
            "max_rejected": 0.1 if hard else 1.0,
            "leakage": draw(leakage),
            "on_bad_row": draw(_of("reject", "fail")) if hard else "reject",
        },
        "model": {"width": 4},
        "train": {"epochs": 1, "batch_size": 16, **train},
        "ensemble": {
            "members": draw(_of([], [], ["linear", "boosted"])),
            **draw(_of({}, {}, {}, {}, {"use": "blend"}, {"use": "off"}, {"refit": True}, {"seeds": 2})),
        },
        "evaluate": {"bootstrap": 0, "slices": draw(_of([], slices))},
    }
    return Trial(sections, columns)


trials = _trials()
