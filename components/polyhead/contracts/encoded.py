"""The contract of `encode`: the shards, with what frozen networks make of pictures in the place of these.

    <out>/EncodedShards.json
    <out>/<split>-00000-of-00003.tfrecord   the rows of that shard, in its order
    <out>/pictures.arrow                    where the features of each picture lie; columns as in shard's

An example is as in the shards, but for the pictures that a frozen network sees:
    feature/image/<name>            bytes: little-endian float32, as many as the network's vector is wide; absent where
                                    missing
    feature/images/<name>/<place>   the same of each picture of a cell
    picture/<entry>                 bytes: in test rows, the picture that the entry was made of, as a JPEG file
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from polyhead.contracts.config import Config
from polyhead.contracts.shards import ShardManifest
from polyhead.errors import ArtifactError, Problem
from polyhead.kinds.features.image.config import Backbone


class EncodedShards(ShardManifest):
    """The same rows in the same order, with what a frozen network makes of pictures in their place.

    Attributes:
        encoded: The networks, by the features whose pictures they have seen.
    """

    FORMAT_VERSION: ClassVar[int] = 2
    VARYING: ClassVar[frozenset[str]] = frozenset()

    format_version: int = 2
    encoded: dict[str, Backbone]

    @classmethod
    def made_by(cls) -> str:
        """The command that writes this artifact."""
        return "polyhead encode"


SHARDS = (EncodedShards, ShardManifest)
"""The contracts of what `train` and `evaluate` read."""


def read_shards(directory: str | Path, config: Config) -> ShardManifest:
    """The contract of shards, whichever step wrote them.

    Args:
        directory: The artifact of `shard`, or of `encode` where the configuration has a frozen encoder.
        config: What is to be read of them.

    Raises:
        ArtifactError: It is neither; or it holds pictures where the configuration wants features, or the other way
            round.
    """
    is_encoded = Path(directory, f"{EncodedShards.__name__}.json").is_file()
    manifest = EncodedShards.read(directory) if is_encoded else ShardManifest.read(directory)
    encoded = manifest.encoded if isinstance(manifest, EncodedShards) else {}
    problems = []
    for name, feature in config.features.items():
        if feature.is_encoded and name not in encoded:
            what = f"has the pictures of '{name}', not what its frozen encoder makes of them"
            hint = f"run {EncodedShards.made_by()}, and give what it wrote"
            problems.append(Problem("not-encoded", what, where=str(directory), hint=hint))
        elif name in encoded and not feature.is_encoded:
            what = f"has no pictures of '{name}', but what a frozen encoder made of them"
            hint = f"give what {ShardManifest.made_by()} wrote, or set features.{name}.encoder.train: frozen"
            problems.append(Problem("already-encoded", what, where=str(directory), hint=hint))
    if problems:
        raise ArtifactError(problems)
    return manifest
