"""The contract of `shard`: TFRecord files in which one `tf.train.Example` is one row of the table.

    <out>/ShardManifest.json
    <out>/<split>-00000-of-00003.tfrecord
    <out>/rejected.parquet     rows whose picture could not be used; columns as in validate's
    <out>/pictures.arrow       where the picture of each file lies: `high`, `low` uint64, the two halves of its name;
                               `shard` uint32, its place in the manifest; `offset` uint64, `length` uint32, in bytes
    <out>/timings.json         where the time went; it differs from run to run and nothing depends on it

Every example has `key` (bytes) and, by the names of the config:
    feature/<image>      bytes: the oriented RGB picture at the feature's size, encoded as `store` says
    feature/<numeric>    float
    feature/<category>   bytes, UTF-8
    feature/<text>       bytes, UTF-8
    target/<binary>, target/<multiclass>   bytes: the label
    target/<multilabel>  bytes list; target/<multilabel>/known int64 1 where the set is known
    target/<regression>  float, on the table's scale
A missing value is an absent entry.
"""

from __future__ import annotations

from typing import ClassVar

from polyhead.contracts.artifact import Contract, Record
from polyhead.contracts.config import Split
from polyhead.contracts.preprocessing import ImageStatistics
from polyhead.contracts.validation import Rejection

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

    path: str
    split: Split
    rows: int
    bytes: int
    sha256: str


class ShardManifest(Contract):
    """The shards of a table.

    Attributes:
        shards: In the order of their names, split by split.
        rows: Rows in each split.
        rows_read: Rows that the table had.
        rejections: Counts by column and reason of all rejections so far, those of `validate` among them.
        rows_rejected: Rows rejected so far, over all reasons.
        pictures: How each image feature was decoded, and how near that is to a careful reference; from `preprocess`.
        pictures_sha256: Digest of `pictures.arrow`.
        warnings: All warnings so far.
    """

    FORMAT_VERSION: ClassVar[int] = 2

    format_version: int = 2
    shards: list[Shard]
    rows: dict[str, int]
    rows_read: int
    rows_rejected: int
    rejections: list[Rejection]
    pictures: dict[str, ImageStatistics]
    pictures_sha256: str
    warnings: list[str]

    @classmethod
    def made_by(cls) -> str:
        """The command that writes this artifact."""
        return "polyhead shard"

    def of(self, split: Split) -> list[Shard]:
        """The shards of one split."""
        return [shard for shard in self.shards if shard.split == split]


class ShardTimings(Record):
    """What one run of `shard` did, and where its time went. Shards of an earlier attempt are not in it.

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
