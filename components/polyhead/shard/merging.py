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
from polyhead.progress import Advance
from polyhead.shard.timing import STAGES
from polyhead.storage.artifact import unchanged
from polyhead.storage.rejected import in_order

_AGAIN = "write this partition again"


class Parts:
    """The parts of every partition of a plan, in order.

    Args:
        found: Each artifact's folder and contract.
        plan: The plan.

    Raises:
        ArtifactError: A part does not hold every row of its partition once.
    """

    def __init__(self, found: list[tuple[Path, ShardPart]], plan: ShardPlan) -> None:
        self._found = found
        self._shards = plan.shards
        for directory, part in found:
            _check_rows(directory, part, plan)

    def write(self, directory: Path, advance: Advance) -> list[Shard]:
        """Write every shard; a part's file whose content is not what its contract says is refused.

        Args:
            directory: Where the files shall lie.
            advance: Told the rows of every shard.
        """
        return [self._joined(planned, directory, advance) for planned in self._shards]

    def _joined(self, planned: PlannedShard, directory: Path, advance: Advance) -> Shard:
        pieces = list(self._pieces(planned.name))
        path = directory / planned.name
        if len(pieces) == 1:
            place, piece = pieces[0]
            _link(unchanged(place, piece.sha256, hint=_AGAIN), path)
            shard = piece
        else:
            digest = hashlib.sha256()
            with path.open("wb") as file:
                for place, piece in pieces:
                    with unchanged(place, piece.sha256, hint=_AGAIN).open("rb") as source:
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
        """The rejected cells of all parts.

        Raises:
            ArtifactError: A file was changed or lost.
        """
        tables = [
            pl.read_parquet(unchanged(directory / REJECTED_TABLE, part.rejected_sha256, hint=_AGAIN))
            for directory, part in self._found
        ]
        return in_order(tables)

    def pictures(self) -> list[pl.DataFrame]:
        """Where the pictures of every part lie in the joined shards.

        Raises:
            ArtifactError: A file was changed or lost.
        """
        numbers = {planned.name: number for number, planned in enumerate(self._shards)}
        written = dict.fromkeys(numbers, 0)
        indexes = []
        for directory, part in self._found:
            index = pl.read_ipc(unchanged(directory / PICTURE_INDEX, part.pictures_sha256, hint=_AGAIN))
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
        """Where the time of all parts went."""
        told = [ShardTimings.model_validate_json((directory / TIMINGS).read_bytes()) for directory, _ in self._found]
        return ShardTimings(
            seconds={stage: round(sum(one.seconds[stage] for one in told), 3) for stage in STAGES},
            wall_seconds=round(sum(one.wall_seconds for one in told), 3),
            workers=sum(one.workers for one in told),
            rows=sum(one.rows for one in told),
            decoded=sum(one.decoded for one in told),
            kept=sum(one.kept for one in told),
            bytes_read=sum(one.bytes_read for one in told),
            bytes_written=sum(one.bytes_written for one in told),
        )


def _check_rows(directory: Path, part: ShardPart, plan: ShardPlan) -> None:
    partition = part.partition
    wanted = plan.shards_of(partition)
    held = sum(piece.rows for piece in part.shards) + part.rows_rejected
    if [piece.path for piece in part.shards] != [cut.name for cut in wanted] or held != partition.end - partition.start:
        raise ArtifactError(
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
