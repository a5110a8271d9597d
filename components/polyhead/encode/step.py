"""The encode step: what frozen networks make of the shards' pictures, computed once for all epochs."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from polyhead import __version__
from polyhead.contracts.artifact import require_same
from polyhead.contracts.config import Config
from polyhead.contracts.encoded import EncodedShards
from polyhead.contracts.preprocessing import FITTED_FILES, Fitted, Preprocessing
from polyhead.contracts.shards import Shard, ShardManifest
from polyhead.errors import ConfigError, counted
from polyhead.examples.framing import frame, mapped, record_places
from polyhead.examples.kept import KeptPictures, PicturePlace, picture_index, places_of, write_picture_index
from polyhead.examples.shard_files import FinishedShard, OpenShard
from polyhead.model import backend
from polyhead.progress import Advance, progress, say
from polyhead.storage.artifact import checked_file, close_artifact, new_artifact
from polyhead.storage.opened import Input, opens

if TYPE_CHECKING:
    from polyhead.model.encoding import ExampleEncoding

_BATCH = 128


@opens(shards=Input(ShardManifest), preprocessing=Input(Preprocessing, FITTED_FILES))
def run(
    *, config: Config, shards: str | Path, preprocessing: str | Path, out: str | Path, reuse: str | Path = ""
) -> EncodedShards:
    """Replace the pictures of features with a frozen encoder by what its network makes of them.

    What it makes of a picture follows from the picture, the network and the machine. So a step that was killed resumes
    with the shards that it had finished when it is called again with the same input and `out`, and features are
    copied from earlier shards that hold the same picture, seen by the same network.

    Args:
        config: The configuration of the earlier steps.
        shards: The artifact of `shard`.
        preprocessing: The artifact of `preprocess` that the shards were made from.
        out: Where to write the artifact; see `polyhead.contracts.encoded` for its files.
        reuse: What `encode` made of another table, split or fold, to copy features from. Default: what is at `out`.

    Raises:
        ConfigError: No feature has a frozen encoder.
        ArtifactError: The artifacts do not belong together, or `out` holds something else.
        DataError: A network cannot be loaded, or is another than `preprocess` took it for.
    """
    if not config.encoded:
        hint = "train reads what shard wrote; or give an image feature encoder: {backbone: …}"
        raise ConfigError("nothing-to-encode", "no feature has a frozen encoder", where="features", hint=hint)
    manifest, held = ShardManifest.read(shards), Preprocessing.read(preprocessing)
    made_from = manifest.made_from["preprocessing"]
    require_same("preprocessing", made_from, held.fingerprint(), maker=str(shards), user=str(preprocessing))
    fitted = Fitted.of(held, config, preprocessing)
    say("loading TensorFlow")
    backend.load()
    from polyhead.model.encoding import ExampleEncoding

    place = reuse or out
    with (
        new_artifact(out, EncodedShards, resume=_fingerprint(config, manifest)) as directory,
        KeptPictures.of(place, EncodedShards) if place else nullcontext() as kept,
    ):
        if reuse and kept is None:
            say(f"warning: {reuse} has no usable shards: every picture is seen again")
        encoding = ExampleEncoding(fitted, kept.get if kept else None)
        with progress("encode", total=sum(manifest.rows.values()), unit="rows") as advance:
            finished = [
                _encoded(shard, Path(shards), manifest, directory, encoding, advance) for shard in manifest.shards
            ]
        write_picture_index(directory, [picture_index(at, one.pictures) for at, one in enumerate(finished)])
        written = EncodedShards(
            made_from={**manifest.made_from, "shards": manifest.fingerprint()},
            shards=[one.shard for one in finished],
            rows=manifest.rows,
            rows_read=manifest.rows_read,
            rows_rejected=manifest.rows_rejected,
            rejections=manifest.rejections,
            pictures=manifest.pictures,
            warnings=manifest.warnings,
            encoded={name: of for name in config.encoded if (of := manifest.pictures[name].backbone)},
        )
        written = close_artifact(directory, written, known={one.shard.path: one.shard.digest for one in finished})
    copied = f", features of {encoding.copied:,} copied" if encoding.copied else ""
    say(f"{counted(encoding.computed, 'picture')} of {', '.join(config.encoded)} seen{copied}")
    return written


def _encoded(
    shard: Shard, shards: Path, manifest: ShardManifest, directory: Path, encoding: ExampleEncoding, advance: Advance
) -> FinishedShard:
    """Write one shard, unless an earlier attempt has finished it."""
    finished = FinishedShard.read(directory, shard.path)
    if finished is not None:
        advance(shard.rows)
        return finished
    path = checked_file(shards, manifest, shard.path)
    written = OpenShard(directory, shard.path, shard.split)
    try:
        places = record_places(path).tolist() if shard.rows else []
        content = mapped(path) if shard.rows else b""
        for at in range(0, len(places), _BATCH):
            examples = [content[start : start + length] for start, length in places[at : at + _BATCH]]
            records, pictures = _framed(encoding, examples, keep_pictures=shard.split == "test")
            written.write(records, len(records), pictures)
            advance(len(records))
        return written.finish()
    finally:
        written.close()


def _framed(
    encoding: ExampleEncoding, examples: Sequence[bytes], *, keep_pictures: bool
) -> tuple[list[bytes], list[PicturePlace]]:
    """Framed records of the encoded examples, and where their features lie."""
    records: list[bytes] = []
    places: list[PicturePlace] = []
    size = 0
    for made in encoding(examples, keep_pictures=keep_pictures):
        places += [(name, size + offset, length) for name, offset, length in places_of(made.example, made.features)]
        records.append(frame(made.example))
        size += len(records[-1])
    return records, places


def _fingerprint(config: Config, manifest: ShardManifest) -> str:
    """SHA-256 of all that decides the encoded shards, except the machine and what is copied."""
    import keras
    import tensorflow as tf

    made_by = (__version__, keras.__version__, tf.__version__)
    decides = (manifest.fingerprint(), list(config.encoded), EncodedShards.FORMAT_VERSION, *made_by)
    return hashlib.sha256(repr(decides).encode()).hexdigest()
