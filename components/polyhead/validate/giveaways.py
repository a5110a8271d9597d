"""Features that give a target away, and texts that name its value."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

import polars as pl

from polyhead.contracts.config import Config
from polyhead.contracts.findings import Finding
from polyhead.contracts.validation import KEY
from polyhead.errors import counted
from polyhead.kinds.guessing.columns import Column, shown
from polyhead.kinds.tables import feature_table, target_table
from polyhead.leakage.duplicates import every
from polyhead.leakage.findings import SHOWN
from polyhead.tables.clean import ParquetTable
from polyhead.validate.infer.leaks import gives_away

_SAMPLE = 5_000
_LABELS = 50
_LEAST_ROWS = 50
_PROOF = 14.0  # a chance below e^-14, one in a million
_CLASS_SKILL, _NUMBER_SKILL = 0.98, 0.99
_SURE = 0.95
_DIGITS = 3
_LEAST_NUMBERS, _BEYOND_CHANCE = 5, 10
_AS_FEATURE = "remove the feature, unless it is known before the target is"
_IN_TEXT = "remove the feature, or what it says of the target, unless that is known before the target is"


def giveaways(table: ParquetTable, config: Config) -> list[Finding]:
    """Features from which a target follows, by themselves.

    Single values are looked at one column at a time, on up to 5,000 rows evenly spaced: an exact relation as `init`
    looks for, or a model of the column alone that has nearly no error. Texts are searched for the row's own label or
    number, and for the target's name.

    Args:
        table: A clean table.
        config: Its configuration.
    """
    if not table.rows:
        return []
    names = [name for name in config.features if name not in config.pictured]
    sample = every(table, _SAMPLE, KEY, *names, *config.targets)
    looked = f", in {counted(sample.height, 'row')} looked at" if sample.height < table.rows else ""
    features = {name: Column(sample[name]) for name in names}
    found: list[Finding] = []
    for target, values in _answers(sample, config):
        answer = Column(values)
        for name in names:
            if feature_table(config.features[name]).single:
                code, remedy = "feature_is_target", _AS_FEATURE
                said, rows = _relation(features[name], answer)
            elif sample.schema[name] == pl.String:
                code, remedy = "target_in_text", _IN_TEXT
                said, rows = _mentions(sample[name], values, target)
            else:
                continue
            if said:
                keys = sample[KEY].filter(rows)
                found.append(
                    Finding(
                        code=code,
                        column=name,
                        count=len(keys),
                        rows=keys.head(SHOWN).to_list(),
                        affected=len(keys),
                        message=f"{said}{looked}",
                        remedy=remedy,
                    )
                )
    return found


def _answers(sample: pl.DataFrame, config: Config) -> Iterator[tuple[str, pl.Series]]:
    """By target, what is to be predicted as single values: its own, or for each label that label where a row has it."""
    for name, target in config.targets.items():
        facet, column = target_table(target), sample[name]
        if not facet.labelled or facet.single:
            for part, of in facet.parts(name, target).items():
                yield part, of(column).alias(part)
            continue
        counts = facet.labels(column.drop_nulls()).alias("label").value_counts()
        for label in counts.sort("count", "label", descending=[True, False])["label"].head(_LABELS):
            has = pl.when(pl.first().list.contains(label)).then(pl.lit(label)).otherwise(pl.lit(""))
            values = column.to_frame().select(pl.when(pl.first().is_not_null()).then(has)).to_series()
            yield name, values.alias(f"{name}: {label}")


def _relation(feature: Column, target: Column) -> tuple[str, pl.Series]:
    """How a target follows from a feature, empty where it does not, and the rows that know both."""
    known = feature.series.is_not_null() & target.series.is_not_null()
    exact = gives_away(feature, target)
    if exact:
        return f"'{feature.name}' {exact}", known
    skill = _skill(feature.series, target.series)
    is_class = target.series.dtype == pl.String
    if skill < (_CLASS_SKILL if is_class else _NUMBER_SKILL):
        return "", known
    score = "share of the most frequent class' errors that it avoids" if is_class else "R²"
    return f"a model of '{feature.name}' alone tells {shown(target.name)} nearly exactly ({score} {skill:.3f})", known


def _skill(feature: pl.Series, target: pl.Series) -> float:
    """How much better a row is predicted by the other rows with its value, or by those next to it, than by none.

    1 is without error, 0 as good as the mean or the most frequent class.
    """
    pairs = pl.DataFrame({"known": feature, "told": target}).drop_nulls().sort("known", maintain_order=True)
    if pairs.height < _LEAST_ROWS or pairs["told"].n_unique() < 2:
        return 0.0
    many = pairs["known"].n_unique() * 3 > pairs.height
    if many and not pairs["known"].dtype.is_numeric():
        return 0.0
    rows, told = pl.len().over("known"), pl.col("told")
    if pairs["told"].dtype == pl.String:
        if many:
            hits = told == told.shift(1)
        else:
            counts = pl.len().over("known", "told")
            hits = (counts == counts.max().over("known")) & (counts > 1)
        accuracy = float(pairs.select(hits.mean()).item() or 0)
        most = float(pairs["told"].value_counts()["count"].to_numpy().max()) / pairs.height
        return (accuracy - most) / (1 - most)
    mean, spread = pairs["told"].mean(), pairs["told"].var()
    if not spread:
        return 0.0
    others = (told.sum().over("known") - told) / (rows - 1)
    guess = (told.shift(1) + told.shift(-1)) / 2 if many else pl.when(rows > 1).then(others).otherwise(pl.lit(mean))
    error = pairs.select(((told - guess) ** 2).mean()).item()
    return 1 - float(error) / float(spread) if error is not None and math.isfinite(error) else 0.0  # type: ignore[arg-type]


def _mentions(text: pl.Series, values: pl.Series, target: str) -> tuple[str, pl.Series]:
    """How texts tell a target, empty where they do not, and the rows in which they do."""
    if values.dtype != pl.String:
        return _own_number(text, values)
    found = _own_label(text, values)
    return found if found[0] else _named(text, values, target)


def _own_label(text: pl.Series, values: pl.Series) -> tuple[str, pl.Series]:
    """Where a text has the row's own label, and no other one."""
    known = values.drop_nulls().alias("label")
    counts = known.value_counts().sort("count", "label", descending=[True, False])
    counts = counts.filter(counts["label"].map_elements(_plain, return_dtype=pl.String).str.strip_chars() != "")
    own = alone = pl.Series([False] * len(text), dtype=pl.Boolean)
    words = _words(text)
    for label in counts["label"].head(_LABELS):
        has = words.str.contains(_plain(label), literal=True).fill_null(False)
        own = own | (has & (values == label).fill_null(False))
        alone = alone ^ has
    own, told = own & alone, int((alone & values.is_not_null()).sum())
    hits = int(own.sum())
    usual = float(counts["count"][0]) / len(known) if counts.height else 1.0
    said = f"'{text.name}' has the value of {shown(values.name)} in {counted(hits, 'row')}"
    return (said if _is_proof(hits, told, usual) else ""), own


def _named(text: pl.Series, values: pl.Series, target: str) -> tuple[str, pl.Series]:
    """Where a text has the target's name, and that tells its value."""
    name = _plain(target)
    named = _words(text).str.contains(name, literal=True).fill_null(False)
    counts = values.filter(named).drop_nulls().alias("label").value_counts()
    if counts.is_empty() or not name.strip():
        return "", named
    label, hits = counts.sort("count", "label", descending=[True, False]).row(0)
    usual = float((values.drop_nulls() == label).sum()) / len(values.drop_nulls())
    said = f"'{text.name}' has the name of '{target}' in {counted(hits, 'row')}, all of them {shown(label)}"
    return (said if _is_proof(hits, int(counts["count"].sum()), usual) else ""), named & (values == label).fill_null(
        False
    )


def _is_proof(hits: int, told: int, usual: float) -> bool:
    """Whether nearly all that is told is right, and chance would not do that.

    Args:
        hits: What is right.
        told: What is told.
        usual: The share that would be right without being told.
    """
    return hits > 0 and hits >= _SURE * told and usual < 1 and -hits * math.log(usual) > _PROOF


def _own_number(text: pl.Series, target: pl.Series) -> tuple[str, pl.Series]:
    """Where a text has the row's own number, far more often than that of another row."""
    spelled = target.map_elements(lambda value: f"{value:.15g}", return_dtype=pl.String)
    frame = pl.DataFrame({"text": text, "own": target, "spelled": spelled}).with_columns(
        numbers=pl.col("text")
        .str.replace_all(r"(\d),(\d{3})\b", "${1}${2}")
        .str.extract_all(r"-?\d+(?:\.\d+)?")
        .list.eval(pl.element().cast(pl.Float64, strict=False)),
        long=pl.col("spelled").str.count_matches(r"\d") >= _DIGITS,
    )
    own = frame.select((pl.col("numbers").list.contains(pl.col("own")) & pl.col("long")).fill_null(False)).to_series()
    other = pl.col("own").shift(1)
    strange = frame.select(
        (pl.col("numbers").list.contains(other) & pl.col("long").shift(1) & (other != pl.col("own"))).fill_null(False)
    ).to_series()
    hits, chance = int(own.sum()), int(strange.sum())
    if hits < _LEAST_NUMBERS or hits < _BEYOND_CHANCE * chance:
        return "", own
    return f"'{text.name}' has the value of {shown(target.name)} in {counted(hits, 'row')}", own


def _words(text: pl.Series) -> pl.Series:
    """Texts in lower case, a space before, after and between all words."""
    plain = text.str.to_lowercase().str.replace_all(r"[^\p{L}\p{N}]+", " ")
    return plain.to_frame("text").select(pl.concat_str(pl.lit(" "), "text", pl.lit(" "))).to_series()


def _plain(word: str) -> str:
    """A word as `_words` would have it, with the spaces around it."""
    parts = re.findall(r"[^\W_]+", word.lower())
    return f" {' '.join(parts)} "
