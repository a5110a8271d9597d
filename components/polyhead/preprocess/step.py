"""The preprocess step: split the clean table, then fit every statistic on its train rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import polars as pl

from polyhead.contracts.balance import GroupBalance
from polyhead.contracts.config import Config, require_config
from polyhead.contracts.findings import Finding
from polyhead.contracts.preprocessing import SLICES_TABLE, SPLITS_TABLE, Preprocessing, unknown_weights
from polyhead.contracts.profile import ColumnDrift, Profile
from polyhead.contracts.section import THE_FIT
from polyhead.contracts.validation import (
    CLEAN_TABLE,
    DUPLICATES_TABLE,
    EMBEDDED_PICTURES,
    GROUP,
    REJECTED_TABLE,
    SPLIT,
    TIME,
    ValidationReport,
    weight_column,
)
from polyhead.errors import DataError, Problem, counted
from polyhead.kinds.base import weights_of
from polyhead.kinds.fitting.fit import Fit, Site
from polyhead.kinds.tables import feature_table
from polyhead.kinds.union import FeatureStatistics, TargetStatistics
from polyhead.leakage.telling import tell_findings
from polyhead.pictures.folder import PictureFolder
from polyhead.preprocess.balance import balance_of, balance_warnings, groups_of
from polyhead.preprocess.leakage import settle_splits
from polyhead.preprocess.partial import Partial, gather
from polyhead.preprocess.split import copy_splits, left_out, write_slices, write_splits
from polyhead.profiles.comparing import compared
from polyhead.progress import progress, say
from polyhead.storage.artifact import close_artifact, new_artifact
from polyhead.storage.opened import Input, opens
from polyhead.storage.parallel import available_cpus
from polyhead.storage.places import folder_of, join
from polyhead.tables.clean import ParquetTable, Piece, open_clean
from polyhead.tables.rejected import RejectionCounts, tell_rejections

S = TypeVar("S")

_PIECES = 4  # for each thread, where there are so many, so that all end at about the same time


@opens(data=Input(ValidationReport, (CLEAN_TABLE, DUPLICATES_TABLE, EMBEDDED_PICTURES)))
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
            cannot be used, all such heads and files at once; or there are findings, and `validate.leakage` is fail.
    """
    clean = open_clean(data)
    report = clean.report
    require_config(config, report, data)
    with new_artifact(out, Preprocessing) as directory:
        table = ParquetTable(directory / SPLITS_TABLE, clean.rows)
        if splits is None:
            write_splits(clean, config.split, table.path)
            if config.split.gap:
                aside = left_out(clean, table.path, config.split)
                aside.write_parquet(directory / REJECTED_TABLE, compression="zstd")
        else:
            copy_splits(clean, splits, table.path)
        findings = settle_splits(clean, Path(data), table, config, may_move=splits is None)
        threads = workers or available_cpus()
        with progress("fit", total=clean.rows, unit="rows") as advance:

            def read(piece: Piece) -> pl.DataFrame:
                weights = weights_of({name: one for name, one in config.targets.items() if name in piece.columns})
                columns = [*piece.columns, *map(weight_column, weights)]
                return clean.read(piece.rows, *columns).hstack(table.read(piece.rows, SPLIT))

            pieces = list(clean.pieces([*config.features, *config.targets], wanted=_PIECES * threads))
            fitted = gather(pieces, read, config, workers=threads, advance=advance)
        groups = None
        if config.split.group is not None:
            groups = groups_of(clean, table.path)
            write_slices(clean, table.path, directory / SLICES_TABLE, by=GROUP)
        elif config.time_reading is not None:
            zone = config.time_reading.time_zone if report.dated else None
            write_slices(clean, table.path, directory / SLICES_TABLE, by=TIME, time_zone=zone)
        folder = PictureFolder.of(report.image_root, report, data)
        preprocessing = assemble(fitted, report, folder, findings, directory, groups=groups, given=splits is not None)
    rows = preprocessing.rows
    if preprocessing.rejections:
        tell_rejections(preprocessing.rejections, join(str(out), REJECTED_TABLE))
    say(f"fitted on {counted(rows['train'], 'train row')}; {rows['val']:,} val, {rows['test']:,} test")
    for warning in preprocessing.warnings[len(report.warnings) :]:
        say(f"warning: {warning}")
    tell_findings(finding for finding in findings if finding not in report.findings)
    return preprocessing


def assemble(
    fitted: Partial,
    report: ValidationReport,
    pictures: PictureFolder,
    findings: Sequence[Finding],
    directory: Path,
    *,
    groups: GroupBalance | None = None,
    given: bool = False,
) -> Preprocessing:
    """Write the artifact of what was seen of all rows; `splits.parquet` and the rows left out are there already.

    Args:
        fitted: One pass over the whole table, or the merged partials of all its rows.
        report: Of the validation that the rows come from.
        pictures: Theirs.
        findings: Of the validation and of the split.
        directory: Where to write.
        groups: How the groups of the split lie, where it has any.
        given: Whether the split is not the configuration's.

    Raises:
        DataError: There are no training rows, or a head cannot learn from them, or a file that a feature names cannot
            be used; all such heads and files at once.
    """
    config = fitted.config
    rejections = RejectionCounts()
    if (directory / REJECTED_TABLE).exists():
        rejections.add(pl.read_parquet(directory / REJECTED_TABLE))
    if fitted.rows["train"] == 0:
        rows = {**fitted.rows, "left out": rejections.rows} if rejections.rows else fitted.rows
        raise DataError("no-train-rows", "there are no training rows", where="split", hint=f"rows by split: {rows}")
    site = Site(directory, pictures, config.validate_.max_pixels, folder_of(report.table))
    problems: list[Problem] = []
    targets = _finished(fitted.targets, site, problems)
    features = _finished(fitted.features, site, problems)
    for name, statistics in targets.items():
        problems += unknown_weights(name, config.targets[name], statistics)
    weights = {name: fitted.targets[name].mean_weight for name, one in config.targets.items() if one.weight}
    problems += [
        Problem(
            "no-row-weight",
            f"no training row with a value has a weight above 0 in column '{config.targets[name].weight}'",
            where=f"target '{name}'",
            hint="give some rows a weight, or leave out the weight",
        )
        for name, mean in weights.items()
        if name in targets and not mean
    ]
    if problems:
        raise DataError(dict.fromkeys(problems))
    profiles = {name: fit.profile(site) for name, fit in {**fitted.features, **fitted.targets}.items()}
    section = config.split
    asked = {} if given or section.column is not None else section.shares.model_dump()
    balance = balance_of(fitted.heads, fitted.rows, config.targets, fractions=asked, groups=groups)
    preprocessing = Preprocessing(
        made_from={"config": config.fingerprint(Preprocessing), "validation": report.clean_digest},
        features={name: feature.decided(THE_FIT) for name, feature in config.features.items()},
        targets={name: target.decided(THE_FIT) for name, target in config.targets.items()},
        rows=fitted.rows,
        rows_rejected=rejections.rows,
        rejections=rejections.summary(),
        feature_statistics=features,
        target_statistics=targets,
        mean_weights=weights,
        balance=balance,
        profiles=profiles,
        drift=_drift(fitted, profiles, features, site) if fitted.rows["test"] else [],
        warnings=[
            *report.warnings,
            *_warnings(fitted, targets),
            *balance_warnings(balance, section, sum(fitted.rows.values())),
        ],
        findings=list(findings),
    )
    return close_artifact(directory, preprocessing)


def _drift(
    fitted: Partial, profiles: Mapping[str, Profile], statistics: Mapping[str, FeatureStatistics], site: Site
) -> list[ColumnDrift]:
    """How far the test rows' features are from the train rows'."""
    tested = {}
    for name, fit in fitted.tested.items():
        known = feature_table(fitted.config.features[name]).vocabulary(statistics[name], site.directory)
        tested[name] = fit.profile_like(profiles[name], site, known)
    return compared(profiles, tested)


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
    for name, labels in fitted.held_out.items():
        extra = sorted(labels - set(targets[name].names))
        if extra:
            shown = ", ".join(f"'{label}'" for label in extra[:6])
            warnings.append(
                f"target '{name}' has labels that no training row has, so no model can predict them: {shown}"
            )
    return warnings
