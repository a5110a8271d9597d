"""A first configuration from a look at a table."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl
import yaml

from polyhead.contracts.config import SPLITS, is_name
from polyhead.contracts.features import NumericFeature
from polyhead.errors import DataError, Problem, did_you_mean
from polyhead.validate.coerce import EMPTY_SET, coerce, words

_IMAGE = re.compile(r"(?i).+\.(jpe?g|png|webp|bmp|gif)")
_CODE_NAME = re.compile(r"(?i)(^|_)(zip|zipcode|postcode|postal_code|code|id|class|type)$")
_KEY_NAME = re.compile(r"(?i)(^|_)(id|key|uuid|guid)$")
_MOSTLY = 0.95
_FEW = 20
_MANY_CLASSES = 50
_WORDS_OF_TEXT = 3.0
_SKEW_OF_LOG = 1.0


@dataclass(frozen=True)
class Guess:
    """What a column seems to hold.

    Attributes:
        kind: A feature or target kind; empty where the column is left out.
        options: More of the config's keys and their values.
        why: One line for the file's comments.
    """

    kind: str
    options: dict[str, object]
    why: str


def infer_config(frame: pl.DataFrame, table: str, targets: Sequence[str]) -> str:
    """Write a configuration for a table.

    Args:
        frame: The table.
        table: What the config shall call it.
        targets: The columns to predict, at least one.

    Returns:
        Commented YAML that `polyhead.contracts.config.parse_config` accepts.

    Raises:
        DataError: A target is no column or holds nothing to learn, or no column can be a feature.
    """
    unknown = [target for target in targets if target not in frame.columns]
    if unknown:
        raise DataError(
            Problem(f"no column '{target}'", table, did_you_mean(target, frame.columns)) for target in unknown
        )
    key, split = _key(frame, targets), _split(frame, targets)
    used = {key, split, *targets}
    guesses = {column: guess_feature(frame[column]) for column in frame.columns if column not in used}
    features = {column: guess for column, guess in guesses.items() if guess.kind}
    if not features:
        raise DataError("no column can be a feature", where=table)
    targets = list(dict.fromkeys(targets))
    names = _names([*features, *targets])
    lines = [
        "# Written by polyhead init from a look at the table: check the kinds, then run",
        "#   polyhead run THIS_FILE",
        f"table: {_scalar(table)}",
    ]
    if key is not None:
        lines.append(f"key: {_scalar(key)}")
    lines.append("features:")
    lines += [_member(names[column], column, guess) for column, guess in features.items()]
    lines += [f"  # {_scalar(column)}: left out, {guess.why}" for column, guess in guesses.items() if not guess.kind]
    lines.append("targets:")
    lines += [_member(names[target], target, guess_target(frame[target])) for target in targets]
    lines.append(
        f"split: {{column: {_scalar(split)}}}"
        if split is not None
        else "split: {fractions: {train: 0.7, val: 0.15, test: 0.15}, seed: 0}"
    )
    return "\n".join(lines) + "\n"


def guess_feature(column: pl.Series) -> Guess:
    """The feature kind that a column seems to hold."""
    if column.dtype.is_nested() or column.dtype in (pl.Binary, pl.Object):
        return Guess("", {}, f"holds {column.dtype}")
    if column.dtype.is_temporal():
        return Guess("", {}, "holds dates")
    values = words(column).drop_nulls()
    distinct = values.n_unique()
    if distinct < 2:
        return Guess("", {}, "has a single value" if distinct else "is empty")
    if values.str.contains(f"^(?:{_IMAGE.pattern})$").mean() > _MOSTLY:  # type: ignore[operator]  # not empty
        return Guess("image", {}, "paths of pictures")
    if _is_numeric(column):
        if _CODE_NAME.search(column.name) and distinct <= max(_FEW, len(values) // 5):
            return Guess("category", {}, f"{distinct} codes")
        return Guess("numeric", {}, f"{distinct} different numbers")
    if distinct <= max(_FEW, len(values) // 20):
        return Guess("category", {}, f"{distinct} values")
    if values.str.split(" ").list.len().mean() >= _WORDS_OF_TEXT:  # type: ignore[operator]
        return Guess("text", {}, "sentences")
    if distinct > len(values) * 0.9:
        return Guess("", {}, "names almost every row differently")
    return Guess("category", {}, f"{distinct} values")


def guess_target(column: pl.Series) -> Guess:
    """The target kind that a column seems to hold.

    Raises:
        DataError: It holds fewer than two different values.
    """
    if column.dtype in (pl.List, pl.Array):
        return Guess("multilabel", {}, "lists of labels")
    values = words(column).drop_nulls()
    distinct = values.n_unique()
    if distinct < 2:
        raise DataError(f"has {distinct} different values, nothing to learn", where=f"column '{column.name}'")
    if distinct == 2:
        rarer = values.value_counts().sort("count")["count"][0]
        balanced: dict[str, object] = {"class_weight": "balanced"} if rarer < len(values) / 4 else {}
        return Guess("binary", balanced, "two labels")
    if _is_numeric(column) and (distinct > _FEW or column.dtype.is_float()):
        numbers = coerce(column, NumericFeature(kind="numeric")).values.drop_nulls()
        skewed = numbers.min() > 0 and (numbers.skew() or 0) > _SKEW_OF_LOG  # type: ignore[operator]
        return Guess("regression", {"transform": "log"} if skewed else {}, f"{distinct} different numbers")
    for separator in ("|", ";"):
        joined = values.str.contains(separator, literal=True) | (values == EMPTY_SET)
        if joined.mean() > 0.1:  # type: ignore[operator]
            return Guess("multilabel", {} if separator == "|" else {"separator": separator}, "several labels in a cell")
    if distinct > max(_MANY_CLASSES, len(values) // 2):
        raise DataError(
            f"has {distinct} different values in {len(values)} rows: neither numbers nor classes",
            where=f"column '{column.name}'",
            hint="numbers need a decimal point, not a comma; write a config by hand if these really are classes",
        )
    return Guess("multiclass", {}, f"{distinct} classes")


def _is_numeric(column: pl.Series) -> bool:
    if column.dtype.is_numeric():
        return True
    if column.dtype != pl.String:
        return False
    values = words(column).drop_nulls()
    numbers = coerce(values, NumericFeature(kind="numeric")).values
    return numbers.drop_nulls().len() > _MOSTLY * len(values)


def _key(frame: pl.DataFrame, targets: Sequence[str]) -> str | None:
    for column in frame.columns:
        if column in targets or not _KEY_NAME.search(column) or frame[column].dtype.is_nested():
            continue
        if frame[column].null_count() == 0 and frame[column].n_unique() == frame.height:
            return column
    return None


def _split(frame: pl.DataFrame, targets: Sequence[str]) -> str | None:
    for column in frame.columns:
        if column not in targets and frame[column].dtype == pl.String:
            values = set(frame[column].drop_nulls().unique())
            if {"train", "test"} <= values <= set(SPLITS):
                return column
    return None


def _names(columns: Sequence[str]) -> dict[str, str]:
    """A valid, different name for every column."""
    names: dict[str, str] = {}
    taken: set[str] = set()
    for column in columns:
        slug = column if is_name(column) else re.sub(r"[^A-Za-z0-9]+", "_", column).strip("_").lower()[:60]
        slug = slug if is_name(slug) else f"column_{slug}".strip("_")
        name, number = slug, 2
        while name.lower() in taken:
            name, number = f"{slug}_{number}", number + 1
        taken.add(name.lower())
        names[column] = name
    return names


def _member(name: str, column: str, guess: Guess) -> str:
    options = {"kind": guess.kind, **({"column": column} if name != column else {}), **guess.options}
    body = ", ".join(f"{key}: {_scalar(value)}" for key, value in options.items())
    return f"  {name}: {{{body}}}  # {guess.why}"


def _scalar(value: object) -> str:
    """A value as YAML writes it inside braces, on one line."""
    text: str = yaml.safe_dump([value], default_flow_style=True, width=float("inf"), allow_unicode=True)
    text = text.strip()[1:-1]
    return json.dumps(value) if "\n" in text else text
