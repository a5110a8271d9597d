"""The validate step: read, coerce, look at every picture, keep what fits, set the rest aside with its reason."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl

from polyhead.contracts.artifact import FileDigest
from polyhead.contracts.config import Config, require_config
from polyhead.contracts.findings import Finding, refused
from polyhead.contracts.splits import SPLITS
from polyhead.contracts.validation import (
    CLEAN_TABLE,
    DUPLICATES_TABLE,
    EMBEDDED_PICTURES,
    GROUP,
    KEY,
    MASKED,
    PATHS_TABLE,
    PICTURES_TABLE,
    REJECTED_TABLE,
    ROW,
    SPLIT,
    TABLE_COPY,
    PicturePart,
    PicturePlan,
    ValidationReport,
    picture_column,
)
from polyhead.errors import ArtifactError, DataError, Problem, counted
from polyhead.fan_out import balanced, tell_plan
from polyhead.kinds.base import weights_of
from polyhead.kinds.summaries import Summary
from polyhead.kinds.tables import table_of
from polyhead.kinds.union import Feature, Target
from polyhead.leakage.duplicates import duplicates
from polyhead.leakage.findings import crossing_findings, duplicate_findings
from polyhead.leakage.telling import tell_findings
from polyhead.pictures.embedded import EmbeddedPictures
from polyhead.pictures.failures import PictureError
from polyhead.pictures.folder import PictureFolder
from polyhead.progress import Advance, progress, say
from polyhead.storage.artifact import checked_file, close_artifact, new_artifact
from polyhead.storage.opened import Input, opens
from polyhead.storage.parallel import available_cpus, one_ahead
from polyhead.storage.places import check_scheme, folder_of, is_bigquery, join
from polyhead.tables.bigquery import copy_table
from polyhead.tables.clean import ParquetTable
from polyhead.tables.opened import OpenTable
from polyhead.tables.paths import flat_paths, regrouped
from polyhead.tables.reading import Table, open_table
from polyhead.tables.rejected import SCHEMA, Rejected, RejectionCounts, tell_rejections, too_many
from polyhead.tables.writing import ROW_GROUP, TableWriter
from polyhead.validate.embedded import PictureColumns
from polyhead.validate.giveaways import giveaways
from polyhead.validate.key_and_split import time_reading
from polyhead.validate.pictures import Look, Pictures, looks_of, looks_table, new_paths
from polyhead.validate.repeats import Hashes, KeyHashes, RepeatedKeys
from polyhead.validate.rows import KEY_HASH, RowPlan

_PICTURED_ROWS = 1_024  # so that progress is seen to go on
_AGAIN = "look at this partition again"
_LOOK_BYTES = 4_096  # what opening a file is reckoned to cost beside reading it


@opens(plan=Input(PicturePlan), parts=Input(PicturePart))
def run(
    *,
    config: Config,
    out: str | Path,
    table: Table | None = None,
    workers: int | None = None,
    batch_rows: int | None = None,
    plan: str | Path = "",
    parts: Sequence[str | Path] = (),
    scored: bool = False,
) -> ValidationReport:
    """Check a table and write the clean one.

    The table is read once, in parts, and memory does not grow with it, except for eight bytes for every key, about
    250 for every different picture, and the classes of its targets. If two keys are the same, it is read again.

    Args:
        config: The configuration.
        out: Where to write the artifact; see `polyhead.contracts.validation` for its files.
        table: Replaces the config's table: a path, a remote place, or a pandas or polars DataFrame (whose
            image root is the config's `image_root`, by default the working directory).
        workers: Threads that look at pictures. Default: the processors at hand.
        batch_rows: Rows that are looked at together; no result depends on it. Default: 131,072, with pictures 1,024.
        plan: The artifact of `plan`, where others looked at the pictures before.
        parts: The artifacts of `run_partition`, one for each partition of the plan, in any order. A picture that
            the table names now and did not then is looked at.
        scored: Whether the rows are only to score a trained model. Then the columns of the split are not needed, nor
            is the key column; a target may hold a single class; any number of rows may be rejected; and nothing is
            looked for that would let a model look better than it is. Default: false.

    Returns:
        The report of a table that passed.

    Raises:
        DataError: The table cannot be used at all, or too many rows are bad; then the artifact, with every
            rejected row, is written before the error is raised.
        ArtifactError: `out` holds something else; or a part is missing, is there twice, was changed or is of another
            plan, config or folder of pictures.
    """
    source: Table = config.table if table is None else table
    root = image_root(config, source)
    planned = _read_plan(config, root, plan) if plan else None
    copy = None
    if planned is not None and isinstance(source, str) and planned.copied == source:
        copy = checked_file(plan, planned, TABLE_COPY)
    wanted, key = config.columns, []
    if scored:
        wanted, key = config.member_columns, [] if config.key is None else [config.key]
    opened = open_table(source, wanted, key, copy=copy)
    columns = [config.column_of(name) for name in config.pictured]
    reading = time_reading(opened, config) if config.split.time and not scored else None
    rows = RowPlan(
        PictureColumns(opened.schema, columns, None).schema,
        config,
        key=config.key if config.key in opened.schema else None,
        members={**config.features, **config.targets},
        split=not scored,
        time_reading=reading,
        weights=weights_of(config.targets),
    )
    looks = _looks(planned, parts) if planned is not None else None
    with new_artifact(out, ValidationReport) as directory:
        held = directory / EMBEDDED_PICTURES
        folder = PictureFolder(root, EmbeddedPictures(held))
        pictures = _pictures(config, folder, workers, looks)
        cleaning = _Cleaning(config, opened, rows, PictureColumns(opened.schema, columns, held), pictures, batch_rows)
        found = cleaning.write(directory)
        problems, warnings = _verdict(config, found, scored=scored)
        looks_on = not (problems or scored)
        findings = _findings(config, directory, folder, found.rows_clean, workers) if looks_on else []
        problems += refused(findings) if config.validate_.leakage == "fail" else []
        report = ValidationReport(
            made_from={"config": config.fingerprint(ValidationReport)},
            table=source if isinstance(source, str) else "DataFrame",
            image_root=root,
            rows_read=found.rows_read,
            rows_clean=found.rows_clean,
            rows_rejected=found.rejections.rows,
            rejections=found.rejections.summary(),
            columns=[
                found.columns[name].column_summary(name, role, member.kind) for role, name, member in _members(config)
            ],
            images=config.validate_.images,
            images_checked=cleaning.pictures.files,
            warnings=warnings,
            findings=findings,
            dated=reading is not None,
            passed=not problems,
        )
        report = close_artifact(directory, report, known=found.digests)
    say(f"{report.rows_clean:,} of {counted(report.rows_read, 'row')} clean, {report.rows_rejected:,} rejected")
    if report.rejections and not problems:
        tell_rejections(report.rejections, join(str(out), REJECTED_TABLE))
    for warning in warnings:
        say(f"warning: {warning}")
    if not problems:
        tell_findings(findings)
    if problems:
        hint = f"every rejected row is in {join(str(out), REJECTED_TABLE)}" if report.rows_rejected else ""
        raise DataError(
            [*problems, Problem("run-stopped", "nothing was fitted or trained", hint=hint)] if hint else problems
        )
    return report


def _findings(
    config: Config, directory: Path, pictures: PictureFolder, rows: int, workers: int | None
) -> list[Finding]:
    """What may let a model look better than it is; writes the duplicates."""
    table = ParquetTable(directory / CLEAN_TABLE, rows)
    same = duplicates(table, config, pictures, workers=workers or available_cpus())
    same.with_columns(pl.col("same").cast(pl.String)).write_parquet(directory / DUPLICATES_TABLE, compression="zstd")
    found = duplicate_findings(same, table, config)
    if config.split.column is not None:
        splits = table.scan().select(ROW, pl.col(SPLIT).cast(pl.Enum(SPLITS))).collect()
        found += crossing_findings(same, splits, table, config, moves=config.validate_.leakage == "move")
    return [*found, *giveaways(table, config)]


def plan(*, config: Config, partitions: int, out: str | Path, table: Table | None = None) -> PicturePlan:
    """Cut the pictures of a table into partitions of about the same bytes, to be looked at by several workers.

    Args:
        config: The configuration, with at least one image feature.
        partitions: Most partitions, at least 1.
        out: Where to write the plan.
        table: Replaces the config's table, as for `run`.

    Raises:
        DataError: The table cannot be used.
        ArtifactError: `out` holds something else.
    """
    source: Table = config.table if table is None else table
    root = image_root(config, source)
    images = config.pictured
    columns = [config.column_of(name) for name in images]
    with new_artifact(out, PicturePlan) as directory:
        copy = None
        if isinstance(source, str) and is_bigquery(source):
            copy = directory / TABLE_COPY
            with copy.open("wb") as file:
                copy_table(source, config.columns, (), file)
        opened = open_table(source, columns, copy=copy)
        outside = PictureColumns(opened.schema, columns, None)
        rows = RowPlan(outside.schema, config, key=None, members=images)
        names: set[bytes] = set()
        paths: list[str] = []
        with progress("list images", total=opened.rows, unit="rows") as advance:
            for part in opened.batches(_PICTURED_ROWS):
                batch = rows.computed(outside.placed(part))
                for name, path in new_paths([flat_paths(batch[name])[0] for name in images], names.__contains__):
                    names.add(name)
                    paths.append(path)
                advance(part.height)
        pl.DataFrame({"path": paths}, schema={"path": pl.String}).write_parquet(directory / PATHS_TABLE)
        sizes = np.fromiter(PictureFolder(root).sizes(paths), np.int64, len(paths))
        planned = PicturePlan(
            made_from={"config": config.fingerprint(ValidationReport)},
            partitions=balanced(sizes + _LOOK_BYTES, partitions),
            image_root=root,
            images=config.validate_.images,
            max_pixels=config.validate_.max_pixels,
            copied="" if copy is None else str(source),
        )
        planned = close_artifact(directory, planned)
    tell_plan(planned, "image")
    return planned


@opens(plan=Input(PicturePlan, (PATHS_TABLE,)))
def run_partition(
    *, config: Config, plan: str | Path, partition: str, out: str | Path, workers: int | None = None
) -> PicturePart:
    """Look at the pictures of one partition.

    Args:
        config: The configuration that the plan was made with.
        plan: The artifact of `plan`.
        partition: Its name there.
        out: Where to write the artifact.
        workers: Threads. Default: the processors at hand.

    Raises:
        ArtifactError: The plan is damaged or of another config, there is no such partition, or `out` holds something
            else.
    """
    planned = _read_plan(config, PicturePlan.read(plan).image_root, plan)
    own = planned.partition(partition)
    table = checked_file(plan, planned, PATHS_TABLE)
    paths = pl.read_parquet(table)["path"][own.start : own.end]
    pictures = _pictures(config, PictureFolder(planned.image_root), workers)
    with new_artifact(out, PicturePart) as directory:
        looks: list[Look] = []
        with progress("check images", total=len(paths), unit="images") as advance:
            for look in pictures.looks(paths):
                looks.append(look)
                advance(1, size=0 if isinstance(look.found, PictureError) else look.found.size)
        looks_table(looks).write_parquet(directory / PICTURES_TABLE)
        part = PicturePart(
            made_from={**planned.made_from, "plan": planned.fingerprint()},
            partition=own,
            pictures=len(looks),
        )
        part = close_artifact(directory, part)
    faulty = sum(isinstance(look.found, PictureError) for look in looks)
    say(f"{counted(len(looks), 'picture')} of partition {partition}, {faulty:,} unusable")
    return part


def _read_plan(config: Config, root: str, place: str | Path) -> PicturePlan:
    """A plan, if it is one for this config and folder of pictures."""
    planned = PicturePlan.read(place)
    require_config(config, planned, place)
    section = config.validate_
    if (planned.image_root, planned.images, planned.max_pixels) != (root, section.images, section.max_pixels):
        raise ArtifactError(
            "plan-mismatch",
            f"is for pictures in {planned.image_root} checked by {planned.images} up to {planned.max_pixels:,} pixels, "
            f"not for those in {root} checked by {section.images} up to {section.max_pixels:,}",
            where=str(place),
            hint="make the plan again",
        )
    return planned


def _looks(plan: PicturePlan, parts: Sequence[str | Path]) -> Iterator[Look]:
    """What the workers of a plan found out, in its order; every part is checked before the first is given."""
    found = PicturePart.all_of(plan, parts)
    for directory, part in found:
        checked_file(directory, part, PICTURES_TABLE)
        if part.pictures != part.partition.end - part.partition.start:
            what = f"looked at {counted(part.pictures, 'picture')} of {part.partition.end - part.partition.start:,}"
            raise ArtifactError("partition-mismatch", what, where=str(directory), hint=_AGAIN)
    return (look for directory, _ in found for look in looks_of(pl.read_parquet(directory / PICTURES_TABLE)))


def _pictures(
    config: Config, folder: PictureFolder, workers: int | None, looks: Iterator[Look] | None = None
) -> Pictures:
    return Pictures(
        folder,
        max_pixels=config.validate_.max_pixels,
        decode=config.validate_.images == "decode",
        workers=workers or available_cpus(),
        looks=looks,
    )


def image_root(config: Config, table: Table) -> str:
    """The folder or remote prefix that image paths are relative to."""
    folder = folder_of(table) if isinstance(table, str) else str(Path.cwd())
    root = config.image_root or "."
    check_scheme(root)
    return join(folder, root)


def read_features(table: OpenTable, config: Config, held: Path) -> pl.DataFrame:
    """A table that is to be predicted, for `clean_features`, the pictures that it holds as places in a file.

    Args:
        table: The table.
        config: The configuration of the model.
        held: The file to write, if there are such pictures.

    Raises:
        DataError: The table cannot be parsed.
    """
    columns = PictureColumns(table.schema, [config.column_of(name) for name in config.pictured], held)
    return pl.concat(map(columns.placed, table.batches(_PICTURED_ROWS))) if columns else table.frame()


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
    key = config.key if config.key in frame.columns else None
    plan = RowPlan(frame.schema, config, key=key, members=config.features)
    batch = plan.computed(frame)
    if key is None:
        return plan.rows(batch, 0)
    hashes = KeyHashes(batch.height)
    hashes.add(batch[KEY_HASH])
    return plan.rows(batch, 0, RepeatedKeys(hashes.suspects()).repeated(batch[KEY], batch[KEY_HASH]))


@dataclass
class _Found:
    """What one pass over a table found."""

    columns: dict[str, Summary]
    rejections: RejectionCounts
    keys: KeyHashes
    digests: dict[str, FileDigest] = field(default_factory=dict)
    rows_read: int = 0
    rows_clean: int = 0


class _Cleaning:
    """Streams a table into the clean table and the rejected cells."""

    def __init__(
        self,
        config: Config,
        table: OpenTable,
        plan: RowPlan,
        held: PictureColumns,
        pictures: Pictures,
        batch_rows: int | None,
    ) -> None:
        self.pictures = pictures
        self._config = config
        self._table = table
        self._plan = plan
        self._held = held
        self._images = config.pictured
        self._note = ""
        self._batch_rows = batch_rows or (_PICTURED_ROWS if self._images else ROW_GROUP)

    def write(self, directory: Path) -> _Found:
        """Write both tables; again if keys seem to repeat, since only then their rows can be found."""
        found = self._pass(directory, np.empty(0, np.uint64))
        suspects = found.keys.suspects()
        if len(suspects):
            say("some keys occur more than once: reading again to find where")
            found = self._pass(directory, suspects)
        return found

    def _pass(self, directory: Path, suspects: Hashes) -> _Found:
        tables = {name: table_of(member) for _, name, member in _members(self._config)}
        columns = {name: table.summary() for name, table in tables.items()}
        found = _Found(columns, RejectionCounts(), KeyHashes(self._table.rows if self._plan.keyed else 0))
        label = "check images" if self._images else "check rows"
        words = [name for name, table in tables.items() if table.repeats]
        for name, feature in self._images.items():
            facts = f"{picture_column(name)}{'.list.element' if feature.SEVERAL else ''}"
            words += [f"{facts}.format", f"{facts}.mode"]
        with (
            TableWriter(directory / CLEAN_TABLE, words=[*words, SPLIT, GROUP], counting=[ROW]) as clean_file,
            TableWriter(directory / REJECTED_TABLE, words=["column", "reason", "detail"]) as rejected_file,
            progress(label, total=self._table.rows, unit="rows") as advance,
        ):
            rejected_file.write(self._table.located(pl.DataFrame(schema=SCHEMA)))
            for rows, rejected in self._with_pictures(one_ahead(self._rows(found, RepeatedKeys(suspects))), advance):
                cells = self._table.located(rejected.frame())
                keep = rows.filter(~pl.col(ROW).is_in(rejected.rows)) if rejected.rows else rows
                clean_file.write(self._with_facts(keep))
                rejected_file.write(cells)
                found.rejections.add(cells)
                found.rows_read += rows.height
                found.rows_clean += keep.height
                for name, column in columns.items():
                    column.add(keep[name])
                advance(rows.height, self._note)
        found.digests = {CLEAN_TABLE: clean_file.digest, REJECTED_TABLE: rejected_file.digest}
        return found

    def _rows(self, found: _Found, keys: RepeatedKeys) -> Iterator[tuple[pl.DataFrame, Rejected]]:
        first = 0
        for part in self._table.batches(self._batch_rows):
            batch = self._plan.computed(self._held.placed(part))
            repeated = None
            if self._plan.keyed:
                found.keys.add(batch[KEY_HASH])
                repeated = keys.repeated(batch[KEY], batch[KEY_HASH])
            yield self._plan.rows(batch, first, repeated)
            first += batch.height

    def _with_pictures(
        self, parts: Iterable[tuple[pl.DataFrame, Rejected]], advance: Advance
    ) -> Iterator[tuple[pl.DataFrame, Rejected]]:
        """The same parts, with the pictures that cannot be used among the rejected cells; those masked are null."""
        if not self._images:
            yield from parts
            return
        started, shown = time.monotonic(), 0
        named = ((part, [flat_paths(part[0][name])[0] for name in self._images]) for part in parts)
        for part in self.pictures.looked_at(named):
            if part is None:
                rate = self.pictures.files / max(time.monotonic() - started, 1e-9)
                self._note = f"{rate:,.0f} images/s"
                advance(0, self._note, size=self.pictures.bytes - shown)
                shown = self.pictures.bytes
                continue
            rows, rejected = part
            for name, feature in self._images.items():
                masked: list[int] = []
                paths, owners = flat_paths(rows[name])
                for place, error in self.pictures.faults(paths):
                    row, key = rows.select(ROW, KEY).row(int(owners[place]))
                    path = paths[place]
                    reason = error.reason
                    if feature.masks(reason):
                        masked.append(place)
                        reason = f"{MASKED}{reason}"
                    rejected.add_cell(row, key, self._config.column_of(name), reason, path, error.detail)
                if masked:
                    kept = np.delete(np.arange(len(paths)), masked)
                    rows = rows.with_columns(regrouped(paths.gather(kept), owners[kept], rows[name]))
            yield rows, rejected

    def _with_facts(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Rows whose pictures are all fine, with what was found out about them beside each path."""
        columns = []
        for column in rows:
            columns.append(column)
            if column.name in self._images:
                paths, owners = flat_paths(column)
                facts = regrouped(self.pictures.facts(paths), owners, column)
                columns.append(facts.alias(picture_column(column.name)))
        return pl.DataFrame(columns)


def _verdict(config: Config, found: _Found, *, scored: bool) -> tuple[list[Problem], list[str]]:
    """What stops the run, and what deserves attention.

    Once too many rows are rejected the rest of the table says little, so only the rejections are reported.
    """
    rejections = found.rejections
    if scored:
        empty = Problem("no-clean-rows", "no row can be used", where="the table")
        return [] if found.rows_clean else [empty], []
    stops = too_many(config.validate_, rejections.summary(), rejected=rejections.rows, rows=found.rows_read)
    if stops:
        return stops, []
    problems: list[Problem] = []
    warnings: list[str] = []
    for name in config.targets:
        problem = found.columns[name].problem(name, found.rows_clean)
        problems += [problem] if problem else []
        warnings += found.columns[name].warnings(name)
    for name in config.features:
        conflict = found.columns[name].conflict(f"feature '{name}'")
        problems += [conflict] if conflict else []
        if found.columns[name].missing == found.rows_clean:
            warnings.append(f"feature '{name}' has no value in any row")
    return problems, warnings


def _members(config: Config) -> Iterator[tuple[str, str, Feature | Target]]:
    """Every feature and target: its role, its name and its configuration."""
    yield from (("feature", name, feature) for name, feature in config.features.items())
    yield from (("target", name, target) for name, target in config.targets.items())
