"""What training changes in pictures where the configuration leaves it open: it follows from them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyhead.contracts.preprocessing import Fitted
from polyhead.contracts.sizes import Size
from polyhead.kinds.features.image.config import Augmentation
from polyhead.kinds.features.image.mirroring import ENOUGH, kept
from polyhead.kinds.graphs import feature_blocks, heads
from polyhead.kinds.protocols.graph import Batch, FeatureBlock

SHIFT = 0.1
_MOST_ROWS = 2_000

Rows = Iterable[tuple[Batch, Batch, Batch]]


def augmented(fitted: Fitted, rows: Rows) -> tuple[Fitted, dict[str, Size]]:
    """Features whose pictures are moved while training, and mirrored where that leaves the targets what they are.

    Args:
        fitted: Features with the configuration's settings.
        rows: Batches of `(inputs, targets, weights)` of the train rows in the shards' order; the first 2,000 rows are
            read, and none where nothing is open.

    Returns:
        The same with every `augment` settled that is open, and by path what is in force and why.
    """
    blocks = feature_blocks(fitted)
    towers: dict[str, list[str]] = {}
    known: dict[str, int] = {}
    for block in blocks:
        for name, (tower, count) in block.open_augmentation.items():
            towers.setdefault(tower, []).append(name)
            known[tower] = count
    if not towers:
        return fitted, {}
    shares = _shares(fitted, blocks, rows)
    features, sizes = dict(fitted.features), {}
    for tower, names in towers.items():
        flip, reason = _mirrored([(share, head) for name in names for head, share in shares.get(name, {}).items()])
        for name in names:
            features[name] = features[name].model_copy(update={"augment": Augmentation(shift=SHIFT, flip=flip)})
            why = f"for {known[tower]:,} train rows with a picture and a network that is trained from scratch"
            sizes[f"features.{name}.augment.shift"] = Size(value=SHIFT, reason=why)
            sizes[f"features.{name}.augment.flip"] = Size(value=float(flip), reason=reason)
    return replace(fitted, features=features), sizes


def _mirrored(shares: list[tuple[float, str]]) -> tuple[bool, str]:
    """Whether pictures are mirrored, and why, by what is left of each head."""
    if not shares:
        return False, "nothing tells whether mirroring changes what pictures mean"
    least, head = min(shares)
    found = f"two alike pictures tell {least:.2f} as much of {head} when one is mirrored"
    return least >= ENOUGH, f"{found}, {'at least' if least >= ENOUGH else 'less than'} {ENOUGH:g}"


def _shares(fitted: Fitted, blocks: list[FeatureBlock[Any, Any]], rows: Rows) -> dict[str, dict[str, float]]:
    """Of each column whose `augment` is open, `kept` over its known pictures."""
    parts: list[tuple[dict[str, tuple[NDArray[Any], NDArray[Any]]], dict[str, NDArray[Any]]]] = []
    taken = 0
    for inputs, values, weights in rows:
        small = {name: of for block in blocks for name, of in block.thumbnails(inputs).items()}
        parts.append((small, _truths(fitted, values, weights)))
        taken += len(next(iter(values.values())))
        if taken >= _MOST_ROWS:
            break
    found = {}
    for name in parts[0][0]:
        known = np.concatenate([small[name][1] for small, _ in parts])
        seen = np.concatenate([small[name][0] for small, _ in parts])[known]
        found[name] = kept(seen, {h: np.concatenate([truth[h] for _, truth in parts])[known] for h in parts[0][1]})
    return found


def _truths(fitted: Fitted, values: Batch, weights: Batch) -> dict[str, NDArray[np.float64]]:
    """What is true of each row, (rows, units), NaN where it is not known; of classes a one-hot vector."""
    truths = {}
    for head in heads(fitted):
        if fitted.targets[head.name].loss_weight == 0:
            continue
        numbers = head.numbers(np.asarray(values[head.name]))
        known = np.asarray(weights[head.name]).reshape(len(numbers), -1) > 0
        truths[head.name] = np.where(known.any(1, keepdims=True), numbers, np.nan)
    return truths
