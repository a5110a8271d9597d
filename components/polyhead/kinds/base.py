"""What every feature, target and statistic has."""

from __future__ import annotations

import keyword
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from polyhead.contracts.artifact import InnerPath, Record
from polyhead.contracts.section import Data, Later, Model, Section
from polyhead.contracts.words import Word
from polyhead.errors import InvalidValueError
from polyhead.kinds.metrics import Metric


class Conflict(NamedTuple):
    """What is wrong with features of one kind together.

    Attributes:
        name: The feature to change.
        key: Its key to change; a dot between the keys of a path.
        code: The reason, as in `Problem`.
        what: What is wrong.
        hint: What to do.
    """

    name: str
    key: str
    code: str
    what: str
    hint: str


_NAME = re.compile(r"(?!.*__)[A-Za-z][A-Za-z0-9_]{0,62}")
_RANGE = re.compile(r"(.*?)(\d+)\.\.(.*?)(\d+)", re.DOTALL)
_MOST_COLUMNS = 1 << 16


def is_name(word: str) -> bool:
    """Whether a word can name a feature or target: they become layers, columns and a function's arguments."""
    return bool(_NAME.fullmatch(word)) and not keyword.iskeyword(word) and word != "self"


def column_names(columns: object) -> list[str] | None:
    """The columns that `columns` of a feature names, two or more, in order; None where it names none.

    Args:
        columns: A list of different names; or the first and the last one of some that are counted, such as
            `emb_0..emb_767` or `x001..x128`.
    """
    if isinstance(columns, list):
        names = [name for name in columns if isinstance(name, str)]
        return names if len(names) > 1 and len(set(names)) == len(columns) else None
    match = _RANGE.fullmatch(columns) if isinstance(columns, str) else None
    if match is None:
        return None
    start, first, end, last = match.groups()
    width = len(first) if first.startswith("0") and first != "0" else 0
    if start != end or (width and len(last) != width) or not 0 < int(last) - int(first) < _MOST_COLUMNS:
        return None
    return [f"{start}{number:0{width}d}" for number in range(int(first), int(last) + 1)]


def require_columns(columns: object, example: str) -> object:
    """What `columns` of a feature or target says, as it is, where it names some.

    Args:
        columns: As for `column_names`; None where nothing is said.
        example: Of a range, for the message.

    Raises:
        InvalidValueError: It names none.
    """
    if columns is not None and column_names(columns) is None:
        raise InvalidValueError(
            "invalid-columns",
            f"received {columns!r}: write the first and the last column, {example}, or a list of two or more",
        )
    return columns


class FeatureBase(Section):
    """What every feature has."""

    PICTURES: ClassVar[bool] = False
    """Whether a cell is the path of a picture, which is looked at with the table."""

    MODALITY: ClassVar[str] = "the table"
    """What all features that are looked at alike are called together."""

    SEVERAL: ClassVar[bool] = False
    """Whether a cell has several of them, a list."""

    column: Data[str | None] = Field(None, description="The table's column. Default: the feature's name.")
    required: Data[bool] = Field(
        False, description="A row without this value is rejected instead of masked. Default: false."
    )

    def columns_of(self, name: str) -> list[str]:
        """The table's columns that hold the feature; where there are several, each has an item of a row's list.

        Args:
            name: The feature's.
        """
        return [self.column or name]

    @property
    def time_reading(self) -> Any:
        """How other columns of dates and times are read as this one is, a feature; None if its cells are none."""
        return None

    @property
    def stored_bytes(self) -> int:
        """What a row's value takes in a shard beyond what any row takes, about."""
        return 0

    def masks(self, reason: str) -> bool:
        """Whether a picture that cannot be used counts as missing, so that its row is kept.

        Args:
            reason: Of `polyhead.pictures.failures.PictureError`.
        """
        del reason
        return False

    def settled(self, statistics: Any) -> Self:
        """The feature for rows to predict: what it leaves open is as the train rows have it.

        Args:
            statistics: Of the train rows.
        """
        del statistics
        return self

    @property
    def tie(self) -> str:
        """A word that features share which are the same to the model; empty where there is none."""
        return ""

    @property
    def files(self) -> list[str]:
        """Files beside the table that are fitted with its rows: relative to the table's folder, absolute or remote."""
        return []

    @property
    def is_encoded(self) -> bool:
        """Whether `encode` computes once what the network needs of a value, in place of the value."""
        return False

    @property
    def advice(self) -> list[str]:
        """What is allowed but deserves attention."""
        return []

    @classmethod
    def conflicts(cls, bodies: Mapping[str, Mapping[str, Any]]) -> Iterator[Conflict]:
        """What no single feature of the kind can see.

        Args:
            bodies: What the document says of each feature of the kind, by name; unchecked.
        """
        del bodies
        yield from ()


def _unit(value: str) -> str:
    if not re.fullmatch(r"[^\s0-9+\-.,](?:.*\S)?", value):
        raise InvalidValueError(
            "invalid-format",
            f"{value!r} is not a unit: it begins with a digit, sign, point or comma, or has a space at an end",
        )
    return value


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Units = Annotated[
    list[Annotated[str, AfterValidator(_unit)]],
    Field(min_length=1),
    BeforeValidator(_listed, json_schema_input_type=str | list[str]),
]
"""What may be before or behind a number."""

UNIT = Field(
    None,
    description="What may be before or behind a number in text and is stripped, such as kg, or a list of such: "
    "['€', EUR]. Nothing is converted. Default: nothing, and a cell with a unit is rejected.",
)

PositiveWeight = Annotated[float, Field(gt=0)]

ClassWeight = Literal["balanced", "effective_number"] | dict[Word, PositiveWeight] | None
"""How the classes or labels of a target weigh in its loss."""

CLASS_WEIGHT = Field(
    None,
    description="balanced (classes weigh the same in the loss: rows / (classes x rows of the class), from "
    "train rows), effective_number (likewise, but further rows of a class count less and less, a thousand at most), or "
    "a weight per class. Default: every row weighs 1.",
)

_NEW_SHARE = 0.999


def effective_weights(counts: Sequence[int]) -> list[float]:
    """Weights of classes by the inverse of their effective numbers of rows; their mean over the rows is 1.

    The effective number of n rows is (1 - b^n) / (1 - b): each row is new to the share b of those before it. Here b is
    0.999, for tables of any size: below a hundred rows it is nearly n, and it never exceeds 1,000. (Y. Cui et al.,
    Class-Balanced Loss Based on Effective Number of Samples, CVPR 2019.)

    Args:
        counts: Train rows of each class; a class without any weighs 0.
    """
    inverse = [(1 - _NEW_SHARE) / -math.expm1(count * math.log(_NEW_SHARE)) if count else 0.0 for count in counts]
    total = sum(count * weight for count, weight in zip(counts, inverse, strict=True))
    return [weight * sum(counts) / total if total else 0.0 for weight in inverse]


LABEL_SMOOTHING = Field(
    0.0,
    ge=0,
    lt=1,
    description="Share of a row's label that the network's loss spreads evenly over all classes, or over yes and no of "
    "each label, so that the network grows less sure. Default: 0.",
)

FOCAL = Field(
    0.0,
    ge=0,
    le=10,
    description="Exponent of the focal loss: a label that the network says with probability p counts for (1 - p) to "
    "the power of this; 2 is common. Default: 0, which is the cross-entropy.",
)


Confidence = Annotated[Model[float | None], Later]
"""The share of true values that the intervals or the sets of a head are to hold."""

CONFIDENCE = Field(
    0.9,
    ge=0.5,
    lt=1,
    description="Share of new rows whose true value is to lie in the interval of the prediction, or in its set of "
    "classes; both are fitted on the val rows. null: there is none. Default: 0.9.",
)


class Costs(Section):
    """What a wrong label costs; only the ratio counts."""

    false_positive: float = Field(1.0, gt=0, description="Of a yes that is wrong.")
    false_negative: float = Field(1.0, gt=0, description="Of a no that is wrong.")


class Decide(Section):
    """From which probability on a label is said to be there: one of these."""

    best: Literal["f1", "youden"] | None = Field(
        None,
        description="f1: the highest F1 of the positive label, of each label for multilabel; youden: the highest "
        "sensitivity + specificity - 1. Default: f1.",
    )
    cost: Costs | None = Field(None, description="The lowest cost of mistakes: {false_positive: 1, false_negative: 5}.")
    recall: float | None = Field(None, gt=0, le=1, description="The highest precision that still reaches this recall.")
    threshold: float | None = Field(None, ge=0, le=1, description="This probability, whatever the rows say.")

    @model_validator(mode="after")
    def _one_rule(self) -> Decide:
        given = [name for name in type(self).model_fields if getattr(self, name) is not None]
        if len(given) > 1:
            raise InvalidValueError("conflicting-keys", f"{' and '.join(given)} are mutually exclusive: keep one")
        return self

    @property
    def seeks_f1(self) -> bool:
        """Whether the rule is the highest F1."""
        return self.best == "f1" or all(value is None for value in (self.best, self.cost, self.recall, self.threshold))

    @property
    def rule(self) -> str:
        """The rule in words, for reports."""
        if self.threshold is not None:
            return "as configured"
        if self.recall is not None:
            return f"highest precision at a recall of {self.recall:g}"
        if self.cost is not None:
            return f"lowest cost, {self.cost.false_positive:g} : {self.cost.false_negative:g}"
        return "highest F1" if self.seeks_f1 else "highest Youden index"


DECIDE = Field(
    Decide(),
    description="How a probability becomes a label, by a threshold chosen on the val rows: {best: f1 or youden}, "
    "{cost: {false_positive: …, false_negative: …}}, {recall: …} or a fixed {threshold: …}. Default: {best: f1}.",
)


class TargetBase(Section):
    """What every target has."""

    METRICS: ClassVar[tuple[Metric, ...]]
    """The metrics of the kind's heads, in the order that reports show them; the first is the headline, unless
    `polyhead.kinds.protocols.score.TargetScore.headline` names another of the train rows."""

    RESAMPLES: ClassVar[bool] = False
    """Whether rows can be drawn again by the head's classes."""

    column: Data[str | None] = Field(None, description="The table's column. Default: the target's name.")
    loss_weight: Model[float] = Field(1.0, ge=0, description="This head's share in the joint loss.")
    hidden: Model[int | None] = Field(
        None,
        ge=1,
        le=4096,
        description="Units of a hidden layer of the head's own behind the combiner. Default: there is none.",
    )
    weight: Data[str | None] = Field(
        None,
        min_length=1,
        description="A column of row weights of this head: numbers from 0, in its losses, temperature, thresholds, "
        "baseline and weighted metrics. Default: the weight of all heads, if the config has one.",
    )

    def columns_of(self, name: str) -> list[str]:
        """The table's columns that hold the target; where there are several, each has an item of a row's list.

        Args:
            name: The target's.
        """
        return [self.column or name]

    @property
    def weighing(self) -> ClassWeight:
        """How the classes or labels weigh in the head's loss; None where the kind has none."""
        return getattr(self, "class_weight", None)


def weights_of(targets: Mapping[str, TargetBase]) -> list[str]:
    """The columns of row weights that some targets have, each once, in the targets' order."""
    return list(dict.fromkeys(target.weight for target in targets.values() if target.weight is not None))


class VocabularyFile(Record):
    """An Arrow file of tokens.

    Attributes:
        path: Relative to the artifact.
        size: Tokens in it.
        sha256: Digest of the file.
    """

    path: InnerPath
    size: int
    sha256: str
