"""The contract of `preprocess`: the split, and every number fitted on the train rows.

<out>/Preprocessing.json
<out>/splits.parquet              `__row__` int64, `__key__` string, `__split__` string (train, val, test), in the
                                  clean table's order
<out>/vocabularies/<feature>.arrow   Arrow IPC: `token` string, `count` int64 and, for text, `idf` float64
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from polyhead.contracts.artifact import Contract, InnerPath, Record
from polyhead.contracts.config import Config
from polyhead.contracts.features import Feature, Section
from polyhead.contracts.targets import Target
from polyhead.errors import ArtifactError, Problem, did_you_mean

SPLITS_TABLE = "splits.parquet"

MISSING_ID, UNSEEN_ID, FIRST_ID = 0, 1, 2
"""Ids of a category: a missing value, a value outside the vocabulary, the vocabulary's first value."""

QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
"""Shares of the train rows whose quantiles a number's statistics hold."""


class PictureQuality(Record):
    """How near the pixels that the model sees are to those of a careful reference, over a sample of train rows.

    The reference decodes at full size and resizes with Pillow's antialiased bilinear filter. The ratio is
    10 log10(255^2 / mean squared error) over a picture's samples, before a shard's JPEG encoding; 99 where the two
    are equal.

    Attributes:
        sample: Pictures compared.
        median: Median peak signal-to-noise ratio, dB.
        lowest: The lowest, dB.
    """

    sample: int
    median: float
    lowest: float


class ImageStatistics(Record):
    """How pictures are decoded; their samples are scaled by a constant.

    Attributes:
        decode: scaled: JPEG files are scaled down to a half, a quarter or an eighth while they are decoded, where
            that is still as large as the feature's size. full: never.
        quality: None where no train row has a readable picture.
    """

    kind: Literal["image"] = "image"
    count: int
    missing: int
    decode: Literal["scaled", "full"]
    quality: PictureQuality | None


class NumericStatistics(Record):
    """Moments of the value and of its signed logarithm, sign(x) * log(1 + |x|), over train rows.

    Variances are population variances, as in scikit-learn's StandardScaler.

    Attributes:
        quantiles: At the shares of `QUANTILES`, between two neighbours in proportion.
        quantile_error: Largest relative error of these neighbours: 0 for up to 32,768 different values, else a power
            of two that depends on how many octaves the values span, usually about 0.0005.
    """

    kind: Literal["numeric"] = "numeric"
    count: int
    missing: int
    mean: float
    variance: float
    log_mean: float
    log_variance: float
    minimum: float
    maximum: float
    quantiles: list[float]
    quantile_error: float


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


class CategoryStatistics(Record):
    """A vocabulary of values, the most frequent first, ties in the order of their code points."""

    kind: Literal["category"] = "category"
    count: int
    missing: int
    vocabulary: VocabularyFile


class TextStatistics(Record):
    """A vocabulary of terms in the order of their code points, with idf = ln((1 + n) / (1 + df)) + 1.

    Attributes:
        documents: Train rows with a text, the n of the formula.
        tokenizer: Name of the tokenizer's definition; see `polyhead.preprocess.tokenizer`.
    """

    kind: Literal["text"] = "text"
    count: int
    missing: int
    documents: int
    tokenizer: str
    ngrams: int
    vocabulary: VocabularyFile


FeatureStatistics = Annotated[
    ImageStatistics | NumericStatistics | CategoryStatistics | TextStatistics, Field(discriminator="kind")
]


class ClassStatistics(Record):
    """Of a binary or multiclass target.

    Attributes:
        classes: In the order of the head's logits; for binary: negative, positive.
        counts: Train rows of each.
        weights: Loss weight of each, 1.0 where the config asks for none.
        missing: Train rows without a label.
    """

    kind: Literal["binary", "multiclass"]
    classes: list[str]
    counts: list[int]
    weights: list[float]
    missing: int


class LabelStatistics(Record):
    """Of a multilabel target.

    Attributes:
        labels: In the order of the head's logits.
        counts: Train rows that have each.
        rows: Train rows with a known set, the empty set included.
        positive_weights: Loss weight of a row that has the label.
        negative_weights: Loss weight of a row that lacks it.
        missing: Train rows without a set.
    """

    kind: Literal["multilabel"] = "multilabel"
    labels: list[str]
    counts: list[int]
    rows: int
    positive_weights: list[float]
    negative_weights: list[float]
    missing: int


class RegressionStatistics(Record):
    """Of a regression target; mean and variance on the transformed scale, median on the raw one.

    Attributes:
        median_error: Largest relative error of the median, as `NumericStatistics.quantile_error`.
    """

    kind: Literal["regression"] = "regression"
    transform: Literal["none", "log"]
    count: int
    missing: int
    mean: float
    variance: float
    median: float
    median_error: float = 0.0


TargetStatistics = Annotated[ClassStatistics | LabelStatistics | RegressionStatistics, Field(discriminator="kind")]


class Preprocessing(Contract):
    """The split and the fitted statistics.

    Attributes:
        features: The features as the config declared them.
        targets: The targets as the config declared them.
        rows: Rows in each split.
        feature_statistics: By feature name.
        target_statistics: By target name.
        warnings: What is allowed but deserves a look.
    """

    FORMAT_VERSION: ClassVar[int] = 3

    format_version: int = 3
    features: dict[str, Feature]
    targets: dict[str, Target]
    rows: dict[str, int]
    feature_statistics: dict[str, FeatureStatistics]
    target_statistics: dict[str, TargetStatistics]
    warnings: list[str]

    @classmethod
    def made_by(cls) -> str:
        """The command that writes this artifact."""
        return "polyhead preprocess"

    def chosen(self, config: Config, place: str | Path) -> Preprocessing:
        """The part that a config uses: its features and targets, in the order that they have here.

        So a model may be trained on fewer columns than the shards hold. What the config uses, the key and the split
        must be as they were. The result is a view for work in memory: it is nobody's artifact.

        Args:
            config: The configuration.
            place: Where this artifact stands, for messages.

        Raises:
            ArtifactError: The config and this artifact differ; all differences at once.
        """
        problems = [
            *_differences("features", config.features, self.features, place),
            *_differences("targets", config.targets, self.targets, place),
        ]
        whole = config.model_copy(update={"features": self.features, "targets": self.targets})
        if whole.data_fingerprint() != self.made_from.get("config"):
            problems.append(Problem(f"{place} was made with another key or split", "key, split", _SAME_CONFIG))
        if problems:
            raise ArtifactError(problems)

        def part(members: dict[str, Any], names: Collection[str]) -> dict[str, Any]:
            return {name: member for name, member in members.items() if name in names}

        return self.model_copy(
            update={
                "features": part(self.features, config.features),
                "feature_statistics": part(self.feature_statistics, config.features),
                "targets": part(self.targets, config.targets),
                "target_statistics": part(self.target_statistics, config.targets),
            }
        )


_SAME_CONFIG = "start again at polyhead validate, or give the config that it was made from"


def _differences(
    group: str, wanted: Mapping[str, Section], held: Mapping[str, Section], place: str | Path
) -> Iterator[Problem]:
    """What a config declares that an artifact lacks or has otherwise."""
    for name, member in wanted.items():
        where = f"{group}.{name}"
        if name not in held:
            yield Problem(f"{place} has no '{name}'", where, did_you_mean(name, list(held)))
        elif member != held[name]:
            ours, theirs = member.model_dump(), held[name].model_dump()
            keys = [key for key in {**ours, **theirs} if ours.get(key) != theirs.get(key)]
            yield Problem(f"{place} was made with another {', '.join(keys)}", where, _SAME_CONFIG)
