"""The validate step: read, coerce, look at every picture, keep what fits, set the rest aside with its reason."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import polars as pl

from polyhead.contracts.config import Config
from polyhead.contracts.features import Feature, ImageFeature
from polyhead.contracts.targets import Target
from polyhead.contracts.validation import (
    CLEAN_TABLE,
    KEY,
    REJECTED_TABLE,
    ROW,
    SPLIT,
    ColumnSummary,
    ValidationReport,
)
from polyhead.errors import DataError, Problem
from polyhead.progress import progress, say
from polyhead.storage.artifact import new_artifact, sha256_of
from polyhead.storage.parallel import available_cpus, ordered_map
from polyhead.storage.pictures import PictureError, PictureFolder, examine_picture
from polyhead.storage.places import check_scheme, folder_of, join
from polyhead.storage.rejected import Rejected
from polyhead.storage.tables import Table, read_table
from polyhead.validate.coerce import Coerced, coerce, keys, split_names, words


def run(*, config: Config, out: str | Path, table: Table | None = None, workers: int | None = None) -> ValidationReport:
    """Check a table and write the clean one.

    Args:
        config: The configuration.
        out: Where the artifact shall stand; see `polyhead.contracts.validation` for its files.
        table: Replaces the config's table: a path, a `gs://` place, or a pandas or polars DataFrame (whose
            image root is the config's `image_root`, by default the working directory).
        workers: Threads that decode pictures. Default: the processors at hand.

    Returns:
        The report of a table that passed.

    Raises:
        DataError: The table cannot be used at all, or too many rows are bad; then the artifact, with every
            rejected row, is written before the error is raised.
        ArtifactError: `out` holds something else.
    """
    source: Table = config.table if table is None else table
    frame = read_table(source, config.columns)
    root = image_root(config, source)
    name = source if isinstance(source, str) else "DataFrame"
    with new_artifact(out, ValidationReport) as directory:
        clean, rejected = _clean(frame, config)
        checked = _check_pictures(clean, rejected, config, root, workers or available_cpus())
        keep = clean.filter(~pl.col(ROW).is_in(rejected.rows))
        keep.write_parquet(directory / CLEAN_TABLE, compression="zstd", statistics=True)
        rejected.frame().write_parquet(directory / REJECTED_TABLE, compression="zstd")
        problems, warnings = _verdict(config, frame.height, keep, rejected)
        report = ValidationReport(
            made_from={"config": config.data_fingerprint()},
            table=name,
            image_root=root,
            rows_read=frame.height,
            rows_clean=keep.height,
            rows_rejected=len(rejected.rows),
            rejections=rejected.summary(),
            columns=_summaries(keep, config),
            images_checked=checked,
            warnings=warnings,
            passed=not problems,
            clean_sha256=sha256_of(directory / CLEAN_TABLE),
        )
        report.write(directory)
    say(f"{report.rows_clean:,} of {report.rows_read:,} rows are clean, {report.rows_rejected:,} rejected")
    for warning in warnings:
        say(f"warning: {warning}")
    if problems:
        hint = f"every rejected row stands in {Path(out) / REJECTED_TABLE}" if rejected.rows else ""
        raise DataError([*problems, Problem("nothing was fitted or trained", hint=hint)] if hint else problems)
    return report


def image_root(config: Config, table: Table) -> str:
    """The folder or `gs://` prefix that image paths are relative to."""
    folder = folder_of(table) if isinstance(table, str) else str(Path.cwd())
    root = config.image_root or "."
    check_scheme(root)
    return join(folder, root)


def _clean(frame: pl.DataFrame, config: Config) -> tuple[pl.DataFrame, Rejected]:
    """Every row in canonical types, and the cells that do not fit."""
    collected = _Columns(frame)
    collected.take_keys(config.key)
    for name, member in (*config.features.items(), *config.targets.items()):
        collected.take(config.column_of(name), name, member)
    if config.split.column is not None:
        collected.take_split(config.split.column)
    return collected.finish()


def clean_features(frame: pl.DataFrame, config: Config) -> tuple[pl.DataFrame, Rejected]:
    """The features of a table that is to be predicted, in canonical types, and the cells that do not fit.

    Args:
        frame: The table; target and split columns are not needed, nor is the key column.
        config: The configuration of the model.

    Returns:
        `__row__`, `__key__` and the features of every row; the rejected cells. Pictures are not looked at.

    Raises:
        DataError: A column's type as a whole cannot hold its kind.
    """
    collected = _Columns(frame)
    collected.take_keys(config.key if config.key in frame.columns else None)
    for name, member in config.features.items():
        collected.take(config.column_of(name), name, member)
    return collected.finish()


class _Columns:
    """Collects columns in canonical types, with the cells that do not fit and the columns that cannot.

    A row whose key is rejected keeps the key's name, so that its other problems can be looked up.
    """

    def __init__(self, frame: pl.DataFrame) -> None:
        self._frame = frame
        self._position = pl.Series(ROW, range(frame.height), dtype=pl.Int64)
        self._columns: list[pl.Series] = []
        self._coerced: list[tuple[str, Coerced]] = []
        self._problems: list[Problem] = []
        self._names = self._position.cast(pl.String)

    def take_keys(self, column: str | None) -> None:
        if column is None:
            self._columns.append(self._names.alias(KEY))
        else:
            self._add(column, KEY, keys)
            if not self._problems:
                self._names = words(self._frame[column])

    def take(self, column: str, name: str, member: Feature | Target) -> None:
        self._add(column, name, lambda values: coerce(values, member))

    def take_split(self, column: str) -> None:
        self._add(column, SPLIT, split_names)

    def _add(self, column: str, name: str, function: Callable[[pl.Series], Coerced]) -> None:
        try:
            coerced = function(self._frame[column])
        except DataError as error:
            self._problems += error.problems
            return
        self._columns.append(coerced.values.alias(name))
        self._coerced.append((column, coerced))

    def finish(self) -> tuple[pl.DataFrame, Rejected]:
        if self._problems:
            raise DataError(self._problems)
        rejected = Rejected()
        for column, coerced in self._coerced:
            for fault in coerced.faults:
                rejected.add(fault.mask, self._names, column, fault.reason, self._frame[column], fault.detail)
        clean = pl.DataFrame([self._position, *self._columns])
        return clean.with_columns(self._names.alias(KEY)), rejected


def _check_pictures(clean: pl.DataFrame, rejected: Rejected, config: Config, root: str, workers: int) -> int:
    """Decode every different picture once; returns how many."""
    features = config.features_of(ImageFeature)
    paths = sorted({path for name in features for path in clean[name].drop_nulls()})
    if not paths:
        return 0
    limit, folder = config.validate_.max_pixels, PictureFolder(root)

    def fault_of(path: str) -> tuple[str, str] | None:
        try:
            examine_picture(folder.read(path), max_pixels=limit, decode=True)
        except PictureError as error:
            return error.reason, error.detail
        return None

    faults: dict[str, tuple[str, str]] = {}
    with progress("check images", total=len(paths), unit="images") as advance:
        for path, fault in zip(paths, ordered_map(fault_of, paths, workers=workers), strict=True):
            if fault is not None:
                faults[path] = fault
            advance(1)
    for name in features:
        for row, key, path in clean.select(ROW, KEY, name).filter(pl.col(name).is_in(list(faults))).iter_rows():
            reason, detail = faults[path]
            rejected.add_cell(row, key, config.column_of(name), reason, path, detail)
    return len(paths)


def _verdict(config: Config, rows: int, clean: pl.DataFrame, rejected: Rejected) -> tuple[list[Problem], list[str]]:
    """What stops the run, and what deserves a look.

    Once too many rows are rejected the rest of the table says little, so only the rejections are told.
    """
    share = len(rejected.rows) / rows
    strict = config.validate_.on_bad_row == "fail"
    allowed = 0.0 if strict else config.validate_.max_rejected
    if clean.height == 0 or share > allowed:
        rule = "validate.on_bad_row is fail" if strict else f"validate.max_rejected is {allowed:.1%}"
        count = "all" if clean.height == 0 else f"{len(rejected.rows):,} of"
        counted = [
            Problem(f"{r.reason} in {_rows(r.rows)}, first: {r.example}", f"column '{r.column}'")
            for r in rejected.summary()[:10]
        ]
        return [Problem(f"{count} {_rows(rows)} are rejected ({share:.1%}), {rule}"), *counted], []
    problems: list[Problem] = []
    warnings: list[str] = []
    for name, target in config.targets.items():
        values, where = clean[name].drop_nulls(), f"target '{name}'"
        if target.kind in ("binary", "multiclass"):
            _check_classes(name, target.kind, values, problems, warnings)
        elif len(values) == 0:
            problems.append(Problem("no row has a value", where, "give labels, or remove the target"))
        elif target.kind == "regression" and values.n_unique() == 1:
            problems.append(Problem(f"every row has the value {values[0]:g}", where, "nothing to learn"))
    for name in config.features:
        if clean[name].null_count() == clean.height:
            warnings.append(f"feature '{name}' has no value in any row")
    return problems, warnings


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count:,} rows"


def _check_classes(name: str, kind: str, values: pl.Series, problems: list[Problem], warnings: list[str]) -> None:
    counts = values.value_counts(sort=True)
    labels = counts[values.name].to_list()
    where = f"target '{name}'"
    if len(labels) == 0:
        problems.append(Problem("no row has a label", where, "give labels, or remove the target"))
    elif len(labels) == 1:
        problems.append(Problem(f"has one class only, '{labels[0]}'", where, "a head needs at least two classes"))
    elif kind == "binary" and len(labels) > 2:
        shown = ", ".join(sorted(labels)[:6])
        problems.append(Problem(f"has {len(labels)} labels ({shown}), binary means two", where, "use kind: multiclass"))
    lonely = sorted(counts.filter(pl.col("count") == 1)[values.name])
    if lonely and len(labels) > 1:
        shown = ", ".join(f"'{label}'" for label in lonely[:6]) + (", …" if len(lonely) > 6 else "")
        warnings.append(
            f"target '{name}' has classes with a single row ({shown}): they cannot be both learned and tested"
        )


def _summaries(clean: pl.DataFrame, config: Config) -> list[ColumnSummary]:
    summaries = []
    for role, members in (("feature", config.features), ("target", config.targets)):
        for name, member in members.items():
            values = clean[name].drop_nulls()
            numeric = values.dtype == pl.Float64 and len(values) > 0
            summaries.append(
                ColumnSummary(
                    name=name,
                    role=role,
                    kind=member.kind,
                    missing=clean[name].null_count(),
                    distinct=values.n_unique() if values.dtype == pl.String and member.kind != "image" else None,
                    minimum=float(values.min()) if numeric else None,  # type: ignore[arg-type]  # float64 by numeric
                    maximum=float(values.max()) if numeric else None,  # type: ignore[arg-type]
                )
            )
    return summaries
