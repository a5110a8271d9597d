"""Sizes that follow from the table, where the configuration leaves them open.

They are today's habits at a few hundred rows, and go on from there to millions: a batch near the square root of the
rows keeps both the steps of an epoch and the noise of a step in bounds (a thousand steps at a million rows), and the
learning rate follows the batch more slowly than the square root that theory allows Adam (S. Malladi et al., On the SDEs
and Scaling Rules for Adaptive Gradient Algorithms, NeurIPS 2022). The more rows, the fewer epochs, the less to
regularise, the wider the network.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from polyhead.contracts.config import Config
from polyhead.contracts.sizes import ModelSizes, Size, SizedConfig, TrainSizes

_BATCHES = (32, 4_096)
_BATCH_BYTES = 256 * 2**20
_SMALLEST_FITTING = 8
_PIXEL_BYTES = 4  # of float32
_EPOCHS, _LEAST_EPOCHS, _EPOCHS_ROWS = 30, 8, 30_000
_PATIENCE = (3, 10)
_RATE, _LARGEST_RATE = 2e-3, 5e-3
_DECAY, _DECAY_ROWS = 1e-2, 100_000
_WIDTH, _LARGEST_WIDTH, _MANY_ROWS = 64, 512, 10_000
_DROPOUT, _LEAST_DROPOUT, _DROPOUT_STEP = 0.3, 0.05, 0.1
_IMAGE_DROPOUT = 0.3
_MOST_PARAMETERS = 1_000  # for each train row

_GIVEN = "as configured"
_ALONE = "as the picture is the only feature"


def sized(config: Config, rows: int, pixels: int = 0) -> tuple[SizedConfig, dict[str, Size]]:
    """A configuration with every size settled.

    Args:
        config: What it gives stays.
        rows: Train rows, at least 1.
        pixels: Of all pictures of a row, times their channels.

    Returns:
        The configuration, and by path (`train.batch_size`, …) what is in force and why.
    """
    sections = {"train": config.train.model_dump(), "model": config.model.model_dump()}
    sizes: dict[str, Size] = {}

    def settle(section: str, name: str, value: float, reason: str) -> float:
        given = sections[section][name]
        size = Size(value=value, reason=reason) if given is None else Size(value=given, reason=_GIVEN)
        sections[section][name] = value if given is None else given
        sizes[f"{section}.{name}"] = size
        return size.value

    batch = settle("train", "batch_size", *_batch(rows, pixels))
    epochs = settle("train", "epochs", *_epochs(rows))
    settle("train", "patience", min(max(math.ceil(epochs / 3), _PATIENCE[0]), _PATIENCE[1]), f"of {epochs:g} epochs")
    rate = min(_RATE * (batch / _BATCHES[0]) ** 0.25, _LARGEST_RATE)
    settle("train", "learning_rate", float(f"{rate:.2g}"), f"for batches of {batch:g} rows")
    decay = _DECAY * min(1.0, _DECAY_ROWS / rows) ** 0.5
    settle("train", "weight_decay", float(f"{decay:.2g}"), f"for {rows:,} train rows")
    tenfolds = math.log10(max(rows, _MANY_ROWS) / _MANY_ROWS)
    width = min(_WIDTH * 2 ** int(tenfolds), _LARGEST_WIDTH)
    settle("model", "width", width, f"for {rows:,} train rows")
    dropout = max(_DROPOUT - _DROPOUT_STEP * tenfolds, _LEAST_DROPOUT)
    settle("model", "dropout", round(dropout, 2), f"for {rows:,} train rows")
    hidden, reason = (_IMAGE_DROPOUT, "so that other features count too") if len(config.features) > 1 else (0.0, _ALONE)
    settle("model", "image_dropout", hidden, reason)
    if not config.pictured:
        del sizes["model.image_dropout"]
    train, model = TrainSizes.model_validate(sections["train"]), ModelSizes.model_validate(sections["model"])
    fields = {name: getattr(config, name) for name in type(config).model_fields}
    return SizedConfig.model_construct(**{**fields, "train": train, "model": model}), sizes


def spelled(sizes: dict[str, Size]) -> Iterator[str]:
    """The sizes that follow from the table, a line each, for the terminal."""
    for path, size in sizes.items():
        if size.reason != _GIVEN:
            yield f"{path}: {size.value:g}, {size.reason}"


def doubts(parameters: int, rows: int) -> list[str]:
    """What deserves attention of a network of that many trainable numbers; usually nothing."""
    if parameters <= _MOST_PARAMETERS * rows:
        return []
    return [
        f"the network has {parameters:,} parameters for {rows:,} train rows, {parameters // rows:,} for each: it may "
        "learn the rows by heart; smaller pictures, fewer tokens or a smaller model.width make it smaller"
    ]


def _batch(rows: int, pixels: int) -> tuple[int, str]:
    """The batch, and why.

    Args:
        rows: Train rows.
        pixels: Of a row's pictures, times their channels.
    """
    least, most = _BATCHES
    wanted = min(max(2 ** round(math.log2(math.sqrt(rows))), least), most)
    fitting = 2 ** int(math.log2(max(_BATCH_BYTES / max(_PIXEL_BYTES * pixels, 1), _SMALLEST_FITTING)))
    if fitting < wanted:
        return fitting, f"as many rows of pictures as fit into {_BATCH_BYTES // 2**20} MiB"
    bound = {least: ", the least", most: ", the most"}.get(wanted, "")
    return wanted, f"near the square root of {rows:,} train rows{bound}"


def _epochs(rows: int) -> tuple[int, str]:
    if rows <= _EPOCHS_ROWS:
        return _EPOCHS, f"for up to {_EPOCHS_ROWS:,} train rows"
    return max(round(_EPOCHS * (_EPOCHS_ROWS / rows) ** 0.25), _LEAST_EPOCHS), f"for {rows:,} train rows"
