"""The user's one file, `polyhead.yaml`, as a strict model."""

from __future__ import annotations

import hashlib
import io
import json
import re
import sys
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import BeforeValidator, Field, ValidationError, field_validator, model_validator

from polyhead.contracts.artifact import Contract
from polyhead.contracts.cluster import ClusterSection, check_cluster
from polyhead.contracts.document import Document, parse_yaml
from polyhead.contracts.gate import (
    BASELINE,
    CALIBRATION_ERROR,
    CONFORMAL_COVERAGE,
    DEPLOYED,
    GATE_SCHEMA,
    Against,
    EverySlice,
    Limit,
    Rule,
    read_gate,
)
from polyhead.contracts.numbers import NumbersSection
from polyhead.contracts.section import Data, Decides, Fit, Section
from polyhead.errors import ArtifactError, ConfigError, InvalidValueError, Problem, did_you_mean
from polyhead.kinds.base import column_names, is_name, weights_of
from polyhead.kinds.features.datetime.config import DatetimeFeature
from polyhead.kinds.union import FEATURES, METRIC_NAMES, TARGETS, Feature, Target

Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = ("train", "val", "test")

_STDIN = "-"


class Fractions(Section):
    """Shares of the rows, which sum to 1."""

    train: float = Field(gt=0, lt=1)
    val: float = Field(ge=0, lt=1)
    test: float = Field(gt=0, lt=1)

    @model_validator(mode="after")
    def _sum_to_one(self) -> Fractions:
        total = self.train + self.val + self.test
        if abs(total - 1) > 1e-9:
            raise InvalidValueError("invalid-fractions", f"train + val + test must add up to 1, received {total:g}")
        return self


class SplitNames(Section):
    """The words of a split column that mean each split, beside `train`, `val` and `test` themselves."""

    train: list[str] = Field([], description="Words that mean train, such as training.")
    val: list[str] = Field([], description="Words that mean val, such as validation or dev.")
    test: list[str] = Field([], description="Words that mean test, such as holdout.")

    @model_validator(mode="after")
    def _one_meaning(self) -> SplitNames:
        words = [word for split in SPLITS for word in set(getattr(self, split))]
        repeated = sorted({word for word in words if words.count(word) > 1})
        if repeated:
            raise InvalidValueError(
                "ambiguous-split", f"{', '.join(repeated)} is listed for several splits: a word can mean only one"
            )
        return self


class TimeColumn(Section):
    """The column by which rows are split in time: numbers, or dates and times as the datetime kind reads them."""

    column: Data[str] = Field(description="A column of numbers, or of dates or times.")
    format: Data[str | None] = Field(
        None, description="How text is read, as a pattern for Python's strptime. Default: ISO 8601, or numbers."
    )
    unit: Data[Literal["s", "ms", "us", "ns"] | None] = Field(
        None, description="What numbers count since 1970-01-01 UTC. Default: they are numbers, and no times."
    )
    time_zone: Data[str] = Field("UTC", description="Time zone of values without an offset, such as Europe/Berlin.")

    @model_validator(mode="after")
    def _as_a_feature(self) -> TimeColumn:
        DatetimeFeature(kind="datetime", format=self.format, unit=self.unit, time_zone=self.time_zone)
        return self


def _named_column(value: object) -> object:
    return {"column": value} if isinstance(value, str) else value


class SplitSection(Section):
    """Which rows train, validate and test: by a column of the table, by a stable hash, or in the order of time."""

    column: Data[str | None] = Field(None, description="A column that holds train, val or test.")
    names: Data[SplitNames | None] = Field(None, description="Other words of the column: {val: [validation, dev]}.")
    group: Data[str | None] = Field(
        None, description="A column whose rows of one value stay together, such as a patient's."
    )
    time: Data[
        Annotated[TimeColumn | None, BeforeValidator(_named_column, json_schema_input_type=TimeColumn | str | None)]
    ] = Field(
        None,
        description="A column of numbers, dates or times: train rows come before val rows, and these before test rows.",
    )
    gap: Data[float | str | None] = Field(
        None,
        description="What has to lie between the rows of two splits in time: a number, or of dates and times a "
        "duration such as 12h or 30d. Rows within it before val and test are left out.",
    )
    stratify: Fit[list[str] | None] = Field(
        None,
        min_length=1,
        description="Targets of which every split gets its share of each class, each label and each range of numbers.",
    )
    fractions: Fit[Fractions | None] = Field(
        None,
        description="Shares by a hash of the key: adding rows moves none. "
        "Default: {train: 0.7, val: 0.15, test: 0.15}.",
    )
    seed: Fit[int] = Field(0, ge=0, description="Another seed is another split.")

    @field_validator("gap", mode="before")
    @classmethod
    def _is_a_gap(cls, value: object) -> object:
        if value is None or (isinstance(value, str) and _DURATION.fullmatch(value)):
            return value
        if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < float("inf"):
            return float(value)
        raise InvalidValueError(
            "invalid-gap",
            f"received {value!r}: give a number of at least 0, or a duration of {', '.join(_SECONDS)}, such as 30d",
        )

    @model_validator(mode="after")
    def _one_way(self) -> SplitSection:
        given = {name for name in type(self).model_fields if getattr(self, name) is not None}
        for first, others in _EXCLUSIVE.items():
            for other in others:
                if {first, other} <= given:
                    raise InvalidValueError("conflicting-keys", f"{first} and {other} are mutually exclusive: keep one")
        if self.names is not None and self.column is None:
            raise InvalidValueError("missing-key", "names lists words of a column: give the column too")
        if self.gap is not None and self.time is None:
            raise InvalidValueError("missing-key", "gap lies between splits in time: give time too")
        if self.stratify is not None and len(set(self.stratify)) < len(self.stratify):
            raise InvalidValueError("repeated-head", "stratify lists a head twice: name each once")
        return self

    @property
    def meanings(self) -> dict[str, Split]:
        """The split that each word of the column means."""
        given = {word: split for split in SPLITS for word in getattr(self.names, split, ())}
        return {**{split: split for split in SPLITS}, **given}

    @property
    def shares(self) -> Fractions:
        """The fractions in force where there is no split column."""
        return self.fractions or Fractions(train=0.7, val=0.15, test=0.15)

    @property
    def gap_size(self) -> float:
        """The gap in units of the time column, which of dates and times are seconds; 0 without one."""
        return _seconds(self.gap) if isinstance(self.gap, str) else self.gap or 0.0


_EXCLUSIVE = {"column": ("fractions", "time", "stratify"), "time": ("group", "stratify")}
"""Keys of `split` that say different things about the same rows."""

_SECONDS = {"s": 1, "min": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_DURATION = re.compile(rf"[0-9]+(?:\.[0-9]+)?\s?(?:{'|'.join(_SECONDS)})")


def _seconds(duration: str) -> float:
    """A duration as `_DURATION` has it, in seconds."""
    number, unit = re.findall(r"[0-9.]+|[a-z]+", duration)
    return float(number) * _SECONDS[unit]


class ValidateSection(Section):
    """What happens to rows that do not fit."""

    on_bad_row: Literal["reject", "fail"] = Field(
        "reject", description="reject: set the row aside with its reason and continue; fail: stop at any."
    )
    max_rejected: float = Field(0.1, ge=0, le=1, description="Share of rejected rows above which the step fails.")
    leakage: Literal["warn", "fail", "move"] = Field(
        "warn",
        description="What findings such as the same picture in two splits lead to. warn: they are reported; fail: "
        "any of them stops the step; move: rows that are the same, or have the same or nearly the same picture, go to "
        "one split, that of most of them.",
    )
    max_pixels: int = Field(100_000_000, ge=1, description="Largest picture, height times width, that is ever decoded.")
    images: Literal["header", "decode"] = Field(
        "header",
        description="header: read every picture's header and hash its bytes, so that a picture that does not decode is "
        "rejected while sharding; decode: decode every picture now, and note a perceptual hash.",
    )


class ShardSection(Section):
    """How the rows are packed."""

    megabytes: int = Field(128, ge=1, le=4096, description="Size of one shard, about, in MiB.")


class ModelSection(Section):
    """The size of the model. What is not given follows from the train rows, see `polyhead.train.sizes`."""

    width: int | None = Field(
        None,
        ge=4,
        le=4096,
        description="Units of each encoder's vector and of the combiner. Default: 64, doubled with every tenfold of "
        "rows from 100,000 train rows on, at most 512.",
    )
    dropout: float | None = Field(
        None,
        ge=0,
        lt=1,
        description="Share of the combiner's units dropped while training. Default: 0.3, from 10,000 train rows on 0.1 "
        "less with every tenfold, at least 0.05.",
    )
    image_dropout: float | None = Field(
        None,
        ge=0,
        lt=1,
        description="Chance that a picture is hidden while training, at least the 0.02 of every other feature. "
        "Default: 0.3, and 0 where the picture is the only feature.",
    )


class ResampleSection(Section):
    """Which rows of an epoch come more than once."""

    head: str = Field(description="A binary, multiclass or ordinal target.")
    ratio: float = Field(
        gt=0,
        le=1,
        description="Rows of a rarer class that an epoch draws at least, as a share of the commonest class's rows: 1 "
        "makes all classes as frequent.",
    )


class TrainSection(Section):
    """How the model is trained. What is not given follows from the train rows, see `polyhead.train.sizes`."""

    epochs: int | None = Field(
        None,
        ge=1,
        description="Most passes over the train rows. Default: 30, from 30,000 train rows on fewer, at least 8.",
    )
    batch_size: int | None = Field(
        None,
        ge=1,
        description="Rows of a step. Default: the power of two next to the square root of the train rows, from 32 to "
        "4,096, and no more pixels than fit into 256 MiB.",
    )
    seed: int = Field(0, ge=0, description="Initial weights, shuffling and dropout.")
    learning_rate: float | None = Field(
        None,
        gt=0,
        description="The highest. Default: 0.002 for batches of 32 rows, growing with their fourth root.",
    )
    weight_decay: float | None = Field(
        None, ge=0, description="Default: 0.01, from 100,000 train rows on less, by the square root of the rows."
    )
    patience: int | None = Field(
        None,
        ge=1,
        description="Epochs without a better joint validation score before training stops. Default: a third of the "
        "epochs, from 3 to 10.",
    )
    time_budget: float | str | None = Field(
        None,
        description="The longest that training may take: minutes, or a duration such as 90s, 20min or 2h. No epoch "
        "begins that would end later, the best one so far is kept, and the report says so; the first epoch and the "
        "export may go beyond. Default: as long as it takes.",
    )
    loss_balancing: Literal["fixed", "uncertainty"] = Field(
        "fixed",
        description="How heads are balanced. fixed: by loss_weight alone; uncertainty: the loss of each head is also "
        "divided by a variance that is learned with the network, about twice the loss, so that heads with large losses "
        "do not drown the others.",
    )
    resample: ResampleSection | None = Field(
        None,
        description="Oversampling: {head: sold, ratio: 0.5} draws the rows of the rarer classes again, in each epoch "
        "others, by train.seed. What it shifts is taken out of the head's probabilities, and the other heads' losses "
        "stay as they are.",
    )
    mixup: float = Field(
        0.0,
        ge=0,
        le=10,
        description="Mix every train row with another, features and targets, by a share from the Beta distribution "
        "with this for both parameters: 0.2 mixes a little, 1 evenly, 0 never.",
    )
    cutmix: float = Field(
        0.0,
        ge=0,
        le=10,
        description="Likewise, but pictures are not blended: a rectangle of the other row's is pasted into the row's.",
    )

    @field_validator("time_budget", mode="before")
    @classmethod
    def _is_a_time(cls, value: object) -> object:
        if value is None or (isinstance(value, str) and _DURATION.fullmatch(value) and _seconds(value) > 0):
            return value
        if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < float("inf"):
            return float(value)
        raise InvalidValueError(
            "invalid-time-budget",
            f"received {value!r}: give minutes above 0, or a duration of {', '.join(_SECONDS)}, such as 20min",
        )

    @property
    def budget_seconds(self) -> float | None:
        """The time budget in seconds; None without one."""
        if self.time_budget is None:
            return None
        return _seconds(self.time_budget) if isinstance(self.time_budget, str) else 60 * self.time_budget


class EnsembleSection(Section):
    """The simple models beside the network: its references in the report, and what its heads may be blended with."""

    use: Literal["auto", "blend", "off"] = Field(
        "auto",
        description="auto: a head is blended where the blend is better than the network on val rows that had no part "
        "in choosing its weights, or within one standard error of it: the network's epoch was chosen on the same rows, "
        "so its loss is too good to break a tie; blend: every head is; off: none is.",
    )
    members: list[Literal["linear", "boosted"]] = Field(
        ["linear", "boosted"],
        description="Models that are fitted beside the network: ridge or logistic regression, and histogram boosting.",
    )
    seeds: int = Field(1, ge=1, le=20, description="Networks, each with a seed of its own, whose outputs are averaged.")
    refit: bool = Field(
        False,
        description="Fit all models once more, on train and val rows, after epochs, weights of blends and thresholds "
        "were chosen on the val rows.",
    )

    @model_validator(mode="after")
    def _once(self) -> EnsembleSection:
        if len(set(self.members)) < len(self.members):
            raise InvalidValueError("repeated-member", "a member is listed twice: name each once")
        return self


class EvaluateSection(Section):
    """What the report shows."""

    slices: Literal["auto"] | list[str] = Field(
        "auto",
        description="Features by which the headline metric is also shown: by the values of categories, booleans and "
        "multicategories, by quarters of numbers, by periods of dates, and of any feature where it is missing. auto: "
        "the first 100 features, slices of ten rows and more. Default: auto.",
    )
    worth: bool = Field(
        True,
        description="Measure on up to 5,120 test rows what the headline metric loses without each feature, each kind "
        "of input and all tied pictures. Default: true.",
    )
    maps: int = Field(
        2,
        ge=0,
        le=10,
        description="Rows of each head, as many of the best as of the worst, whose pictures are covered part by part "
        "to show on what the answer rests; 24 rows at most, and not of pictures with a frozen encoder. 0: none.",
    )
    against: str | None = Field(
        None,
        min_length=1,
        description="A deployed bundle to compare with on the same rows: a folder that train wrote or a published "
        "version, relative to this file or in a bucket; or latest, the version in force at publish.to. Default: none.",
    )
    bootstrap: int = Field(
        2_000,
        ge=0,
        le=10_000,
        description="Resamples behind the 95 % intervals of losses and errors; below 1,000 these have none.",
    )


class CrossValidateSection(Section):
    """How often the whole fit is done again, on other rows and with other seeds."""

    folds: int = Field(5, ge=2, le=100, description="Parts of the rows, each predicted by a model of the others.")
    repeats: int = Field(1, ge=1, le=100, description="Times that is done, each with other folds and another seed.")


class PublishSection(Section):
    """Where a model goes that passed the gate."""

    to: str | None = Field(
        None,
        min_length=1,
        description="A folder of versions: a local one, relative to this file, or gs://, s3:// or minio://.",
    )
    ungated: bool = Field(False, description="Publish although the config has no gate.")

    @model_validator(mode="after")
    def _known_scheme(self) -> PublishSection:
        if self.to and "://" in self.to and not re.match(r"(?:gs|s3|minio)://[^/]", self.to):
            raise InvalidValueError(
                "unknown-scheme",
                f"cannot publish to {self.to}: give a local path, gs://, s3:// or minio://bucket/folder",
            )
        return self


class Config(Section):
    """The whole of `polyhead.yaml`. `table`, `features` and `targets` alone make a good model."""

    table: str = Field(
        min_length=1,
        description="Parquet, Arrow, ORC, CSV or JSON Lines: a file, a folder or a pattern of files; relative to this "
        "file; gs://, s3:// and minio:// too; or a table in BigQuery, bq://project.dataset.table.",
    )
    image_root: str | None = Field(
        None, description="Where image paths start, relative to the table's folder. Default: that folder."
    )
    key: str | None = Field(None, description="Column that names rows. Default: the row's position.")
    numbers: NumbersSection = NumbersSection()
    features: dict[str, Feature] = Field(min_length=1)
    targets: dict[str, Target] = Field(min_length=1)
    weight: str | None = Field(
        None,
        min_length=1,
        description="Column of row weights of all heads that have none of their own: numbers from 0. Predict does not "
        "need it. Default: every row weighs 1.",
    )
    split: SplitSection = SplitSection()
    validate_: ValidateSection = Field(ValidateSection(), alias="validate")
    shard: ShardSection = ShardSection()
    model: ModelSection = ModelSection()
    train: TrainSection = TrainSection()
    ensemble: EnsembleSection = EnsembleSection()
    evaluate: EvaluateSection = EvaluateSection()
    cross_validate: CrossValidateSection = CrossValidateSection()
    gate: dict[str, Any] = Field(
        {},
        description='Per head and metric a rule, or a list of them: ">= 0.6", "beats baseline", "beats linear", "not '
        'worse than deployed by 0.01", "every slice >= 0.5 with at least 50 rows". any and all join lists of rules, of '
        "metrics with their rules, and of heads. Beside metrics there are calibration_error and conformal_coverage.",
    )
    publish: PublishSection = PublishSection()
    cluster: ClusterSection = ClusterSection()

    @model_validator(mode="before")
    @classmethod
    def _weight_of_all_heads(cls, document: Any) -> Any:
        """Gives each target that says nothing of its weight the one of all heads; null is an answer."""
        if not isinstance(document, Mapping):
            return document
        column, targets = document.get("weight"), document.get("targets")
        if not isinstance(column, str) or not isinstance(targets, Mapping):
            return document
        weighed = {
            name: {"weight": column, **body} if isinstance(body, Mapping) else body for name, body in targets.items()
        }
        return {**document, "targets": weighed}

    def bare(self) -> Config:
        """This with an evaluation of which only the predictions are wanted."""
        evaluate = EvaluateSection(bootstrap=0, slices=[], worth=False, maps=0)
        return self.model_copy(update={"evaluate": evaluate, "gate": {}})

    def with_against(self, place: str | None) -> Self:
        """This with another `evaluate.against`."""
        return self.model_copy(update={"evaluate": self.evaluate.model_copy(update={"against": place})})

    def column_of(self, name: str) -> str:
        """The table's column behind a feature or target name; of several, the first and the last."""
        columns = self.columns_of(name)
        return columns[0] if len(columns) == 1 else f"{columns[0]}..{columns[-1]}"

    def columns_of(self, name: str) -> list[str]:
        """The table's columns behind a feature or target name: one, or several whose cells are a list."""
        return (self.features[name] if name in self.features else self.targets[name]).columns_of(name)

    @property
    def columns(self) -> list[str]:
        """Every column that the configuration reads, without repeats, in the file's order."""
        split = self.split
        time = None if split.time is None else split.time.column
        named = [self.key, *self.member_columns, split.column, split.group, time]
        return list(dict.fromkeys(column for column in named if column is not None))

    @property
    def member_columns(self) -> list[str]:
        """The columns of the features, the targets and their row weights, without repeats, in the file's order."""
        members = (column for name in (*self.features, *self.targets) for column in self.columns_of(name))
        return list(dict.fromkeys([*members, *weights_of(self.targets)]))

    @property
    def time_reading(self) -> DatetimeFeature | None:
        """How the dates and times of `split.time` are read: as the section says, or the datetime feature of its column.

        None where the configuration has no such column.
        """
        time = self.split.time
        if time is None:
            return None
        said = time.model_dump(exclude={"column"}, exclude_defaults=True)
        for name, feature in self.features.items():
            if feature.time_reading is not None and not said and self.column_of(name) == time.column:
                return feature.time_reading
        return DatetimeFeature.model_validate({"kind": "datetime", **said})

    @property
    def pictured(self) -> dict[str, Feature]:
        """The features whose cells are paths of pictures, by name, in the file's order."""
        return {name: feature for name, feature in self.features.items() if feature.PICTURES}

    @property
    def files(self) -> list[str]:
        """Files beside the table that the features name, without repeats."""
        return list(dict.fromkeys(file for feature in self.features.values() for file in feature.files))

    @property
    def encoded(self) -> dict[str, Feature]:
        """The features whose values `encode` replaces in the shards, by name, in the file's order."""
        return {name: feature for name, feature in self.features.items() if feature.is_encoded}

    def fingerprint(self, contract: type[Contract]) -> str:
        """SHA-256 of what decides an artifact, of the key, the numbers, the features, the targets and the split.

        Another `loss_weight`, for one, is another bundle made from the same shards. The other sections are not in it.
        """
        what = contract.DECIDED_BY
        chosen: dict[str, object] = {
            "key": self.key,
            "features": {name: feature.deciding(what) for name, feature in self.features.items()},
            "targets": {name: target.deciding(what) for name, target in self.targets.items()},
            "split": self.split.deciding(what),
        }
        if self.numbers != NumbersSection():  # plain numbers are those of artifacts that do not say
            chosen["numbers"] = self.numbers.deciding(what)
        if Decides.FIT in what and self.validate_.leakage == "move":
            chosen["leakage"] = "move"
        return hashlib.sha256(json.dumps(chosen, sort_keys=True).encode()).hexdigest()

    def with_seed(self, seed: int | None) -> Self:
        """This configuration with another training seed; the split keeps its own. None changes nothing."""
        if seed is None:
            return self
        return self.model_copy(update={"train": self.train.model_copy(update={"seed": seed})})


@dataclass(frozen=True)
class ConfigFile:
    """A configuration with its text, which a pipeline hands to its steps.

    Attributes:
        path: The file, or `-` for stdin.
        text: The YAML.
        document: The text with the lines of its keys.
        config: What it says.
    """

    path: Path
    text: str
    document: Document
    config: Config

    @classmethod
    def read(cls, path: str | Path) -> Self:
        """Read and check a file.

        Args:
            path: A YAML file, or `-` for stdin, which can be read once.

        Raises:
            ConfigError: The file cannot be read, or anything in it is wrong; all problems at once.
        """
        return cls.parse(read_config_text(path), path)

    @classmethod
    def parse(cls, text: str, path: str | Path = "config") -> Self:
        """Check a text.

        Args:
            text: The YAML.
            path: The file that it comes from; messages call it by its name.

        Raises:
            ConfigError: All problems at once, each with its path in the file and its line.
        """
        document = parse_yaml(text, name=_shown(path))
        problems = list(document.problems)
        config: Config | None = None
        if document.value is not None:
            try:
                config = Config.model_validate(document.value)
            except ValidationError as error:
                problems += [_problem(document, detail) for detail in error.errors() if not _is_other_branch(detail)]
            problems += _cross_checks(document)
        if problems:
            raise ConfigError(sorted(set(problems), key=lambda problem: document.order(problem.where)))
        assert config is not None
        return cls(Path(path), text, document, config)


def load_config(path: str | Path) -> Config:
    """The configuration of a file; see `ConfigFile.read`."""
    return ConfigFile.read(path).config


def parse_config(text: str, *, name: str = "config") -> Config:
    """The configuration of a text; see `ConfigFile.parse`."""
    return ConfigFile.parse(text, name).config


def read_config_text(path: str | Path) -> str:
    """The text of a configuration file, or of stdin for `-`, unchecked. Stdin can be read once.

    Raises:
        ConfigError: The file cannot be read as UTF-8 text.
    """
    place = _shown(path) if str(path) == _STDIN else str(path)
    try:
        if str(path) == _STDIN:
            return io.TextIOWrapper(io.BytesIO(sys.stdin.buffer.read()), encoding="utf-8").read()
        return Path(path).read_text(encoding="utf-8")
    except FileNotFoundError:
        hint = "write one with: polyhead init TABLE --target COL"
        raise ConfigError("file-not-found", "no such file", where=str(path), hint=hint) from None
    except IsADirectoryError:
        raise ConfigError("not-a-file", "is a folder, not a file", where=str(path)) from None
    except UnicodeDecodeError as error:
        raise ConfigError("not-utf8", f"is not UTF-8 text: {error}", where=place, hint="save it as UTF-8") from None
    except OSError as error:
        raise ConfigError("not-readable", f"cannot be read: {error.strerror}", where=place) from None


def _shown(path: str | Path) -> str:
    """What messages call a configuration file."""
    return "<stdin>" if str(path) == _STDIN else Path(path).name


def require_config(config: Config, artifact: Contract, place: str | Path) -> None:
    """Refuse an artifact that was made from other features, targets, key, split or numbers than the given config's.

    Only what decides the artifact counts, see `Contract.DECIDED_BY`.

    Raises:
        ArtifactError: They differ; the message names both fingerprints.
    """
    made_from, given = artifact.made_from.get("config", "unknown"), config.fingerprint(type(artifact))
    if made_from != given:
        raise ArtifactError(
            "config-mismatch",
            f"was made from other features, targets, key, split or numbers ({made_from[:12]}) "
            f"than the config's ({given[:12]})",
            where=str(place),
            hint=f"run {artifact.made_by()} again, or give the config that it was made from",
        )


def json_schema() -> dict[str, Any]:
    """The JSON Schema of `polyhead.yaml`, for editors."""
    schema = Config.model_json_schema(by_alias=True)
    schema["properties"]["gate"] |= GATE_SCHEMA
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "polyhead.yaml"}


_KINDS: dict[str, type[Section]] = {**FEATURES, **TARGETS}


def _keys(model: type[Section]) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items()]


def _section_at(path: list[str], start: type[Section] = Config) -> type[Section] | None:
    """The part of the configuration at a path that leads through sections and lists of them, the whole by default."""
    found: Any = start
    for part in path:
        if part.isdigit():
            continue
        if isinstance(found, type) and issubclass(found, Section):
            fields = {field.alias or name: field.annotation for name, field in found.model_fields.items()}
            found = fields.get(part)
            found = next((one for one in get_args(found) if one is not type(None)), found)  # of `… | None`, `list[…]`
        else:
            return None
    return found if isinstance(found, type) and issubclass(found, Section) else None


def _is_other_branch(detail: Any) -> bool:
    """Whether an error is about the branch of `word | mapping` that the user did not take."""
    last = str(detail["loc"][-1])
    if last.startswith("dict["):
        return isinstance(detail["input"], str)
    return last.startswith("literal[") and not isinstance(detail["input"], str)


def _problem(document: Document, detail: Any) -> Problem:
    """One pydantic error as a problem in the user's words."""
    path = [str(part) for part in detail["loc"] if not str(part).startswith(("dict[", "literal[", "[key]"))]
    if len(path) >= 3 and path[0] in ("features", "targets") and path[2] in _KINDS:
        del path[2]  # pydantic inserts the union's tag
    kind, received = detail["type"], detail["input"]
    known = list(FEATURES if path[0] == "features" else TARGETS)
    if kind == "extra_forbidden":
        return Problem(
            "unknown-key",
            f"unknown key '{path[-1]}'",
            where=document.where(path),
            hint=did_you_mean(path[-1], _siblings(document, path)),
        )
    if kind == "union_tag_invalid":
        word = str(detail["ctx"]["tag"])
        return Problem(
            "unknown-kind",
            f"unknown kind '{word}'",
            where=document.where([*path, "kind"]),
            hint=did_you_mean(word, known),
        )
    if kind == "union_tag_not_found":
        return Problem(
            "missing-kind", "no kind", where=document.where(path), hint=f"write {{kind: …}}, one of: {', '.join(known)}"
        )
    if kind == "missing":
        return Problem("missing-key", "is missing", where=document.where(path), hint=f"add {path[-1]}: …")
    if kind == "literal_error":
        words = re.findall(r"[^', ]+", detail["ctx"]["expected"].replace(" or ", " "))
        return Problem(
            "invalid-choice",
            f"received {received!r}",
            where=document.where(path),
            hint=_SHAPE_HINTS.get(path[-1]) or did_you_mean(str(received), words),
        )
    message = str(detail["msg"]).removeprefix("Value error, ")
    shown = repr(received)
    shown = shown if len(shown) <= 60 else shown[:57] + "…"
    if kind == "value_error":
        return Problem(detail["ctx"]["error"].code, message, where=document.where(path))
    if kind == "string_type" and path[0] == "cluster" and path[-2:-1] == ["env"]:
        return Problem(
            "not-text", "is not text", where=document.where(path), hint="put it in quotes"
        )  # it may be secret: not shown
    if kind == "string_type" and isinstance(received, (bool, int, float)):
        hint = f'put it in quotes: "{received}"'
        return Problem("not-text", f"received {received!r}, which is not text", where=document.where(path), hint=hint)
    hint = _SHAPE_HINTS.get(path[-1]) or _SHAPE_HINTS.get(kind, "")
    is_member = len(path) == 2 and path[0] in ("features", "targets")
    if is_member and kind in ("model_attributes_type", "model_type", "dict_type"):
        message, hint = "Needs keys and values", f"write {{kind: …}}, one of: {', '.join(known)}"
    message = message[0].lower() + message[1:]
    return Problem(_code(kind), f"{message}, received {shown}", where=document.where(path), hint=hint)


_CODES = {
    "greater_than": "out-of-range",
    "greater_than_equal": "out-of-range",
    "less_than": "out-of-range",
    "less_than_equal": "out-of-range",
    "finite_number": "out-of-range",
    "too_short": "wrong-length",
    "too_long": "wrong-length",
    "string_too_short": "wrong-length",
    "string_too_long": "wrong-length",
    "string_pattern_mismatch": "invalid-format",
}
"""The codes of pydantic's words for an error; those for a wrong type end in `_type`, `_parsing` or `_from_float`."""


def _code(kind: str) -> str:
    return _CODES.get(kind) or (
        "wrong-type" if kind.endswith(("_type", "_parsing", "_from_float")) else "invalid-value"
    )


_SHAPE_HINTS = {
    "size": "give height and width in pixels: [128, 128]",
    "clip": "give the lowest and the highest number: [0, 100], or null for an end that is open",
    "decimal": "give '.' or ',' in quotes",
    "thousands": """give '.', ',', ' ' or "'" in quotes""",
    "time": "give a column, or {column: …, format: …}",
    "model_attributes_type": "give keys and values",
    "model_type": "give keys and values",
    "dict_type": "give keys and values",
    "list_type": "give a list: [a, b]",
}
"""What to write instead, by the config's key or by pydantic's word for the error."""


def _siblings(document: Document, path: list[str]) -> list[str]:
    """The keys that are valid beside an unknown one."""
    if path[0] in ("features", "targets") and len(path) >= 3:
        kind = _KINDS.get(str(document.get([*path[:2], "kind"])))
        section = kind and _section_at(path[2:-1], kind)
        return _keys(section) if section else []
    section = _section_at(path[:-1])
    return _keys(section) if section else []


def _cross_checks(document: Document) -> list[Problem]:
    """What no single field can see: names, columns used twice, slices, the gate, publishing, tied sizes, pods.

    Works on the raw document, so that these are reported beside a wrong field elsewhere.
    """
    return [
        *_check_names(document),
        *_check_columns(document),
        *_check_loss_weights(document),
        *_check_stratify(document),
        *_check_slices(document),
        *_check_gate(document),
        *_check_publish(document),
        *_check_cutmix(document),
        *_check_leakage(document),
        *_check_resample(document),
        *_check_conflicts(document),
        *check_cluster(document),
    ]


def _members(document: Document) -> Iterator[tuple[str, str, Any]]:
    """Every feature and target: its group, name and body."""
    for group in ("features", "targets"):
        for name, body in document.mapping([group]).items():
            yield group, name, body


def _check_names(document: Document) -> Iterator[Problem]:
    folded: dict[str, str] = {}
    for group, name, _ in _members(document):
        other = folded.setdefault(name.lower(), name)
        if other != name:
            hint = "give one of them another name, and its column as {column: …}"
            yield Problem(
                "ambiguous-name",
                f"'{name}' and '{other}' differ only in case",
                where=document.where([group, name]),
                hint=hint,
            )
        if not is_name(name):
            hint = "use letters, digits and single _, starting with a letter, and give the column as {column: …}"
            yield Problem(
                "invalid-name",
                f"'{name}' is not a valid name for a model input or output",
                where=document.where([group, name]),
                hint=hint,
            )
        if group == "targets" and name in document.mapping(["features"]):
            hint = "a target cannot be its own input"
            yield Problem(
                "target-is-feature", f"'{name}' is also a feature", where=document.where([group, name]), hint=hint
            )


def _check_columns(document: Document) -> Iterator[Problem]:
    uses: dict[str, list[tuple[str, ...]]] = {}

    def use(column: object, *path: str) -> None:
        if isinstance(column, str):
            uses.setdefault(column, []).append(path)

    use(document.get(["key"]), "key")
    use(document.get(["split", "column"]), "split", "column")
    use(document.get(["weight"]), "weight")
    for name in ("group", "time"):
        path = ["split", name, "column"] if document.mapping(["split", name]) else ["split", name]
        use(document.get(path), *path)
    for group, name, body in _members(document):
        own = body if isinstance(body, dict) else {}
        several = column_names(own.get("columns"))
        for column in several or [own.get("column") or name]:
            use(column, group, name)
        if group == "targets":
            use(own.get("weight"), group, name, "weight")
    for column, places in uses.items():
        first, *others = places
        if all(place[-1] == "weight" and len(place) != 2 for place in places):
            continue  # several heads may have the same weights
        if not others or places == [("features", first[-1]), ("targets", first[-1])]:
            continue  # one name as a feature and a target is reported with the names
        if len(places) == 2 and first[:2] in _ALSO_FEATURES and others[0][0] == "features":
            continue
        named = ", ".join(".".join(place) for place in others)
        hint = (
            "a key as a feature lets the model memorise rows; remove one"
            if first == ("key",) and {place[0] for place in others} == {"features"}
            else "a column serves one purpose; remove one"
        )
        yield Problem(
            "column-used-twice", f"column '{column}' is also used by {named}", where=document.where(first), hint=hint
        )


_ALSO_FEATURES = (("split", "group"), ("split", "time"))
"""What a column can be beside a feature: a model may know when and of whom a row is."""


def _kind(document: Document, group: str, name: str) -> str:
    return str(document.get([group, name, "kind"]))


def _features_of(document: Document, kinds: Collection[str]) -> dict[str, Any]:
    """The bodies of the features of some kinds, by name."""
    bodies = document.mapping(["features"])
    return {name: body for name, body in bodies.items() if _kind(document, "features", name) in kinds}


def _check_loss_weights(document: Document) -> Iterator[Problem]:
    """A model all of whose heads weigh nothing would learn nothing."""
    targets = document.mapping(["targets"])
    weights = [body.get("loss_weight", 1) for body in targets.values() if isinstance(body, dict)]
    if weights and len(weights) == len(targets) and all(weight == 0 for weight in weights):
        hint = "remove loss_weight, or give one target a weight above 0"
        yield Problem(
            "no-loss-weight",
            "no target has a loss_weight above 0, so nothing would be learned",
            where=document.where(["targets"]),
            hint=hint,
        )


def _check_slices(document: Document) -> Iterator[Problem]:
    features = list(document.mapping(["features"]))
    slices = document.get(["evaluate", "slices"])
    for name in slices if isinstance(slices, list) else []:
        if isinstance(name, str) and name not in features:
            yield Problem(
                "unknown-feature",
                f"'{name}' is not a feature",
                where=document.where(["evaluate", "slices"]),
                hint=did_you_mean(name, features),
            )


def _check_stratify(document: Document) -> Iterator[Problem]:
    targets = document.mapping(["targets"])
    heads = document.get(["split", "stratify"])
    for head in heads if isinstance(heads, list) else []:
        if isinstance(head, str) and head not in targets:
            yield Problem(
                "unknown-target",
                f"'{head}' is not a target",
                where=document.where(["split", "stratify"]),
                hint=did_you_mean(head, list(targets)),
            )


def _check_gate(document: Document) -> Iterator[Problem]:
    joined, faults = read_gate(document.mapping(["gate"]))
    for path, code, what, hint in faults:
        yield Problem(code, what, where=document.where(["gate", *path]), hint=hint)
    targets = document.mapping(["targets"])
    unknown: set[str] = set()
    for rule in joined.rules():
        where = document.where(["gate", *rule.path])
        if rule.head in targets:
            yield from _check_rule(document, rule, where)
        elif rule.head not in unknown:
            unknown.add(rule.head)
            where = document.where(["gate", *rule.path[: rule.path.index(rule.head) + 1]])
            hint = did_you_mean(rule.head, list(targets))
            yield Problem("unknown-target", f"'{rule.head}' is not a target", where=where, hint=hint)


def _check_rule(document: Document, rule: Rule, where: str) -> Iterator[Problem]:
    kind = _kind(document, "targets", rule.head)
    metrics = METRIC_NAMES.get(kind, ())
    if not metrics:
        return  # the kind is a problem of its own
    beside = [*([CALIBRATION_ERROR] if "log_loss" in metrics else []), CONFORMAL_COVERAGE]
    if rule.metric not in metrics and rule.metric not in beside:
        what = f"a {kind} head has no metric '{rule.metric}'"
        yield Problem("unknown-metric", what, where=where, hint=did_you_mean(rule.metric, [*metrics, *beside]))
        return
    if rule.weighted:
        own = document.mapping(["targets", rule.head])
        if rule.metric in beside:
            what = f"{rule.metric} is not measured by row weights"
            yield Problem("no-row-weights", what, where=where, hint='leave "by row weights" out')
        elif (own["weight"] if "weight" in own else document.get(["weight"])) is None:
            what = f"'{rule.head}' has no row weights"
            hint = f'give it a column: {{{rule.head}: {{weight: …}}}}, or leave "by row weights" out'
            yield Problem("no-row-weights", what, where=where, hint=hint)
    match rule.condition:
        case Limit():
            return
        case EverySlice() if rule.metric not in (metrics[0], CONFORMAL_COVERAGE):
            what = f"{rule.metric} is not measured on slices"
            yield Problem("unsliced-metric", what, where=where, hint=f"use {metrics[0]}, the head's first metric")
        case Against() if rule.metric in beside:
            what = f"{rule.metric} is not compared with other models"
            yield Problem("uncompared-metric", what, where=where, hint='write ">= 0.9" or "<= 0.05", in quotes')
        case Against(reference=reference):
            yield from _check_reference(document, reference, where)


def _check_reference(document: Document, reference: str, where: str) -> Iterator[Problem]:
    """A model that a rule names has to be there when the rule is judged."""
    if reference == DEPLOYED:
        if not document.get(["evaluate", "against"]):
            hint = "add evaluate.against: the place where models are published"
            yield Problem("missing-key", "no deployed model is compared", where=where, hint=hint)
        return
    members = document.get(["ensemble", "members"])
    if not isinstance(members, list):
        members = EnsembleSection().members
    features = document.mapping(["features"])
    alone = dict.fromkeys(_kind(document, "features", name) for name in features)
    known = [BASELINE, DEPLOYED, *members, *alone]
    if reference not in known:
        what = f"there is no model '{reference}' beside the heads"
        yield Problem("unknown-reference", what, where=where, hint=did_you_mean(reference, known))


def _check_publish(document: Document) -> Iterator[Problem]:
    """A model without a gate would be refused after hours of training, so this is reported before."""
    publish = document.mapping(["publish"])
    if publish.get("to") and not publish.get("ungated") and not any(document.mapping(["gate"]).values()):
        hint = "add rules to gate, or write publish.ungated: true"
        yield Problem("no-gate", "there is no gate to pass", where=document.where(["publish", "to"]), hint=hint)


def _check_cutmix(document: Document) -> Iterator[Problem]:
    """Without a picture there is nothing to cut."""
    kinds = [kind for kind, feature in FEATURES.items() if feature.PICTURES]
    if document.get(["train", "cutmix"]) and not _features_of(document, kinds):
        yield Problem(
            "no-picture",
            "there is no picture to cut and paste",
            where=document.where(["train", "cutmix"]),
            hint="use train.mixup, which mixes every kind of feature",
        )


def _check_resample(document: Document) -> Iterator[Problem]:
    """Only a head with one class a row says which rows are rare."""
    head = document.get(["train", "resample", "head"])
    if not isinstance(head, str):
        return
    kinds = [kind for kind, target in TARGETS.items() if target.RESAMPLES]
    fitting = [name for name in document.mapping(["targets"]) if _kind(document, "targets", name) in kinds]
    if head not in fitting:
        named = f"{', '.join(kinds[:-1])} or {kinds[-1]}"
        own = f"class_weight of '{head}' weighs each label by itself, and train.resample cannot: a row has several"
        is_multilabel = _kind(document, "targets", head) == "multilabel"
        yield Problem(
            "unknown-target",
            f"'{head}' is not a {named} target",
            where=document.where(["train", "resample", "head"]),
            hint=own if is_multilabel else did_you_mean(head, fitting) or f"there is no {named} target",
        )


def _check_leakage(document: Document) -> Iterator[Problem]:
    """Rows that are moved to where their duplicates are would leave their group, or their place in time."""
    if document.get(["validate", "leakage"]) != "move":
        return
    for key in ("group", "time"):
        if document.get(["split", key]) is not None:
            yield Problem(
                "conflicting-keys",
                f"leakage: move would move rows against split.{key}",
                where=document.where(["validate", "leakage"]),
                hint=f"write leakage: warn or fail, or leave split.{key} out",
            )


def _check_conflicts(document: Document) -> Iterator[Problem]:
    """What the features of one kind are to each other."""
    for kind, feature in FEATURES.items():
        for name, key, code, what, hint in feature.conflicts(_features_of(document, [kind])):
            yield Problem(code, what, where=document.where(["features", name, *key.split(".")]), hint=hint)
