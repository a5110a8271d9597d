"""The shard step: every clean row into one example, pictures included, packed into TFRecord files."""

from __future__ import annotations

import hashlib
import itertools
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Self

import polars as pl

from polyhead import __version__
from polyhead.contracts.artifact import Record, require_same
from polyhead.contracts.config import SPLITS, Config, require_config
from polyhead.contracts.features import ImageFeature
from polyhead.contracts.preprocessing import SPLITS_TABLE, ImageStatistics, Preprocessing
from polyhead.contracts.shards import PICTURE_INDEX, TIMINGS, Shard, ShardManifest, ShardTimings
from polyhead.contracts.validation import KEY, REJECTED_TABLE, ROW, Rejection, ValidationReport, picture_column
from polyhead.errors import ArtifactError, DataError, Problem
from polyhead.progress import Advance, progress, say
from polyhead.shard.kept import KeptPictures, PicturePlace, picture_index, write_picture_index
from polyhead.shard.order import PlannedShard, RowOrder, Spool
from polyhead.shard.rows import EncodedRow, RowEncoder, RowError
from polyhead.shard.tfrecord import HEADER, frame
from polyhead.shard.timing import Stopwatch
from polyhead.storage.artifact import new_artifact, sha256_of, write_whole
from polyhead.storage.clean import open_clean
from polyhead.storage.parallel import available_cpus, ordered_map
from polyhead.storage.pictures import PictureFolder
from polyhead.storage.rejected import Cell, Rejected, RejectionCounts, too_many
from polyhead.storage.tables import parquet_bytes

_ROW_BYTES = 256
_NOTE = ".finished.json"
_STORED_SHARE = {"raw": 1.0, "png": 0.6, "jpeg": 0.25}
_PART_ROWS = 16_384
_TASK_BYTES, _TASK_ROWS = 2**19, 512
"""What a thread is handed at a time, about: enough that handing over costs nothing beside the work."""


def run(
    *,
    config: Config,
    data: str | Path,
    preprocessing: str | Path,
    out: str | Path,
    reuse: str | Path = "",
    workers: int | None = None,
) -> ShardManifest:
    """Write the shards.

    Rows lie in the order of a hash of their key, so any shard is a fair sample of its split, and files are the
    same bytes whatever the order of the table or the number of workers. A step that was killed goes on with the
    shards that it had finished when it is called again with the same input and `out`. A picture that earlier shards
    hold is copied from there instead of being decoded again, if its file's content and all that decides its pixels
    are the same.

    Args:
        config: The configuration of the earlier steps.
        data: The artifact of `validate`.
        preprocessing: The artifact of `preprocess`.
        out: Where the artifact shall stand; see `polyhead.contracts.shards` for its files.
        reuse: Shards of an earlier table, or of this one before it was changed, to copy unchanged pictures from.
            Default: what stands at `out`.
        workers: Threads that decode and resize. Default: the processors at hand.

    Raises:
        ArtifactError: The artifacts do not belong together, or `out` holds something else.
        DataError: More rows were rejected, those of `validate` counted, than the config allows. The finished shards
            are kept for the next call, and the rejected rows stand beside `out`, in `<out>.rejected.parquet`.
    """
    clean = open_clean(data)
    report = clean.report
    fitted = Preprocessing.read(preprocessing)
    require_same(
        "validation", fitted.made_from["validation"], report.clean_sha256, maker=str(preprocessing), user=str(data)
    )
    require_config(config, fitted, preprocessing)
    images = {name: of for name, of in fitted.feature_statistics.items() if isinstance(of, ImageStatistics)}
    order = RowOrder(_splits(Path(preprocessing), fitted), _rows_per_shard(config))
    out = Path(out)
    with (
        new_artifact(out, ShardManifest, resume=_fingerprint(config, report, fitted)) as directory,
        KeptPictures.of(reuse or out) as kept,
    ):
        if reuse and kept is None:
            say(f"warning: {reuse} holds no shards that can be used: every picture is decoded")
        folder, limit = PictureFolder(report.image_root), config.validate_.max_pixels
        encoder = RowEncoder(fitted, folder, max_pixels=limit, targets=True, kept=kept)
        writer = _Writer(config, encoder, directory, workers or available_cpus())
        with progress("shard", total=clean.rows, unit="rows") as advance:
            columns = [ROW, KEY, *config.features, *config.targets, *map(picture_column, images)]
            parts = (clean.read(part, *columns) for part in clean.parts(_PART_ROWS))
            writer.write(order.spool(parts, directory), advance)
        rejected = writer.rejected
        rejections = RejectionCounts()
        rejections.include(report.rejections)
        rejections.add(rejected.frame())
        told = out.with_name(f"{out.name}.{REJECTED_TABLE}")
        _check_rejected(config, report, rejected, rejections.summary(), told)
        rejected.frame().write_parquet(directory / REJECTED_TABLE, compression="zstd")
        shards = writer.shards
        manifest = ShardManifest(
            made_from={**fitted.made_from, "preprocessing": fitted.fingerprint()},
            shards=shards,
            rows={split: sum(shard.rows for shard in shards if shard.split == split) for split in SPLITS},
            rows_read=report.rows_read,
            rows_rejected=report.rows_rejected + len(rejected.rows),
            rejections=rejections.summary(),
            pictures=images,
            pictures_sha256=write_picture_index(directory, writer.indexes),
            warnings=fitted.warnings,
        )
        timings = writer.timings()
        (directory / TIMINGS).write_text(timings.model_dump_json(indent=2) + "\n", encoding="utf-8")
        belongs = {REJECTED_TABLE, PICTURE_INDEX, TIMINGS, *(shard.path for shard in shards)}
        for path in directory.iterdir():
            if path.name not in belongs:
                path.unlink()
        manifest.write(directory)
    if writer.resumed:
        say(f"{writer.resumed} of {len(shards)} shards were finished by an earlier attempt")
    size = sum(shard.bytes for shard in shards) / 2**20
    say(f"{sum(manifest.rows.values()):,} rows in {len(shards)} shards, {size:,.1f} MiB")
    _tell_pictures(manifest, timings)
    if rejected.rows:
        say(f"warning: {len(rejected.rows):,} rows rejected since validation, see {out / REJECTED_TABLE}")
    return manifest


def _tell_pictures(manifest: ShardManifest, timings: ShardTimings) -> None:
    if timings.kept:
        say(f"{timings.kept:,} pictures were copied from earlier shards, {timings.decoded:,} decoded")
    busy = sum(timings.seconds.values())
    if timings.decoded and busy:
        shares = ", ".join(f"{stage} {seconds / busy:.0%}" for stage, seconds in timings.seconds.items())
        say(f"time of {timings.workers} threads and the writer: {shares}")
    for name, statistics in manifest.pictures.items():
        if statistics.quality is not None:
            decoded = "scaled while decoding" if statistics.decode == "scaled" else "decoded at full size"
            say(f"{name}: {decoded}, median {statistics.quality.median:.1f} dB against a full-size reference")


def _fingerprint(config: Config, report: ValidationReport, fitted: Preprocessing) -> str:
    """SHA-256 of all that decides the shards' bytes, the pictures' content apart."""
    decides = (
        fitted.fingerprint(),
        report.fingerprint(),
        config.data_fingerprint(),
        config.shard.model_dump_json(),
        config.validate_.max_pixels,
        __version__,
    )
    return hashlib.sha256(repr(decides).encode()).hexdigest()


def _splits(directory: Path, fitted: Preprocessing) -> pl.DataFrame:
    path = directory / SPLITS_TABLE
    if not path.is_file() or sha256_of(path) != fitted.splits_sha256:
        raise ArtifactError("is missing or was changed", where=str(path), hint="run polyhead preprocess again")
    return pl.read_parquet(path)


def _rows_per_shard(config: Config) -> int:
    return max(1, config.shard.megabytes * 2**20 // _estimated_bytes(config))


def _estimated_bytes(config: Config) -> int:
    """Bytes of one row, about: what a shard's number of rows is reckoned from, so it does not depend on the data."""
    pictures = sum(
        feature.size[0] * feature.size[1] * 3 * _STORED_SHARE[feature.store]
        for feature in config.features_of(ImageFeature).values()
    )
    return int(pictures) + _ROW_BYTES


def _check_rejected(
    config: Config, report: ValidationReport, rejected: Rejected, rejections: list[Rejection], place: Path
) -> None:
    """Stop where validation, had it seen what was found since, would have stopped.

    Raises:
        DataError: The rejected rows then stand at `place`.
    """
    place.unlink(missing_ok=True)
    rows = report.rows_rejected + len(rejected.rows)
    stops = too_many(config.validate_, rejections, rejected=rows, rows=report.rows_read) if rejected.rows else []
    if stops:
        write_whole(place, parquet_bytes(rejected.frame()))
        hint = f"every row rejected since validation stands in {place}; the finished shards are kept"
        raise DataError([*stops, Problem("nothing was trained", hint=hint)])


class _Task(NamedTuple):
    """Some neighbouring rows of one shard; none where an earlier attempt has finished it."""

    shard: PlannedShard
    rows: pl.DataFrame
    finished: _Finished | None
    ends_shard: bool


@dataclass
class _Encoded:
    """What became of a task: framed records with the pictures that they hold, and the rows that cannot be records."""

    task: _Task
    records: list[bytes] = field(default_factory=list)
    pictures: list[list[PicturePlace]] = field(default_factory=list)
    rejected: list[Cell] = field(default_factory=list)
    clock: Stopwatch = field(default_factory=Stopwatch)
    decoded: int = 0
    kept: int = 0
    bytes_read: int = 0


class _Writer:
    """Writes the shards of one artifact.

    Attributes:
        shards: Every shard, in order.
        indexes: The pictures of each.
        rejected: The rows that are in none.
        resumed: Shards that an earlier attempt had finished.
    """

    def __init__(self, config: Config, encoder: RowEncoder, directory: Path, workers: int) -> None:
        self.shards: list[Shard] = []
        self.indexes: list[pl.DataFrame] = []
        self.rejected = Rejected()
        self.resumed = 0
        self._config = config
        self._encoder = encoder
        self._directory = directory
        self._workers = workers
        self._clock = Stopwatch()
        self._counts = Counter[str]()
        self._seconds = 0.0

    def write(self, spool: Spool, advance: Advance) -> None:
        """Write every shard that is not finished."""
        started = time.perf_counter()
        open_shard: _OpenShard | None = None
        try:
            for encoded in ordered_map(self._encode, self._tasks(spool), workers=self._workers):
                task = encoded.task
                if task.finished is not None:
                    self.resumed += 1
                    self._finish(task.finished)
                    advance(task.shard.end - task.shard.start)
                    continue
                open_shard = open_shard or _OpenShard(self._directory, task.shard)
                self._clock.start()
                open_shard.write(encoded)
                self._clock.lap("write")
                self._count(encoded)
                advance(task.rows.height, size=encoded.bytes_read)
                if task.ends_shard:
                    self._finish(open_shard.finish())
                    open_shard = None
        finally:
            if open_shard is not None:
                open_shard.close()
            self._seconds = time.perf_counter() - started

    def _count(self, encoded: _Encoded) -> None:
        self._clock.add(encoded.clock)
        self._counts["rows"] += len(encoded.records)
        self._counts["decoded"] += encoded.decoded
        self._counts["kept"] += encoded.kept
        self._counts["bytes_read"] += encoded.bytes_read
        self._counts["bytes_written"] += sum(map(len, encoded.records))

    def timings(self) -> ShardTimings:
        """Where the time went."""
        return ShardTimings(
            seconds={stage: round(seconds, 3) for stage, seconds in self._clock.seconds.items()},
            wall_seconds=round(self._seconds, 3),
            workers=self._workers,
            rows=self._counts["rows"],
            decoded=self._counts["decoded"],
            kept=self._counts["kept"],
            bytes_read=self._counts["bytes_read"],
            bytes_written=self._counts["bytes_written"],
        )

    def _finish(self, finished: _Finished) -> None:
        self.indexes.append(picture_index(len(self.shards), finished.pictures))
        self.shards.append(finished.shard)
        for cell in finished.rejected:
            self.rejected.add_cell(*cell)

    def _tasks(self, spool: Spool) -> Iterator[_Task]:
        size = max(1, min(_TASK_ROWS, _TASK_BYTES // _estimated_bytes(self._config)))
        for shard, rows in spool.rows():
            finished = _Finished.read(self._directory, shard.name)
            if finished is not None:
                yield _Task(shard, rows, finished, ends_shard=True)
                continue
            for start in range(0, rows.height, size):
                yield _Task(shard, rows[start : start + size], None, ends_shard=start + size >= rows.height)

    def _encode(self, task: _Task) -> _Encoded:
        encoded = _Encoded(task)
        if task.finished is not None:
            return encoded
        for row in task.rows.iter_rows(named=True):
            made = self._encoder(row, encoded.clock)
            if isinstance(made, RowError):
                column, cause = self._config.column_of(made.name), made.cause
                encoded.rejected.append((row[ROW], row[KEY], column, cause.reason, made.path, cause.detail))
                continue
            encoded.records.append(frame(made.example))
            encoded.pictures.append(_places(made))
            encoded.decoded += made.decoded
            encoded.kept += made.kept
            encoded.bytes_read += made.bytes_read
        return encoded


def _places(row: EncodedRow) -> list[PicturePlace]:
    """Where the pictures of a row lie in its record."""
    starts = dict(zip(map(id, row.example), itertools.accumulate(map(len, row.example), initial=HEADER), strict=False))
    return [(name, starts[id(stored)], len(stored)) for name, stored in row.pictures.items()]


class _OpenShard:
    """A shard that is being written."""

    def __init__(self, directory: Path, planned: PlannedShard) -> None:
        self._directory = directory
        self._planned = planned
        self._file = (directory / planned.name).open("wb")
        self._digest = hashlib.sha256()
        self._size = 0
        self._rows = 0
        self._places: list[PicturePlace] = []
        self._rejected: list[Cell] = []

    def write(self, encoded: _Encoded) -> None:
        """Append the records of a task."""
        for record, pictures in zip(encoded.records, encoded.pictures, strict=True):
            self._file.write(record)
            self._digest.update(record)
            self._places += [(name, self._size + offset, length) for name, offset, length in pictures]
            self._size += len(record)
        self._rows += len(encoded.records)
        self._rejected += encoded.rejected

    def finish(self) -> _Finished:
        """Note beside the file that it is whole."""
        self.close()
        shard = Shard(
            path=self._planned.name,
            split=self._planned.split,
            rows=self._rows,
            bytes=self._size,
            sha256=self._digest.hexdigest(),
        )
        finished = _Finished(shard=shard, rejected=self._rejected, pictures=self._places)
        finished.write(self._directory)
        return finished

    def close(self) -> None:
        """No more records."""
        self._file.close()


class _Finished(Record):
    """A finished shard, noted beside it until the artifact is whole, so that a killed step goes on from there."""

    shard: Shard
    rejected: list[Cell]
    pictures: list[PicturePlace]

    def write(self, directory: Path) -> None:
        write_whole(directory / (self.shard.path + _NOTE), self.model_dump_json().encode())

    @classmethod
    def read(cls, directory: Path, name: str) -> Self | None:
        """The note of a shard whose file is as it says; None where there is none."""
        try:
            finished = cls.model_validate_json((directory / (name + _NOTE)).read_bytes())
        except (OSError, ValueError):
            return None
        path = directory / name
        return finished if path.is_file() and sha256_of(path) == finished.shard.sha256 else None
