"""A configuration in which every size is a number: what training, the network and its blocks are given."""

from __future__ import annotations

from polyhead.contracts.artifact import Record
from polyhead.contracts.config import Config
from polyhead.contracts.settings import ModelSection, TrainSection


class ModelSizes(ModelSection):
    """The `model` section with every size settled."""

    width: int
    dropout: float
    image_dropout: float = 0.3


class TrainSizes(TrainSection):
    """The `train` section with every size settled."""

    epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    patience: int


class SizedConfig(Config):
    """A configuration with every size settled."""

    model: ModelSizes
    train: TrainSizes


class Size(Record):
    """A size in force.

    Attributes:
        value: The number.
        reason: What it follows from.
    """

    value: float
    reason: str
