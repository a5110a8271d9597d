"""The shard step: every clean row into one example, pictures included, packed into TFRecord files."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path, PurePosixPath
from typing import NamedTuple, TypeVar

import numpy as np
import polars as pl

from polyhead import __version__
from polyhead.contracts.artifact import require_same
from polyhead.contracts.config import Config, require_config
from polyhead.contracts.preprocessing import SPLITS_TABLE, Preprocessing
from polyhead.contracts.shards import (
    PICTURE_INDEX,
    TIMINGS,
    PlannedShard,
    Shard,
    ShardManifest,
    ShardPart,
    ShardPlan,
    ShardTimings,
)
from polyhead.contracts.splits import SPLITS
from polyhead.contracts.validation import (
    CLEAN_TABLE,
    EMBEDDED_PICTURES,
    KEY,
    REJECTED_TABLE,
    ROW,
    SPLIT,
    ValidationReport,
    picture_column,
    weight_column,
)
from polyhead.errors import DataError, Problem, counted
from polyhead.examples.kept import KeptPictures, write_picture_index
from polyhead.examples.rows import RowEncoder
from polyhead.fan_out import ROW_BYTES, balanced, tell_plan
from polyhead.kinds.base import weights_of
from polyhead.kinds.features.image.config import PictureStatistics, pictured
from polyhead.pictures.folder import PictureFolder
from polyhead.progress import progress, say
from polyhead.shard.merging import Parts
from polyhead.shard.order import RowOrder
from polyhead.shard.writing import ShardWriter, rows_per_shard
from polyhead.storage.artifact import checked_file, close_artifact, new_artifact
from polyhead.storage.objects import delete_object, stat, write_whole
from polyhead.storage.opened import Input, opens
from polyhead.storage.parallel import available_cpus
from polyhead.storage.places import beside, join
from polyhead.tables.clean import open_clean
from polyhead.tables.rejected import RejectionCounts, rows_aside, tell_rejections, too_many
from polyhead.tables.writing import parquet_bytes

Sharded = TypeVar("Sharded", ShardManifest, ShardPart)


@opens(
    data=Input(ValidationReport, (CLEAN_TABLE, EMBEDDED_PICTURES)), preprocessing=Input(Preprocessing, (SPLITS_TABLE,))
)
def run(
    *,
    config: Config,
    data: str | Path,
    preprocessing: str | Path,
    out: str | Path,
    reuse: str | Path = "",
    workers: int | None = None,
    scored: bool = False,
) -> ShardManifest:
    """Write the shards.

    Rows lie in the order of a hash of their key, so any shard is a fair sample of its split, and files are the
    same bytes whatever the order of the table or the number of workers. A step that was killed resumes with the
    shards that it had finished when it is called again with the same input and `out`, on the same machine if `out` is
    remote. A picture that earlier shards hold is copied from there instead of being decoded again, if its file's
    content and all that decides its pixels are the same.

    Args:
        config: The configuration of the earlier steps.
        data: The artifact of `validate`.
        preprocessing: The artifact of `preprocess`.
        out: Where to write the artifact; see `polyhead.contracts.shards` for its files.
        reuse: Shards of an earlier table, or of this one before it was changed, to copy unchanged pictures from.
            Default: what is at `out`.
        workers: Threads that decode and resize. Default: the processors at hand.
        scored: Whether the rows are other ones than those that `preprocessing` was fitted on, to score a trained model:
            all of them are test rows then, and any number may be rejected. Default: false.

    Raises:
        ArtifactError: The artifacts do not belong together, or `out` holds something else.
        DataError: More rows were rejected, those of `validate` counted, than the config allows. The finished shards
            are kept for the next call, and the rejected rows are beside `out`, in `<out>.rejected.parquet`.
    """
    if scored:
        anything_goes = config.validate_.model_copy(update={"max_rejected": 1.0, "on_bad_row": "reject"})
        config = config.model_copy(update={"validate_": anything_goes})
    rows = _Rows(config, data, preprocessing, scored=scored)
    with new_artifact(out, ShardManifest, resume=rows.fingerprint()) as directory:
        writer = rows.write(rows.order.shards, directory, workers, reuse=reuse, former=out)
        joined = _Joined(writer.shards, writer.indexes, writer.rejected.frame(), writer.timings())
        manifest = _finish(config, rows.clean.report, rows.fitted, joined, directory, out, scored=scored)
    if writer.resumed:
        say(f"{writer.resumed} of {counted(len(manifest.shards), 'shard')} finished by an earlier attempt")
    _tell(manifest, joined, out)
    return manifest


@opens(data=Input(ValidationReport, (CLEAN_TABLE,)), preprocessing=Input(Preprocessing, (SPLITS_TABLE,)))
def plan(*, config: Config, data: str | Path, preprocessing: str | Path, partitions: int, out: str | Path) -> ShardPlan:
    """Cut the work into partitions of about the same bytes of pictures.

    Args:
        config: The configuration of the earlier steps.
        data: The artifact of `validate`.
        preprocessing: The artifact of `preprocess`.
        partitions: Most partitions, at least 1.
        out: Where to write the plan.

    Raises:
        ArtifactError: The artifacts do not belong together, or `out` holds something else.
    """
    rows = _Rows(config, data, preprocessing)
    pictures = [_picture_bytes(name, several=config.features[name].SEVERAL) for name in rows.images]
    size = pl.sum_horizontal(pl.repeat(ROW_BYTES, pl.len()), *pictures)
    with new_artifact(out, ShardPlan) as directory:
        read = [rows.clean.read(part, size) for part in rows.clean.parts()]
        sizes = pl.concat(read).to_series().to_numpy() if read else np.empty(0, np.int64)
        planned = ShardPlan(
            made_from=rows.made_from(),
            partitions=balanced(rows.order.in_order(sizes.astype(np.int64)), partitions),
            shards=rows.order.shards,
        )
        planned = close_artifact(directory, planned)
    tell_plan(planned, "row")
    return planned


@opens(
    data=Input(ValidationReport, (CLEAN_TABLE, EMBEDDED_PICTURES)),
    preprocessing=Input(Preprocessing, (SPLITS_TABLE,)),
    plan=Input(ShardPlan),
)
def run_partition(
    *,
    config: Config,
    data: str | Path,
    preprocessing: str | Path,
    plan: str | Path,
    partition: str,
    out: str | Path,
    reuse: str | Path = "",
    workers: int | None = None,
) -> ShardPart:
    """Write the rows of one partition. A killed partition resumes like a killed step.

    Args:
        config: The configuration of the earlier steps.
        data: The artifact of `validate`.
        preprocessing: The artifact of `preprocess`.
        plan: The artifact of `plan`.
        partition: Its name there.
        out: Where to write the artifact.
        reuse: Earlier shards to copy unchanged pictures from. Default: none.
        workers: Threads that decode and resize. Default: the processors at hand.

    Raises:
        ArtifactError: The artifacts do not belong together, there is no such partition, or `out` holds something
            else.
    """
    rows = _Rows(config, data, preprocessing)
    planned = ShardPlan.read(plan)
    for name, made_from in rows.made_from().items():
        require_same(name, planned.made_from[name], made_from, maker=str(plan), user=str(preprocessing))
    own = planned.partition(partition)
    with new_artifact(out, ShardPart, resume=f"{rows.fingerprint()} {planned.fingerprint()} {partition}") as directory:
        writer = rows.write(planned.shards_of(own), directory, workers, reuse=reuse)
        writer.rejected.frame().write_parquet(directory / REJECTED_TABLE, compression="zstd")
        part = ShardPart(
            made_from={"plan": planned.fingerprint(), **rows.made_from()},
            partition=own,
            shards=writer.shards,
            rows_rejected=len(writer.rejected.rows),
        )
        write_picture_index(directory, writer.indexes)
        part = _close(directory, part, writer.shards, writer.timings())
    kept = sum(shard.rows for shard in part.shards)
    say(f"{counted(kept, 'row')} of partition {partition}, {part.rows_rejected:,} rejected")
    return part


@opens(
    data=Input(ValidationReport, ()),
    preprocessing=Input(Preprocessing, ()),
    plan=Input(ShardPlan),
    parts=Input(ShardPart),
)
def merge(
    *,
    config: Config,
    data: str | Path,
    preprocessing: str | Path,
    plan: str | Path,
    parts: Sequence[str | Path],
    out: str | Path,
) -> ShardManifest:
    """Join the parts of all partitions into the artifact that `run` writes, byte for byte.

    Args:
        config: The configuration of the earlier steps.
        data: The artifact of `validate`.
        preprocessing: The artifact of `preprocess`.
        plan: The artifact of `plan`.
        parts: The artifacts of `run_partition`, in any order.
        out: Where to write the artifact.

    Raises:
        ArtifactError: The artifacts do not belong together; a partition is missing or given twice; a part was
            changed, or does not hold each of its rows once; or `out` holds something else.
        DataError: More rows were rejected, those of `validate` counted, than the config allows; as for `run`.
    """
    report, fitted, planned = ValidationReport.read(data), Preprocessing.read(preprocessing), ShardPlan.read(plan)
    fingerprint = planned.made_from["preprocessing"]
    require_same("preprocessing", fingerprint, fitted.fingerprint(), maker=str(plan), user=str(preprocessing))
    require_config(config, fitted, preprocessing)
    found = Parts(ShardPart.all_of(planned, parts), planned)
    with new_artifact(out, ShardManifest) as directory:
        with progress("join", total=planned.partitions[-1].end, unit="rows") as advance:
            shards = found.write(directory, advance)
        joined = _Joined(shards, found.pictures(), found.rejected(), found.timings())
        manifest = _finish(config, report, fitted, joined, directory, out)
    _tell(manifest, joined, out)
    return manifest


class _Rows:
    """The clean rows, and all that decides what becomes of them."""

    def __init__(self, config: Config, data: str | Path, preprocessing: str | Path, *, scored: bool = False) -> None:
        self.clean = open_clean(data)
        self.fitted = Preprocessing.read(preprocessing)
        if not scored:
            validation, given = self.fitted.made_from["validation"], self.clean.report.clean_digest
            require_same("validation", validation, given, maker=str(preprocessing), user=str(data))
        require_config(config, self.fitted, preprocessing)
        self.images = _images(self.fitted)
        if scored:
            splits = self.clean.scan().select(ROW, KEY, pl.lit("test").alias(SPLIT)).collect()
        else:
            splits = pl.read_parquet(checked_file(preprocessing, self.fitted, SPLITS_TABLE))
        self.order = RowOrder(splits, rows_per_shard(config))
        self._config = config
        self._data = data

    def made_from(self) -> dict[str, str]:
        """Fingerprints of what the rows come from."""
        return _made_from(self.fitted, self.clean.report)

    def fingerprint(self) -> str:
        """SHA-256 of all that decides the shards' bytes, except the pictures' content."""
        decides = (
            self.fitted.fingerprint(),
            self.clean.report.fingerprint(),
            self._config.fingerprint(ShardManifest),
            self._config.shard.model_dump_json(),
            self._config.validate_.max_pixels,
            __version__,
        )
        return hashlib.sha256(repr(decides).encode()).hexdigest()

    def write(
        self,
        shards: list[PlannedShard],
        directory: Path,
        workers: int | None,
        *,
        reuse: str | Path,
        former: str | Path = "",
    ) -> ShardWriter:
        """Write neighbouring shards, the outer ones whole or cut, as far as they are not finished.

        Args:
            shards: Which.
            directory: Where to write the files.
            workers: Threads that decode and resize. None for the processors at hand.
            reuse: Earlier shards, as the user named them.
            former: What is used where the user named none, if it is there.
        """
        config = self._config
        place = reuse or former
        with KeptPictures.of(place) if place else nullcontext() as kept:
            if reuse and kept is None:
                say(f"warning: {reuse} has no usable shards: every picture is decoded")
            report, limit = self.clean.report, config.validate_.max_pixels
            folder = PictureFolder.of(report.image_root, report, self._data)
            encoder = RowEncoder(
                self.fitted, folder, max_pixels=limit, targets=True, kept=None if kept is None else kept.get
            )
            writer = ShardWriter(config, encoder, directory, workers or available_cpus())
            total = shards[-1].end - shards[0].start if shards else 0
            with progress("shard", total=total, unit="rows") as advance:
                weights = map(weight_column, weights_of(config.targets))
                columns = [ROW, KEY, *config.features, *config.targets, *map(picture_column, self.images), *weights]
                parts = (self.clean.read(part, *columns) for part in self.clean.parts())
                writer.write(self.order.spool(parts, directory, shards), advance)
        return writer


class _Joined(NamedTuple):
    """All shards of a table, and what is known of them."""

    shards: list[Shard]
    indexes: list[pl.DataFrame]
    rejected: pl.DataFrame
    timings: ShardTimings


def _finish(
    config: Config,
    report: ValidationReport,
    fitted: Preprocessing,
    joined: _Joined,
    directory: Path,
    out: str | Path,
    *,
    scored: bool = False,
) -> ShardManifest:
    """Make an artifact of a directory that holds every shard.

    Raises:
        DataError: Too many rows were rejected.
    """
    left_out, before = (0, []) if scored else (fitted.rows_rejected, fitted.rejections)
    rejections = RejectionCounts()
    rejections.include(report.rejections)
    rejections.add(joined.rejected)
    aside = beside(str(out), f"{PurePosixPath(out).name}.{REJECTED_TABLE}")
    _check_rejected(config, report, joined.rejected, rejections, aside)
    rejections.include([*before, *rejections.summary()])
    joined.rejected.write_parquet(directory / REJECTED_TABLE, compression="zstd")
    manifest = ShardManifest(
        made_from=_made_from(fitted, report),
        shards=joined.shards,
        rows={split: sum(shard.rows for shard in joined.shards if shard.split == split) for split in SPLITS},
        rows_read=report.rows_read,
        rows_rejected=report.rows_rejected + left_out + rejections.rows,
        rejections=rejections.summary(),
        pictures=_images(fitted),
        warnings=report.warnings if scored else fitted.warnings,
    )
    write_picture_index(directory, joined.indexes)
    return _close(directory, manifest, joined.shards, joined.timings)


def _close(directory: Path, contract: Sharded, shards: list[Shard], timings: ShardTimings) -> Sharded:
    """Write the timings, remove shards that have no row any more, and write the contract."""
    (directory / TIMINGS).write_text(timings.model_dump_json(indent=2) + "\n", encoding="utf-8")
    belongs = {REJECTED_TABLE, PICTURE_INDEX, TIMINGS, *(shard.path for shard in shards)}
    for path in directory.iterdir():
        if path.name not in belongs and not path.name.startswith("."):
            path.unlink()
    return close_artifact(directory, contract, known={shard.path: shard.digest for shard in shards})


def _made_from(fitted: Preprocessing, report: ValidationReport) -> dict[str, str]:
    return {**fitted.made_from, "validation": report.clean_digest, "preprocessing": fitted.fingerprint()}


def _images(fitted: Preprocessing) -> dict[str, PictureStatistics]:
    return {name: of for name, (_, of) in pictured(fitted.features, fitted.feature_statistics).items()}


def _picture_bytes(name: str, *, several: bool) -> pl.Expr:
    """The bytes of each row's picture files, of one feature."""
    facts = pl.col(picture_column(name))
    sizes = facts.list.eval(pl.element().struct.field("size")).list.sum() if several else facts.struct.field("size")
    return sizes.fill_null(0)


def _tell(manifest: ShardManifest, joined: _Joined, out: str | Path) -> None:
    size = sum(shard.bytes for shard in manifest.shards) / 2**20
    rows = sum(manifest.rows.values())
    say(f"{counted(rows, 'row')} in {counted(len(manifest.shards), 'shard')}, {size:,.1f} MiB")
    if joined.timings.kept:
        kept = counted(joined.timings.kept, "picture")
        say(f"{kept} copied from earlier shards, {joined.timings.decoded:,} decoded")
    rejected = rows_aside(joined.rejected)
    if rejected:
        say(f"warning: {counted(rejected, 'row')} rejected since validation")
    if joined.rejected.height:
        counts = RejectionCounts()
        counts.add(joined.rejected)
        tell_rejections(counts.summary(), join(str(out), REJECTED_TABLE))


def _check_rejected(
    config: Config, report: ValidationReport, cells: pl.DataFrame, rejections: RejectionCounts, place: str
) -> None:
    """Stop where validation, had it seen what was found since, would have stopped.

    Raises:
        DataError: The rejected cells are then at `place`.
    """
    former = stat(place)
    if former is not None:
        delete_object(place, former.version)
    if not rejections.rows:
        return
    rows = report.rows_rejected + rejections.rows
    stops = too_many(config.validate_, rejections.summary(), rejected=rows, rows=report.rows_read)
    if stops:
        write_whole(place, parquet_bytes(cells))
        hint = f"every row rejected since validation is in {place}; the finished shards are kept"
        raise DataError([*stops, Problem("run-stopped", "nothing was trained", hint=hint)])
