"""The preprocess step: split the clean table, then fit every statistic on its train rows."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from polyhead.contracts.config import SPLITS, Config, require_config
from polyhead.contracts.features import CategoryFeature, Feature, ImageFeature, NumericFeature
from polyhead.contracts.preprocessing import (
    SPLITS_TABLE,
    CategoryStatistics,
    FeatureStatistics,
    Preprocessing,
    TargetStatistics,
    TextStatistics,
)
from polyhead.contracts.targets import MultilabelTarget, RegressionTarget, Target
from polyhead.contracts.validation import KEY, ROW, SPLIT
from polyhead.errors import DataError, PolyheadError, Problem
from polyhead.preprocess import tokenizer
from polyhead.preprocess.fit import fit_category, fit_classes, fit_labels, fit_numeric, fit_regression, fit_text
from polyhead.preprocess.pictures import SAMPLE, fit_pictures
from polyhead.preprocess.split import hash_position, split_of
from polyhead.preprocess.vocabulary import write_vocabulary
from polyhead.progress import say
from polyhead.storage.artifact import new_artifact, sha256_of
from polyhead.storage.clean import read_clean
from polyhead.storage.parallel import available_cpus
from polyhead.storage.pictures import PictureFolder

_SAMPLE_SALT = 1 << 65


def run(*, config: Config, data: str | Path, out: str | Path) -> Preprocessing:
    """Split the rows and fit the statistics.

    Args:
        config: The configuration that `data` was validated with.
        data: The artifact of `validate`.
        out: Where the artifact shall stand; see `polyhead.contracts.preprocessing` for its files.

    Raises:
        ArtifactError: `data` is no passed validation of this configuration, or `out` holds something else.
        DataError: There are no train rows, or they cannot teach a head; all such heads at once.
    """
    report, clean = read_clean(data)
    require_config(config, report, data)
    with new_artifact(out, Preprocessing) as directory:
        fixed = clean[SPLIT] if config.split.column is not None else None
        split = split_of(clean[KEY], fixed, config.split)
        rows: dict[str, int] = {name: int((split == name).sum()) for name in SPLITS}
        if rows["train"] == 0:
            raise DataError("no row is a train row", where="split", hint=f"rows by split: {rows}")
        splits = clean.select(ROW, KEY).with_columns(split.alias(SPLIT))
        splits.write_parquet(directory / SPLITS_TABLE, compression="zstd")
        train = clean.filter(split == "train")
        pictures = PictureFolder(report.image_root)
        features = {
            name: _fit_feature(name, train[name], feature, directory, pictures, config.validate_.max_pixels)
            for name, feature in config.features.items()
        }
        targets = _fit_targets(train, config)
        preprocessing = Preprocessing(
            made_from={"config": config.data_fingerprint(), "validation": report.clean_sha256},
            features=config.features,
            targets=config.targets,
            rows=rows,
            feature_statistics=features,
            target_statistics=targets,
            warnings=[*report.warnings, *_warnings(clean, split, rows, targets)],
            splits_sha256=sha256_of(directory / SPLITS_TABLE),
        )
        preprocessing.write(directory)
    say(f"fitted on {rows['train']:,} train rows; {rows['val']:,} val, {rows['test']:,} test")
    for warning in preprocessing.warnings[len(report.warnings) :]:
        say(f"warning: {warning}")
    return preprocessing


def _fit_feature(
    name: str, values: pl.Series, feature: Feature, directory: Path, pictures: PictureFolder, max_pixels: int
) -> FeatureStatistics:
    missing = values.null_count()
    count = len(values) - missing
    if isinstance(feature, NumericFeature):
        return fit_numeric(values)
    if isinstance(feature, ImageFeature):
        paths = sorted(values.drop_nulls().unique(), key=lambda path: (hash_position(_SAMPLE_SALT, path), path))[
            :SAMPLE
        ]
        return fit_pictures(
            paths,
            feature,
            pictures,
            count=count,
            missing=missing,
            max_pixels=max_pixels,
            workers=available_cpus(),
        )
    if isinstance(feature, CategoryFeature):
        vocabulary = write_vocabulary(directory, name, fit_category(values, feature))
        return CategoryStatistics(count=count, missing=missing, vocabulary=vocabulary)
    return TextStatistics(
        count=count,
        missing=missing,
        documents=count,
        tokenizer=tokenizer.NAME,
        ngrams=feature.ngrams,
        vocabulary=write_vocabulary(directory, name, fit_text(values, feature)),
    )


def _fit_target(name: str, values: pl.Series, target: Target) -> TargetStatistics:
    if isinstance(target, RegressionTarget):
        return fit_regression(name, values, target)
    if isinstance(target, MultilabelTarget):
        return fit_labels(name, values, target)
    return fit_classes(name, values, target)


def _fit_targets(train: pl.DataFrame, config: Config) -> dict[str, TargetStatistics]:
    fitted: dict[str, TargetStatistics] = {}
    problems: list[Problem] = []
    for name, target in config.targets.items():
        try:
            fitted[name] = _fit_target(name, train[name], target)
        except PolyheadError as error:
            problems += error.problems
    if problems:
        raise DataError(problems)
    return fitted


def _warnings(
    clean: pl.DataFrame, split: pl.Series, rows: dict[str, int], targets: dict[str, TargetStatistics]
) -> list[str]:
    warnings = []
    if rows["val"] == 0:
        warnings.append("there are no val rows: training cannot stop early and keeps its last epoch")
    if rows["test"] == 0:
        warnings.append("there are no test rows: nothing can be evaluated")
    held_out = clean.filter(split != "train")
    for name, statistics in targets.items():
        if statistics.kind in ("binary", "multiclass"):
            held_labels, known = held_out[name], statistics.classes
        elif statistics.kind == "multilabel":
            held_labels, known = held_out[name].explode(empty_as_null=False), statistics.labels
        else:
            continue
        extra = sorted(set(held_labels.drop_nulls().unique()) - set(known))
        if extra:
            shown = ", ".join(f"'{label}'" for label in extra[:6])
            warnings.append(f"target '{name}' has labels outside the train rows, which no model can predict: {shown}")
    return warnings
