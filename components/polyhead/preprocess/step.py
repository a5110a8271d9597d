"""The preprocess step: split the clean table, then fit every statistic on its train rows."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

import polars as pl

from polyhead.contracts.config import Config, require_config
from polyhead.contracts.preprocessing import SPLITS_TABLE, Preprocessing, unknown_weights
from polyhead.contracts.section import THE_FIT
from polyhead.contracts.validation import CLEAN_TABLE, EMBEDDED_PICTURES, SPLIT, ValidationReport
from polyhead.errors import DataError, Problem, counted
from polyhead.kinds.fitting.fit import Fit, Site
from polyhead.kinds.union import TargetStatistics
from polyhead.pictures.folder import PictureFolder
from polyhead.preprocess.partial import Partial, gather
from polyhead.preprocess.split import copy_splits, write_splits
from polyhead.progress import progress, say
from polyhead.storage.artifact import close_artifact, new_artifact
from polyhead.storage.opened import Input, opens
from polyhead.storage.parallel import available_cpus
from polyhead.storage.places import folder_of
from polyhead.tables.clean import ParquetTable, Piece, open_clean

S = TypeVar("S")

_PIECES = 4  # for each thread, where there are so many, so that all end at about the same time


@opens(data=Input(ValidationReport, (CLEAN_TABLE, EMBEDDED_PICTURES)))
def run(
    *,
    config: Config,
    data: str | Path,
    out: str | Path,
    workers: int | None = None,
    splits: Path | None = None,
) -> Preprocessing:
    """Split the rows and fit the statistics, in one pass that never holds the whole table.

    Args:
        config: The configuration that `data` was validated with.
        data: The artifact of `validate`.
        out: Where to write the artifact; see `polyhead.contracts.preprocessing` for its files.
        workers: Threads that gather the statistics; the bytes do not depend on it. Default: the processors at hand.
        splits: A split table, as this step writes it, that is taken in place of the configuration's split.

    Raises:
        ArtifactError: `data` is not a passed validation of this configuration, `splits` is of other rows, or `out`
            holds something else.
        DataError: There are no training rows, or a head cannot learn from them, or a file that a feature names
            cannot be used; all such heads and files at once.
    """
    clean = open_clean(data)
    report = clean.report
    require_config(config, report, data)
    with new_artifact(out, Preprocessing) as directory:
        table = ParquetTable(directory / SPLITS_TABLE, clean.rows)
        if splits is None:
            write_splits(clean, config.split, table.path)
        else:
            copy_splits(clean, splits, table.path)
        threads = workers or available_cpus()
        with progress("fit", total=clean.rows, unit="rows") as advance:

            def read(piece: Piece) -> pl.DataFrame:
                return clean.read(piece.rows, *piece.columns).hstack(table.read(piece.rows, SPLIT))

            pieces = list(clean.pieces([*config.features, *config.targets], wanted=_PIECES * threads))
            fitted = gather(pieces, read, config, workers=threads, advance=advance)
        folder = PictureFolder.of(report.image_root, report, data)
        preprocessing = assemble(fitted, report, folder, directory)
    rows = preprocessing.rows
    say(f"fitted on {counted(rows['train'], 'train row')}; {rows['val']:,} val, {rows['test']:,} test")
    for warning in preprocessing.warnings[len(report.warnings) :]:
        say(f"warning: {warning}")
    return preprocessing


def assemble(fitted: Partial, report: ValidationReport, pictures: PictureFolder, directory: Path) -> Preprocessing:
    """Write the artifact of what was seen of all rows; `splits.parquet` is there already.

    Args:
        fitted: One pass over the whole table, or the merged partials of all its rows.
        report: Of the validation that the rows come from.
        pictures: Theirs.
        directory: Where to write.

    Raises:
        DataError: There are no training rows, or a head cannot learn from them, or a file that a feature names cannot
            be used; all such heads and files at once.
    """
    if fitted.rows["train"] == 0:
        raise DataError(
            "no-train-rows", "there are no training rows", where="split", hint=f"rows by split: {fitted.rows}"
        )
    config = fitted.config
    site = Site(directory, pictures, config.validate_.max_pixels, folder_of(report.table))
    problems: list[Problem] = []
    targets = _finished(fitted.targets, site, problems)
    features = _finished(fitted.features, site, problems)
    for name, statistics in targets.items():
        problems += unknown_weights(name, config.targets[name], statistics)
    if problems:
        raise DataError(dict.fromkeys(problems))
    preprocessing = Preprocessing(
        made_from={"config": config.fingerprint(Preprocessing), "validation": report.clean_digest},
        features={name: feature.decided(THE_FIT) for name, feature in config.features.items()},
        targets={name: target.decided(THE_FIT) for name, target in config.targets.items()},
        rows=fitted.rows,
        feature_statistics=features,
        target_statistics=targets,
        warnings=[*report.warnings, *_warnings(fitted, targets)],
    )
    return close_artifact(directory, preprocessing)


def _finished(fits: Mapping[str, Fit[S]], site: Site, problems: list[Problem]) -> dict[str, S]:
    """The statistics of those that can be finished; what is wrong with the others is added to the problems."""
    statistics: dict[str, S] = {}
    for name, fit in fits.items():
        try:
            statistics[name] = fit.finish(site)
        except DataError as error:
            problems += error.problems
    return statistics


def _warnings(fitted: Partial, targets: dict[str, TargetStatistics]) -> list[str]:
    features = fitted.config.features
    warnings = [f"feature '{name}': {advice}" for name, feature in features.items() for advice in feature.advice]
    if fitted.rows["val"] == 0:
        warnings.append("there are no validation rows: training cannot stop early and keeps the last epoch")
    if fitted.rows["test"] == 0:
        warnings.append("there are no test rows: nothing can be evaluated")
    for name, counts in fitted.held_out.items():
        extra = sorted(counts.by_token().keys() - set(targets[name].names))
        if extra:
            shown = ", ".join(f"'{label}'" for label in extra[:6])
            warnings.append(
                f"target '{name}' has labels that no training row has, so no model can predict them: {shown}"
            )
    return warnings
