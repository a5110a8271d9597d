"""The contract of `shard`: TFRecord files in which one `tf.train.Example` is one row of the table.

    <out>/ShardManifest.json
    <out>/<split>-00000-of-00003.tfrecord
    <out>/rejected.parquet     rows whose picture could not be used, and masked pictures; columns as in
                               validate's
    <out>/pictures.arrow       where the picture of each file lies: `high`, `low` uint64, the two halves of its name;
                               `shard` uint32, its place in the manifest; `offset` uint64, `length` uint32, in bytes
    <out>/timings.json         where the time went; it differs from run to run and nothing depends on it

Every example has `key` (bytes) and an entry `feature/<kind>` or `target/<kind>` for each kind, with all columns of that
kind in the order in which `Preprocessing.json` has them:
    columns of float64   bytes: a little-endian float64 for each column, NaN where missing; targets on the table's scale
    columns of string    bytes list: UTF-8 for each column, empty where missing
    columns of vectors   bytes list: little-endian float32 for each column, empty where missing
Row weights are in `weight`: a little-endian float64 for each of their columns, in the order in which targets name them.
Where the columns of a kind cannot lie together, each has entries of its own:
    feature/image/<name>             bytes: the oriented picture, RGB or gray, at the feature's size, encoded as
                                     `store` says; absent where missing
    feature/images/<name>/<place>    the same of each picture of a cell, counted from 0
    feature/multicategory/<name>     bytes list of values
    target/multilabel/<name>         bytes list of labels
    <entry of a set>/known           int64: 1 where the set is known, else 0

Several workers share the work by a plan. Each partition is a run of rows in the shards' order; a merge joins them into
the very artifact that one worker writes.
    <plan>/ShardPlan.json
    <part>/ShardPart.json
    <part>/<split>-00000-of-00003.tfrecord   the partition's rows of that shard
    <part>/rejected.parquet, <part>/pictures.arrow, <part>/timings.json   of the partition's rows
"""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from polyhead.contracts.artifact import Contract, FileDigest, InnerPath, Record
from polyhead.contracts.partitions import Part, Partition, Plan
from polyhead.contracts.section import THE_FIT, Decides
from polyhead.contracts.splits import Split
from polyhead.contracts.validation import Rejection
from polyhead.kinds.features.image.config import ImageStatistics
from polyhead.kinds.features.images.config import ImagesStatistics

PICTURE_INDEX = "pictures.arrow"
TIMINGS = "timings.json"


class Shard(Record):
    """One TFRecord file.

    Attributes:
        path: Relative to the artifact.
        split: train, val or test.
        rows: Examples in it.
        bytes: Its size.
        sha256: Digest of the file.
    """

    path: InnerPath
    split: Split
    rows: int
    bytes: int
    sha256: str

    @property
    def digest(self) -> FileDigest:
        """What `files` says of it."""
        return FileDigest(bytes=self.bytes, sha256=self.sha256)


class ShardManifest(Contract):
    """The shards of a table.

    Attributes:
        shards: In the order of their names, split by split.
        rows: Rows in each split.
        rows_read: Rows that the table had.
        rejections: Counts by column and reason of all rejections so far, those of `validate` among them.
        rows_rejected: Rows rejected so far, over all reasons.
        pictures: How each image feature was decoded, and how near that is to a careful reference; from `preprocess`.
        warnings: All warnings so far.
    """

    FORMAT_VERSION: ClassVar[int] = 5
    DECIDED_BY: ClassVar[frozenset[Decides]] = THE_FIT

    VARYING: ClassVar[frozenset[str]] = frozenset({TIMINGS})

    format_version: int = 5
    shards: list[Shard]
    rows: dict[str, int]
    rows_read: int
    rows_rejected: int
    rejections: list[Rejection]
    pictures: dict[str, Annotated[ImageStatistics | ImagesStatistics, Field(discriminator="kind")]]
    warnings: list[str]

    @classmethod
    def made_by(cls) -> str:
        """The command that writes this artifact."""
        return "polyhead shard"

    def of(self, *splits: Split) -> list[Shard]:
        """The shards of some splits, in the order of their names."""
        return [shard for shard in self.shards if shard.split in splits]

    def rows_of(self, *splits: Split) -> int:
        """Rows in some splits together."""
        return sum(self.rows[split] for split in splits)


class PlannedShard(Record):
    """A shard to be written, or a part of one.

    Attributes:
        name: Of its file.
        split: train, val or test.
        start: Rank of its first row among all rows of the table.
        end: Rank behind its last row.
    """

    name: InnerPath
    split: Split
    start: int
    end: int

    def cut(self, start: int, end: int) -> PlannedShard | None:
        """The rows of it between two ranks; None where there are none."""
        first, last = max(self.start, start), min(self.end, end)
        return self.model_copy(update={"start": first, "end": last}) if first < last else None


class ShardPlan(Plan):
    """Who writes which rows. A partition's items are rows, by their rank in the shards' order.

    Attributes:
        shards: All shards of the table, split by split.
    """

    DECIDED_BY: ClassVar[frozenset[Decides]] = THE_FIT

    shards: list[PlannedShard]

    def shards_of(self, partition: Partition) -> list[PlannedShard]:
        """The shards that a partition has rows of, cut to these."""
        return [cut for shard in self.shards if (cut := shard.cut(partition.start, partition.end))]

    @classmethod
    def made_by(cls) -> str:
        """The command that writes this artifact."""
        return "polyhead shard-plan"


class ShardPart(Part):
    """The rows of one partition.

    Attributes:
        shards: What it holds of each shard that it has rows of, in order.
        rows_rejected: Rows of it whose picture could not be used.
    """

    VARYING: ClassVar[frozenset[str]] = frozenset({TIMINGS})

    shards: list[Shard]
    rows_rejected: int

    @classmethod
    def made_by(cls) -> str:
        """The command that writes this artifact."""
        return "polyhead shard-partition"


class ShardTimings(Record):
    """What one run of `shard` did, and where its time went. Shards of an earlier attempt are not in it.

    Of merged partitions these are sums.

    Attributes:
        seconds: Wall time of each stage (read, decode, resize, encode, write), summed over the threads.
        wall_seconds: Of the whole loop.
        workers: Threads that made examples; one more writes.
        rows: Rows written.
        decoded: Picture files read and decoded.
        kept: Pictures copied from earlier shards.
        bytes_read: Of picture files.
        bytes_written: Of shards.
    """

    seconds: dict[str, float]
    wall_seconds: float
    workers: int
    rows: int
    decoded: int
    kept: int
    bytes_read: int
    bytes_written: int
