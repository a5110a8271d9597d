"""Contact sheets: what training makes of the pictures, for a person to look at."""

from __future__ import annotations

from pathlib import Path

import tensorflow as tf

from polyhead.contracts.preprocessing import Fitted
from polyhead.contracts.settings import TrainSection
from polyhead.kinds.graphs import feature_blocks
from polyhead.train.data import Feed
from polyhead.train.mixing import Mixing

_LINES = 3
_QUALITY = 90


def write_sheets(fitted: Fitted, train: TrainSection, feed: Feed, directory: Path) -> None:
    """Write a JPEG file for each feature that has pictures among the first train rows.

    There is no folder where none has, or where training shows them as they are. The first line of a file has pictures
    as the shards hold them, three further lines what a training step may see of them: augmented and, where the config
    says so, mixed with their neighbours.

    Args:
        fitted: The features.
        train: `mixup`, `cutmix` and `seed`.
        feed: The train rows.
        directory: Where `<feature>.jpg` goes; made if need be.
    """
    blocks, is_mixed = feature_blocks(fitted), bool(train.mixup or train.cutmix)
    if not is_mixed and not any(block.is_augmented for block in blocks):
        return
    rows = next(iter(feed.fixed("train")))
    seen = [rows[0]] * _LINES
    if is_mixed:
        mixing = Mixing(train, blocks)
        seen = [mixing(tf.constant(line, tf.int64), rows)[0] for line in range(_LINES)]
    for block in blocks:
        for name, sheet in block.sheets(rows[0], seen, train.seed).items():
            directory.mkdir(exist_ok=True)
            (directory / f"{name}.jpg").write_bytes(tf.io.encode_jpeg(sheet, quality=_QUALITY).numpy())
