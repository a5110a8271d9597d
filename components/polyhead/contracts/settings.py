"""The sections of a configuration that say how each step works."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field, field_validator, model_validator

from polyhead.contracts.durations import DURATION, UNITS, seconds
from polyhead.contracts.section import Section
from polyhead.errors import InvalidValueError


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
        if value is None or (isinstance(value, str) and DURATION.fullmatch(value) and seconds(value) > 0):
            return value
        if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < float("inf"):
            return float(value)
        raise InvalidValueError(
            "invalid-time-budget",
            f"received {value!r}: give minutes above 0, or a duration of {', '.join(UNITS)}, such as 20min",
        )

    @property
    def budget_seconds(self) -> float | None:
        """The time budget in seconds; None without one."""
        if self.time_budget is None:
            return None
        return seconds(self.time_budget) if isinstance(self.time_budget, str) else 60 * self.time_budget


class EnsembleSection(Section):
    """The simple models beside the network: its references in the report, and what its heads may be blended with."""

    use: Literal["auto", "blend", "off"] = Field(
        "auto",
        description="auto: a head is blended by weights that its val rows choose, and is the network alone where fewer "
        "than 20 of them have a known target; blend: likewise, and there in equal shares; off: none is blended.",
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
