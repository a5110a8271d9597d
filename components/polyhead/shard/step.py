"""The shard step: every clean row into one example, pictures included, packed into TFRecord files."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, Self

import polars as pl

from polyhead import __version__
from polyhead.contracts.artifact import Record, require_same
from polyhead.contracts.config import SPLITS, Config, Split, require_config
from polyhead.contracts.features import ImageFeature
from polyhead.contracts.preprocessing import SPLITS_TABLE, Preprocessing
from polyhead.contracts.shards import Shard, ShardManifest
from polyhead.contracts.validation import KEY, REJECTED_TABLE, ROW, SPLIT, ValidationReport
from polyhead.errors import ArtifactError
from polyhead.preprocess.split import hash_positions
from polyhead.progress import Advance, progress, say
from polyhead.shard.rows import RowError, row_example
from polyhead.shard.tfrecord import frame
from polyhead.storage.artifact import new_artifact, sha256_of, write_whole
from polyhead.storage.clean import read_clean
from polyhead.storage.parallel import available_cpus, ordered_map
from polyhead.storage.pictures import PictureFolder
from polyhead.storage.rejected import Cell, Rejected

ORDER_SALT = 1 << 64
"""Salt of the rows' order, above every split seed that a config would name, so that order and split are unrelated."""

_ROW_BYTES = 256
_NOTE = ".finished.json"
_STORED_SHARE = {"raw": 1.0, "png": 0.6, "jpeg": 0.25}


def run(
    *, config: Config, data: str | Path, preprocessing: str | Path, out: str | Path, workers: int | None = None
) -> ShardManifest:
    """Write the shards.

    Rows lie in the order of a hash of their key, so any shard is a fair sample of its split, and files are the
    same bytes whatever the order of the table or the number of workers. A step that was killed goes on with the
    shards that it had finished when it is called again with the same input and `out`.

    Args:
        config: The configuration of the earlier steps.
        data: The artifact of `validate`.
        preprocessing: The artifact of `preprocess`.
        out: Where the artifact shall stand; see `polyhead.contracts.shards` for its files.
        workers: Threads that decode and resize. Default: the processors at hand.

    Raises:
        ArtifactError: The artifacts do not belong together, or `out` holds something else.
    """
    report, clean = read_clean(data)
    fitted = Preprocessing.read(preprocessing)
    require_same(
        "validation", fitted.made_from["validation"], report.clean_sha256, maker=str(preprocessing), user=str(data)
    )
    require_config(config, fitted, preprocessing)
    rows = clean.join(_splits(Path(preprocessing), fitted).select(ROW, SPLIT), on=ROW, how="left", suffix="_fitted")
    split_column = f"{SPLIT}_fitted" if SPLIT in clean.columns else SPLIT
    with new_artifact(out, ShardManifest, resume=_fingerprint(config, report, fitted)) as directory:
        writer = _Writer(config, report, directory, workers or available_cpus())
        shards: list[Shard] = []
        with progress("shard", total=rows.height, unit="rows") as advance:
            for split in SPLITS:
                chosen = rows.filter(pl.col(split_column) == split)
                shards += writer.write_split(split, chosen, advance)
        writer.rejected.frame().write_parquet(directory / REJECTED_TABLE, compression="zstd")
        manifest = ShardManifest(
            made_from={**fitted.made_from, "preprocessing": fitted.fingerprint()},
            shards=shards,
            rows={split: sum(shard.rows for shard in shards if shard.split == split) for split in SPLITS},
            rows_read=report.rows_read,
            rows_rejected=report.rows_rejected + len(writer.rejected.rows),
            rejections=[*report.rejections, *writer.rejected.summary()],
            warnings=fitted.warnings,
        )
        belongs = {REJECTED_TABLE, *(shard.path for shard in shards)}
        for path in directory.iterdir():
            if path.name not in belongs:
                path.unlink()
        manifest.write(directory)
    if writer.kept:
        say(f"{writer.kept} of {len(shards)} shards were finished by an earlier attempt")
    size = sum(shard.bytes for shard in shards) / 2**20
    say(f"{sum(manifest.rows.values()):,} rows in {len(shards)} shards, {size:,.1f} MiB")
    if writer.rejected.rows:
        say(f"warning: {len(writer.rejected.rows):,} rows rejected since validation, see {Path(out) / REJECTED_TABLE}")
    return manifest


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


class _Writer:
    """Writes the shards of one artifact."""

    def __init__(self, config: Config, report: ValidationReport, directory: Path, workers: int) -> None:
        self.config = config
        self.root = PictureFolder(report.image_root)
        self.directory = directory
        self.workers = workers
        self.rejected = Rejected()
        self.kept = 0
        self.rows_per_shard = max(1, config.shard.megabytes * 2**20 // _estimated_bytes(config))

    def write_split(self, split: Split, rows: pl.DataFrame, advance: Advance) -> list[Shard]:
        """Write all shards of one split, in the rows' hashed order."""
        places = hash_positions(ORDER_SALT, rows[KEY]).alias("__place__")
        ordered = rows.with_columns(places).sort("__place__", KEY)
        count = -(-rows.height // self.rows_per_shard)
        shards = []
        for index in range(count):
            start, end = rows.height * index // count, rows.height * (index + 1) // count
            name = f"{split}-{index:05d}-of-{count:05d}.tfrecord"
            shards.append(self._shard(name, split, ordered[start:end], advance))
        return shards

    def _shard(self, name: str, split: Split, rows: pl.DataFrame, advance: Advance) -> Shard:
        """One shard: as an earlier attempt finished it, or written now."""
        finished = _Finished.read(self.directory, name)
        if finished is None:
            finished = self._write(name, split, rows, advance)
            finished.write(self.directory)
        else:
            self.kept += 1
            advance(rows.height)
        for cell in finished.rejected:
            self.rejected.add_cell(*cell)
        return finished.shard

    def _write(self, name: str, split: Split, rows: pl.DataFrame, advance: Advance) -> _Finished:
        digest, size, written = hashlib.sha256(), 0, 0
        rejected: list[Cell] = []
        records = ordered_map(self._record, rows.iter_rows(named=True), workers=self.workers)
        with (self.directory / name).open("wb") as file:
            for (row, key), record in zip(rows.select(ROW, KEY).iter_rows(), records, strict=True):
                if isinstance(record, RowError):
                    column, cause = self.config.column_of(record.name), record.cause
                    rejected.append((row, key, column, cause.reason, record.path, cause.detail))
                else:
                    file.write(record)
                    digest.update(record)
                    size += len(record)
                    written += 1
                advance(1)
        shard = Shard(path=name, split=split, rows=written, bytes=size, sha256=digest.hexdigest())
        return _Finished(shard=shard, rejected=rejected)

    def _record(self, row: dict[str, Any]) -> bytes | RowError:
        config = self.config
        limit = config.validate_.max_pixels
        example = row_example(row, config.features, config.targets, root=self.root, max_pixels=limit)
        return example if isinstance(example, RowError) else frame(example)


class _Finished(Record):
    """A finished shard, noted beside it until the artifact is whole, so that a killed step goes on from there."""

    shard: Shard
    rejected: list[Cell]

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


def _estimated_bytes(config: Config) -> int:
    """Bytes of one row, about: what a shard's number of rows is reckoned from, so it does not depend on the data."""
    pictures = sum(
        feature.size[0] * feature.size[1] * 3 * _STORED_SHARE[feature.store]
        for feature in config.features_of(ImageFeature).values()
    )
    return int(pictures) + _ROW_BYTES
