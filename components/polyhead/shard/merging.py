"""The parts of all partitions, joined into shards."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from polyhead.contracts.shards import PICTURE_INDEX, TIMINGS, PlannedShard, Shard, ShardPart, ShardPlan, ShardTimings
from polyhead.contracts.validation import REJECTED_TABLE
from polyhead.errors import ArtifactError
from polyhead.examples.timing import STAGES
from polyhead.progress import Advance, say
from polyhead.storage.artifact import check_files
from polyhead.tables.rejected import in_order

_AGAIN = "write this partition again"


class Parts:
    """The parts of every partition of a plan, in order.

    Args:
        found: Each artifact's folder and contract.
        plan: The plan.

    Raises:
        ArtifactError: A part does not hold every row of its partition once, or was changed.
    """

    def __init__(self, found: list[tuple[Path, ShardPart]], plan: ShardPlan) -> None:
        self._found = found
        self._shards = plan.shards
        for directory, part in found:
            _check_rows(directory, part, plan)
            check_files(directory, part)
        _check_apart(found)

    def write(self, directory: Path, advance: Advance) -> list[Shard]:
        """Write every shard.

        Args:
            directory: Where to write the files.
            advance: Told the rows of every shard.
        """
        return [self._joined(planned, directory, advance) for planned in self._shards]

    def _joined(self, planned: PlannedShard, directory: Path, advance: Advance) -> Shard:
        pieces = list(self._pieces(planned.name))
        path = directory / planned.name
        if len(pieces) == 1:
            place, piece = pieces[0]
            _link(place, path)
            shard = piece
        else:
            digest = hashlib.sha256()
            with path.open("wb") as file:
                for place, _ in pieces:
                    with place.open("rb") as source:
                        while chunk := source.read(2**20):
                            file.write(chunk)
                            digest.update(chunk)
            rows, size = sum(piece.rows for _, piece in pieces), sum(piece.bytes for _, piece in pieces)
            shard = Shard(path=planned.name, split=planned.split, rows=rows, bytes=size, sha256=digest.hexdigest())
        advance(planned.end - planned.start, size=shard.bytes)
        return shard

    def _pieces(self, name: str) -> Iterator[tuple[Path, Shard]]:
        for directory, part in self._found:
            for piece in part.shards:
                if piece.path == name:
                    yield directory / name, piece

    def rejected(self) -> pl.DataFrame:
        """The rejected cells of all parts."""
        return in_order([pl.read_parquet(directory / REJECTED_TABLE) for directory, _ in self._found])

    def pictures(self) -> list[pl.DataFrame]:
        """Where the pictures of every part lie in the joined shards."""
        numbers = {planned.name: number for number, planned in enumerate(self._shards)}
        written = dict.fromkeys(numbers, 0)
        indexes = []
        for directory, part in self._found:
            index = pl.read_ipc(directory / PICTURE_INDEX)
            places = list(range(len(part.shards)))
            number = [numbers[piece.path] for piece in part.shards]
            before = [written[piece.path] for piece in part.shards]
            indexes.append(
                index.with_columns(
                    pl.col("shard").replace_strict(places, number, return_dtype=pl.UInt32),
                    pl.col("offset") + pl.col("shard").replace_strict(places, before, return_dtype=pl.UInt64),
                )
            )
            for piece in part.shards:
                written[piece.path] += piece.bytes
        return indexes

    def timings(self) -> ShardTimings:
        """Where the time of all parts went; a part whose own timings are damaged counts as none."""
        found = [timings for directory, _ in self._found if (timings := _timings(directory / TIMINGS))]
        return ShardTimings(
            seconds={stage: round(sum(one.seconds.get(stage, 0.0) for one in found), 3) for stage in STAGES},
            wall_seconds=round(sum(one.wall_seconds for one in found), 3),
            workers=sum(one.workers for one in found),
            rows=sum(one.rows for one in found),
            decoded=sum(one.decoded for one in found),
            kept=sum(one.kept for one in found),
            bytes_read=sum(one.bytes_read for one in found),
            bytes_written=sum(one.bytes_written for one in found),
        )


def _timings(path: Path) -> ShardTimings | None:
    try:
        return ShardTimings.model_validate_json(path.read_bytes())
    except (OSError, ValueError):
        say(f"note: {path} is missing or damaged, so its times are left out")
        return None


def _check_apart(found: list[tuple[Path, ShardPart]]) -> None:
    """Refuse parts that hold the same rows, whatever they say of them: a row's record has its key.

    Raises:
        ArtifactError: Two pieces of shards are the same.
    """
    seen: dict[str, Path] = {}
    for directory, part in found:
        for piece in part.shards:
            place = directory / piece.path
            if piece.rows and seen.setdefault(part.files[piece.path].sha256, place) != place:
                first = seen[part.files[piece.path].sha256]
                raise ArtifactError("repeated-rows", f"holds the same rows as {first}", where=str(place), hint=_AGAIN)


def _check_rows(directory: Path, part: ShardPart, plan: ShardPlan) -> None:
    partition = part.partition
    wanted = plan.shards_of(partition)
    held = sum(piece.rows for piece in part.shards) + part.rows_rejected
    fits = [(piece.path, piece.split) for piece in part.shards] == [(cut.name, cut.split) for cut in wanted] and all(
        piece.rows <= cut.end - cut.start and part.files.get(piece.path) == piece.digest
        for piece, cut in zip(part.shards, wanted, strict=True)
    )
    if not fits or held != partition.end - partition.start:
        raise ArtifactError(
            "partition-mismatch",
            f"holds {held:,} rows of {len(part.shards)} shards; its partition {partition.name} has "
            f"{partition.end - partition.start:,} rows of {len(wanted)} shards",
            where=str(directory),
            hint=_AGAIN,
        )


def _link(source: Path, target: Path) -> None:
    """The same file at a second place; a copy where the file system does not allow that."""
    with contextlib.suppress(OSError):
        os.link(source, target)
        return
    shutil.copyfile(source, target)
