"""What a kind gives to the graph: how its columns are transformed and encoded, how its heads learn and answer."""

from __future__ import annotations

import zlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Generic, Literal, TypeVar

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from polyhead.contracts.sizes import ModelSizes
from polyhead.kinds.base import Decide
from polyhead.kinds.entries import entry_name

Batch = dict[str, tf.Tensor]
Held = Mapping[str, Sequence[str]]
"""Names by kind of all features, or all targets, that examples were made of."""

Link = Literal["identity", "log", "logistic", "softmax"]
"""What a head's logits say: each a number, each the logarithm of a count's mean, each the log odds of yes, or together
the logarithms of classes' odds."""

MOST_TOLD = 16
"""Numbers of a head whose means features may see."""

AFeature = TypeVar("AFeature")
ATarget = TypeVar("ATarget")
AStatistics = TypeVar("AStatistics")


@dataclass(frozen=True)
class Encoded:
    """What a block of columns gives to the rest of the network.

    Attributes:
        vector: `(batch, units)`, for the combiner.
        direct: Makes a linear function of the block, `(batch, units)`, for a head of that many units and that name;
            None where a linear function means nothing, as for pixels.
    """

    vector: Any
    direct: Callable[[int, str], Any] | None


@dataclass(frozen=True)
class Table:
    """Some rows of a block as a matrix: what a straight line multiplies by its kernel.

    Attributes:
        size: Columns of the matrix, which are the rows of the kernel.
        places: Columns of the values that are not zero, int32 (rows, n); a place that occurs twice counts twice.
        values: float32 (rows, n).
    """

    size: int
    places: NDArray[np.int32]
    values: NDArray[np.float32]

    @classmethod
    def dense(cls, values: NDArray[np.float32]) -> Table:
        """A matrix whose numbers are all given, float32 (rows, columns)."""
        return cls(values.shape[1], np.broadcast_to(np.arange(values.shape[1], dtype=np.int32), values.shape), values)


@dataclass(frozen=True)
class TreeColumns:
    """A block as columns that a decision tree splits.

    Attributes:
        values: Float32 (batch, columns), NaN where a number is missing; a Keras tensor or an eager one.
        sizes: Of each column: how many ids it has, from 0 to below that; 0 for a number.
    """

    values: Any
    sizes: list[int]


class Encoding(ABC):
    """What `encode` makes of a shard's entry, once for all epochs.

    Attributes:
        recipe: Names everything but the entry that decides the result. What two entries of one recipe hold can be
            encoded together.
    """

    recipe: str

    @abstractmethod
    def __call__(self, contents: Sequence[bytes]) -> list[bytes]:
        """The entries that take the place of some; each depends on its own alone, to the last bit."""

    @abstractmethod
    def picture(self, content: bytes) -> bytes:
        """What an entry looks like, as `polyhead.pictures.thumbnails.encoded` gives it."""


def along(rows: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
    """What each row has, (batch,), in as many dimensions as the values have, (batch, …)."""
    return tf.reshape(rows, [-1, *[1] * (values.shape.rank - 1)])


@dataclass(frozen=True)
class Mix:
    """How the rows of a batch are mixed, each with its partner: the row before it, or the last one.

    Attributes:
        share: How much of the row stays, float32 (batch,) from 0 to 1.
        cut: Whether a part of its partner's pictures is pasted into its own instead of blended with them, bool
            (batch,).
        seed: Of what else is drawn, int64 (2,).
    """

    share: tf.Tensor
    cut: tf.Tensor
    seed: tf.Tensor

    def uniform(self, shape: Any, purpose: str) -> tf.Tensor:
        """Numbers from 0 to below 1, the same for the same batch and purpose."""
        return tf.random.stateless_uniform(shape, self.seed + zlib.crc32(purpose.encode()))

    def partner(self, values: tf.Tensor) -> tf.Tensor:
        """What the rows' partners have, in the shape of what the rows have, (batch, …)."""
        return tf.roll(values, 1, 0)

    def blended(self, values: tf.Tensor) -> tf.Tensor:
        """The mean of rows and partners by the shares, float (batch, …)."""
        share = along(self.share, values)
        return share * values + (1 - share) * self.partner(values)


class FeatureBlock(ABC, Generic[AFeature, AStatistics]):
    """All features of a kind, side by side.

    A block has one transform, one encoder and one direct line to each head, however many columns it has. What belongs
    to a column (its statistics, its options, whether it is missing) is one slice of the block's tensors.

    The simple models beside the network see a block as `table` and `trees` give it. Both are made of the network's
    inputs, and so is `line`, which is the matrix product of the table and a kernel.

    Args:
        features: By name, in the order of the columns.
        statistics: By name.
        directory: The preprocessing artifact, where `encode` reads pretrained networks. Default: the working folder.

    Attributes:
        names: Of the columns, in order.
    """

    KIND: ClassVar[str]
    DTYPE: ClassVar[tf.DType] = tf.string
    """Of a column in a raw row."""
    IS_SLICED: ClassVar[bool] = False
    """Whether metrics may be shown by the columns' values, and not only by whether these are missing."""

    IS_SHOWN: ClassVar[bool] = True
    """Whether a value says something as text."""

    def __init__(
        self, features: Mapping[str, AFeature], statistics: Mapping[str, AStatistics], directory: Path = Path()
    ) -> None:
        self.directory = directory
        self.names = list(features)
        self.features = dict(features)
        self.statistics = {name: statistics[name] for name in features}

    @property
    def is_wide(self) -> bool:
        """Whether the table has so many columns that trees get what a line over it says in place of them."""
        return False

    @property
    def unpacked_bytes(self) -> int:
        """What a row takes as the network's input beyond what it takes in a shard, about."""
        return 0

    def raw_spec(self, name: str) -> tf.TensorSpec:
        """What a batch of a raw column looks like."""
        return tf.TensorSpec([None], self.DTYPE, name=name)

    def joined(self, columns: Mapping[str, tf.Tensor]) -> Any:
        """The block's raw columns as one tensor, `(batch, columns)`, from tensors `(batch,)` by name."""
        return tf.stack([columns[name] for name in self.names], 1)

    def columns(self, raw: Any) -> Batch:
        """The raw columns by name, each `(batch,)`: the way back from `joined`."""
        return dict(zip(self.names, tf.unstack(raw, axis=1), strict=True))

    def missing(self, raw: Any) -> Batch:
        """By name whether a row of shards has no value, bool (batch,), from the block as `joined` gives it."""
        found = {}
        for name, values in self.columns(raw).items():
            lacks = tf.math.is_nan(values) if values.dtype.is_floating else tf.equal(values, "")
            found[name] = tf.reduce_any(lacks, axis=1) if lacks.shape.rank > 1 else lacks
        return found

    def pictures(self, raw: Any) -> dict[str, list[NDArray[np.uint8] | None]]:
        """The pictures in some rows of shards by column, (height, width, channels), None where missing; here none."""
        del raw
        return {}

    def entries(self, held: Held) -> dict[str, Any]:
        """The entries of an example that hold the block, as `tf.io.parse_example` takes them."""
        return _entry("feature", self.KIND, self.DTYPE, held)

    def parsed(self, parsed: Batch, held: Held) -> Any:
        """The raw block, as `joined` gives it, from parsed entries."""
        values = _held_columns(parsed, "feature", self.KIND, self.DTYPE, held)
        places = [held[self.KIND].index(name) for name in self.names]
        return values if places == list(range(len(held[self.KIND]))) else tf.gather(values, places, axis=1)

    def encodings(self, directory: Path) -> dict[str, Encoding]:
        """What `encode` does, by the entry of an example that it replaces; here nothing.

        Args:
            directory: The preprocessing artifact.
        """
        return {}

    @abstractmethod
    def transform(self, directory: Path, *, stored: bool) -> Callable[..., Batch]:
        """What turns the raw block into the network's inputs: a `tf.Module`, which holds its tables.

        Of a block with columns in `averaged` it takes the keys of train rows too, string (batch,), as a second
        argument: these rows do not see what their own targets have told.

        Args:
            directory: The preprocessing artifact, with its vocabularies and pretrained networks.
            stored: True for values of shards, which are canonical and encoded already; False for those of a raw row.
        """

    def failed(self, raw: Any, inputs: Batch) -> Batch:
        """Which values of raw rows are there and cannot be read, bool (batch,) by column; they count as missing.

        Args:
            raw: The block as `joined` gives it.
            inputs: What the transform made of it.

        Returns:
            Nothing of kinds of which every value can be read.
        """
        del raw, inputs
        return {}

    @property
    def averaged(self) -> dict[str, range]:
        """The columns of which the network sees means of the targets by group, and the groups of each; here none."""
        return {}

    def grouping(self) -> Callable[[Any], Batch]:
        """What gives the group of each row by column of `averaged`, int32 (batch,), from the raw block of shards.

        It is a `tf.Module`, which holds its tables. A group outside the range of its column has no mean of its own.
        """
        raise NotImplementedError(f"{self.KIND} has no groups")

    @abstractmethod
    def inputs(self) -> dict[str, Any]:
        """The network's inputs, Keras tensors by name."""

    def mixed(self, inputs: Batch, mix: Mix) -> Batch:
        """The network's inputs of a batch, each row mixed with its partner.

        Numbers are blended. Where a block has other inputs, which cannot be blended, such as ids, a row keeps all of
        the block's inputs with the chance of its share, or has its partner's: that is the same on average.
        """
        if all(values.dtype.is_floating for values in inputs.values()):
            return {name: mix.blended(values) for name, values in inputs.items()}
        keeps = mix.uniform(tf.shape(mix.share), self.KIND) < mix.share
        return {name: tf.where(along(keeps, values), values, mix.partner(values)) for name, values in inputs.items()}

    def replaced(self, inputs: Batch, others: Batch, columns: tf.Tensor) -> Batch:
        """The network's inputs of the block, with what others have in the place of some columns.

        Args:
            inputs: By the names of `inputs`, here each (batch, columns, …), with zeros where a row is shorter.
            others: The same of as many rows, or of one row that stands for all.
            columns: Which columns are the others', bool (columns,).
        """
        replaced = {}
        for name, values in inputs.items():
            sizes = tf.maximum(tf.shape(values)[1:], tf.shape(others[name])[1:])
            own, other = (_filled(tensor, sizes) for tensor in (values, others[name]))
            replaced[name] = tf.where(tf.reshape(columns, [1, -1, *[1] * (values.shape.rank - 2)]), other, own)
        return replaced

    @property
    def mapped(self) -> dict[str, int]:
        """The columns of pictures of which a part can be covered, and the cells along each side; here none."""
        return {}

    def covered(self, inputs: Batch, column: str, picture: NDArray[np.uint8]) -> Batch:
        """The network's inputs of one row, once for each cell of a grid over its first picture, which is covered there.

        Args:
            inputs: By the names of `inputs`, each (1, …).
            column: One of `mapped`.
            picture: The picture, (height, width, channels).

        Returns:
            The input that differs, by its name, (1 + cells * cells, …): with nothing covered, and then row by row from
            the upper left.
        """
        raise NotImplementedError(f"{self.KIND} has no pictures")

    @property
    def costly(self) -> dict[str, str]:
        """The inputs that a part of the network looks at alone and at length; here none.

        By name, the layer of the network whose first input is what that part makes of it, (batch, units).
        """
        return {}

    @property
    def embedded(self) -> dict[str, tuple[str, int | None]]:
        """The columns of which the network makes a vector of their own; here none.

        By name, the layer of the network whose inputs are the vectors and whether they are known, (batch, units) and
        (batch,), or (batch, columns, units) and (batch, columns) with the column's place.
        """
        return {}

    @property
    def is_augmented(self) -> bool:
        """Whether training changes what it sees of a column at random. Default: no."""
        return False

    @property
    def open_augmentation(self) -> dict[str, tuple[str, int]]:
        """The columns of which training is to decide what it changes; here none.

        By name, the part of the network that sees the column, and how many train rows have a picture for that part.
        """
        return {}

    def thumbnails(self, inputs: Batch) -> dict[str, tuple[NDArray[np.uint8], NDArray[np.bool_]]]:
        """Small pictures of the columns that `open_augmentation` names, and which of them are known; here none.

        Args:
            inputs: The network's inputs of a batch.

        Returns:
            By name, (batch, height, width, channels) and (batch,); the first picture of a row with several.
        """
        del inputs
        return {}

    def sheets(self, shown: Batch, seen: Sequence[Batch], seed: int) -> dict[str, NDArray[np.uint8]]:
        """Contact sheets for the report, by column: pictures, and below them what training makes of them.

        Args:
            shown: The network's inputs of some train rows.
            seen: The same rows as training feeds them, once for each line of the sheet.
            seed: Of what the network changes.

        Returns:
            Uint8 (height, width, 3) each; nothing where a column is no picture, or has none in these rows.
        """
        del shown, seen, seed
        return {}

    @abstractmethod
    def encode(self, inputs: Mapping[str, Any], model: ModelSizes, seed: int) -> Encoded:
        """The block's part of the network.

        Args:
            inputs: Keras tensors as `inputs` gives them.
            model: Sizes and rates.
            seed: `train.seed`; each block draws from a seed of its own that follows from it.
        """

    @property
    def is_staged(self) -> bool:
        """Whether a part of the network is pretrained and learns only once the rest has."""
        return False

    def thaw(self, core: Any) -> None:
        """Let that part learn from now on.

        Args:
            core: The whole network, a `keras.Model`.
        """

    @property
    def tabled(self) -> list[str]:
        """The columns that have a table, in order; `table`, `line` and `trees` are called on a block of these alone."""
        return self.names

    @abstractmethod
    def table(self, inputs: Mapping[str, NDArray[Any]]) -> Table:
        """The rows of a batch as a matrix.

        Args:
            inputs: Arrays by the names of `inputs`.
        """

    @abstractmethod
    def line(self, inputs: Mapping[str, Any], units: int, name: str) -> Any:
        """A linear function of the block without a constant, `(batch, units)`, zero before it learns.

        Args:
            inputs: Keras tensors as `inputs` gives them.
            units: Of the result.
            name: Of the layer, whose one weight is the kernel, float32 (`Table.size`, units).
        """

    def trees(self, inputs: Mapping[str, Any]) -> TreeColumns:
        """The columns for decision trees; of a wide block none are asked for.

        Args:
            inputs: Tensors as `inputs` gives them, of Keras or eager.
        """
        raise NotImplementedError(f"{self.KIND} has no columns for trees")


class Head(ABC, Generic[ATarget, AStatistics]):
    """What one target's head learns, and what it says.

    Args:
        name: The target's.
        target: Its settings.
        statistics: Of the train rows.
        ratio: Of `polyhead.contracts.config.ResampleSection`. Default: no row is drawn again.
    """

    KIND: ClassVar[str]
    DTYPE: ClassVar[tf.DType] = tf.string
    """Of a raw target."""
    LINK: ClassVar[Link]

    def __init__(self, name: str, target: ATarget, statistics: AStatistics, ratio: float = 0.0) -> None:
        self.name = name
        self.target = target
        self.statistics = statistics
        self.ratio = ratio

    def entries(self, held: Held) -> dict[str, Any]:
        """The entries of an example that hold the target, as `tf.io.parse_example` takes them."""
        return _entry("target", self.KIND, self.DTYPE, held)

    def parsed(self, parsed: Batch, held: Held) -> Batch:
        """The raw target under its name, `(batch,)`, from parsed entries."""
        values = _held_columns(parsed, "target", self.KIND, self.DTYPE, held)
        return {self.name: values[:, held[self.KIND].index(self.name)]}

    @property
    @abstractmethod
    def units(self) -> int:
        """Logits of the head."""

    @property
    def levels(self) -> Sequence[float]:
        """Of numbers that are quantiles: the level of each logit, from 0 to 1. Default: they are means."""
        return ()

    @property
    @abstractmethod
    def weight_per_row(self) -> float:
        """The weight of all known targets in the head's loss over the number of train rows, known or not.

        A head's loss is the mean over all train rows by these weights (and over labels, where there are several). A
        batch of n rows counts for its weighted losses over n times this number, whatever weights happen to be in it.
        So what a batch adds to the gradient is, on average, the gradient of that loss at any batch size. Divided by its
        own weights, a batch without a rare class would count as much as one with it.
        """

    @property
    def repeats(self) -> NDArray[np.float64]:
        """How often the rows of each class come in an epoch, float64 (classes,); of a kind that resamples."""
        raise NotImplementedError(f"{self.KIND} has no classes to draw rows by")

    def number(self, values: Any) -> tf.Tensor:
        """The class of each row, int32 (rows,); of a kind that resamples.

        Args:
            values: As the transform gives them, an array or a tensor.
        """
        raise NotImplementedError(f"{self.KIND} has no classes to draw rows by")

    @abstractmethod
    def loss(self, reduction: Literal["sum", "none"]) -> Any:
        """A Keras loss over the head's logits.

        Args:
            reduction: sum: of all rows, each times its weight. none: of each row, in the shape of the weights.
        """

    def log_loss(self, reduction: Literal["sum", "none"]) -> Any:
        """The loss that blends and temperatures are chosen by: `loss` without what only training is to see.

        Args:
            reduction: As there.
        """
        return self.loss(reduction)

    @abstractmethod
    def prior_logits(self) -> NDArray[np.float32]:
        """The logits that predict what the train rows have, by their weights; float32 (units,)."""

    @abstractmethod
    def transform(self) -> Callable[[Batch], tuple[tf.Tensor, tf.Tensor]]:
        """What turns raw targets by name into what the loss compares, and each row's weight in it, 0 where missing.

        It is a `tf.Module`, which holds its tables.
        """

    def row_weights(self, values: NDArray[Any], weights: NDArray[Any]) -> NDArray[np.float64]:
        """The rows' own weights: those in the loss without what the classes weigh, in the same shape.

        Args:
            values: As the transform gives them.
            weights: Likewise, times the row weights.
        """
        del values
        return weights.astype(np.float64)

    @property
    def told(self) -> list[int]:
        """Which of the numbers in `numbers` features are told of: the first 16. There are as many as units."""
        return list(range(min(self.units, MOST_TOLD)))

    def numbers(self, values: NDArray[Any]) -> NDArray[np.float64]:
        """Numbers whose means over some rows say what the target is there, (rows, numbers): what the loss compares.

        Args:
            values: As the transform gives them.
        """
        return values.reshape(len(values), -1).astype(np.float64)

    @abstractmethod
    def answers(self, logits: tf.Tensor, correction: float, thresholds: Sequence[float]) -> Batch:
        """What the head says, in the table's terms: under the target's name, and its probabilities, if any.

        Args:
            logits: Float64 (batch, units).
            correction: Of `polyhead.contracts.bundle.ModelBundle`; 0 where there is none.
            thresholds: Likewise; empty where there are none.
        """

    @property
    def is_calibrated(self) -> bool:
        """Whether the logits are log odds, so that a temperature means something."""
        return False

    def shift(self) -> NDArray[np.float64]:
        """What the loss weights of classes add to the logits of a head that learned its loss perfectly, (units,)."""
        return np.zeros(self.units)

    @property
    def decide(self) -> Decide | None:
        """How probabilities become yes or no; None for a head that answers otherwise. It has a logit for each label."""
        return None

    @property
    def is_corrected(self) -> bool:
        """Whether the head's answers are corrected by the train rows' residuals."""
        return False

    def correction(self, residuals: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
        """What is added to a head's number, from (value - logit) of the train rows with a known target, (rows,).

        Args:
            residuals: Of each row.
            weights: Of each row, above 0.
        """
        return 0.0

    @property
    def confidence(self) -> float | None:
        """The share of true values that what `held` gives is to hold; None: the head gives nothing."""
        return getattr(self.target, "confidence", None)

    def strangeness(self, logits: NDArray[np.float64], values: NDArray[Any]) -> NDArray[np.float64]:
        """How far each row's true value is from what is said of it, of a kind with a `confidence`.

        Args:
            logits: Calibrated, (rows, units).
            values: What the loss compares them with, (rows, …).

        Returns:
            (rows,); or (rows, numbers), of a kind that gives an interval of each.
        """
        raise NotImplementedError(f"{self.KIND} has neither intervals nor sets")

    def held(self, logits: tf.Tensor, said: Batch, radius: Any) -> Batch:
        """All values that are no stranger than the radius, and what is said, under names that begin with the target's.

        Args:
            logits: Float64 (batch, units).
            said: Of `answers`.
            radius: Of `polyhead.contracts.bundle.ModelBundle`: a float, or several of a kind that gives an interval of
                each of its numbers.
        """
        raise NotImplementedError(f"{self.KIND} has neither intervals nor sets")


def _filled(values: tf.Tensor, sizes: tf.Tensor) -> tf.Tensor:
    """Values (batch, …) with zeros up to some sizes of all dimensions but the first."""
    behind = tf.concat([[0], sizes - tf.shape(values)[1:]], 0)
    return tf.pad(values, tf.stack([tf.zeros_like(behind), behind], 1))


def _entry(group: str, kind: str, dtype: tf.DType, held: Held) -> dict[str, Any]:
    """The one entry of all columns of a kind: the bytes of numbers, or a string each. Without it all are missing."""
    columns = len(held[kind])
    if dtype == tf.float64:
        how = tf.io.FixedLenFeature([], tf.string, np.full(columns, np.nan).astype("<f8").tobytes())
    else:
        how = tf.io.FixedLenFeature([columns], tf.string, [""] * columns)
    return {entry_name(group, kind): how}


def _held_columns(parsed: Batch, group: str, kind: str, dtype: tf.DType, held: Held) -> tf.Tensor:
    """All columns of a kind, `(batch, columns)`."""
    values = parsed[entry_name(group, kind)]
    if dtype == tf.float64:
        values = tf.ensure_shape(tf.io.decode_raw(values, tf.float64), [None, len(held[kind])])
    return values
