"""Examples with what frozen networks make of their pictures, computed once in place of the pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from polyhead.contracts.preprocessing import Fitted
from polyhead.examples.encoding import with_pictures
from polyhead.examples.stored import PictureName, picture_name
from polyhead.kinds.features.image.config import pictured
from polyhead.kinds.graphs import feature_blocks
from polyhead.pictures.facts import content_hash
from polyhead.pictures.thumbnails import decoded

_PICTURE = "picture/"


class EncodedExample(NamedTuple):
    """A row as an example that training reads.

    Attributes:
        example: The serialised message, in pieces.
        features: What it holds of each picture, by the name of what was made of it.
    """

    example: list[bytes]
    features: dict[PictureName, bytes]


def kept_pictures(fitted: Fitted, examples: Sequence[bytes]) -> dict[str, list[NDArray[np.uint8] | None]]:
    """What frozen networks have seen, where examples keep it: of a row with several pictures the first.

    Args:
        fitted: The features.
        examples: Serialised, as `ExampleEncoding` gives them.

    Returns:
        By feature, of each row uint8 (height, width, channels), None where missing; without features of which no row
        has any.
    """
    rows = [tf.train.Example.FromString(example).features.feature for example in examples]
    found: dict[str, list[NDArray[np.uint8] | None]] = {}
    for name, (feature, _) in pictured(fitted.features, fitted.feature_statistics).items():
        entry = f"{_PICTURE}{feature.picture_entries(name)[0]}"
        if any(entry in row for row in rows):
            found[name] = [decoded(row[entry].bytes_list.value[0]) if entry in row else None for row in rows]
    return found


class ExampleEncoding:
    """Examples as `shard` makes them to those that training, evaluation and prediction read.

    Args:
        fitted: What the model uses, with its pretrained networks.
        kept: Gives what earlier shards hold of a picture; None where they do not have it. Default: nothing is kept.

    Attributes:
        computed: Pictures that a network has seen.
        copied: Pictures whose features were kept.

    Raises:
        DataError: A network cannot be loaded, or is another than `preprocess` took it for.
    """

    def __init__(self, fitted: Fitted, kept: Callable[[PictureName], bytes | None] | None = None) -> None:
        self.computed = self.copied = 0
        self._kept = kept
        self._encodings = {
            entry: encoding
            for block in feature_blocks(fitted)
            for entry, encoding in block.encodings(fitted.directory).items()
        }

    def __call__(self, examples: Sequence[bytes], *, keep_pictures: bool = False) -> list[EncodedExample]:
        """Some examples encoded, in their order; without a frozen network they are what they were.

        Args:
            examples: Serialised.
            keep_pictures: Whether each keeps its pictures too.
        """
        if not self._encodings:
            return [EncodedExample([example], {}) for example in examples]
        rows = [tf.train.Example.FromString(example).features for example in examples]
        found: list[dict[str, tuple[PictureName, bytes]]] = []
        for row in rows:
            pictures = {}
            for entry, encoding in self._encodings.items():
                if entry in row.feature:
                    stored = row.feature.pop(entry).bytes_list.value[0]
                    if keep_pictures:
                        row.feature[f"{_PICTURE}{entry}"].bytes_list.value.append(encoding.picture(stored))
                    pictures[entry] = picture_name(encoding.recipe, content_hash(stored)), stored
            found.append(pictures)
        made = self._made(found)
        encoded = []
        for row, pictures in zip(rows, found, strict=True):
            names = {entry: name for entry, (name, _) in pictures.items()}
            entries = row.SerializeToString(deterministic=True)
            example = with_pictures(entries, {entry: made[name] for entry, name in names.items()})
            encoded.append(EncodedExample(example, {name: made[name] for name in names.values()}))
        return encoded

    def _made(self, found: Sequence[dict[str, tuple[PictureName, bytes]]]) -> dict[PictureName, bytes]:
        """The features of all pictures, each different one once."""
        wanted = {name: (entry, stored) for pictures in found for entry, (name, stored) in pictures.items()}
        made: dict[PictureName, bytes] = {}
        missing: dict[str, list[PictureName]] = {}
        for name, (entry, _) in wanted.items():
            former = self._kept(name) if self._kept else None
            if former is None:
                missing.setdefault(self._encodings[entry].recipe, []).append(name)
            else:
                made[name] = former
        self.copied += len(made)
        for names in missing.values():
            encoding = self._encodings[wanted[names[0]][0]]
            made |= zip(names, encoding([wanted[name][1] for name in names]), strict=True)
            self.computed += len(names)
        return made
