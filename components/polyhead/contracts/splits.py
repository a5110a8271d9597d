"""The `split` section of a configuration: which rows train, validate and test."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from polyhead.contracts.durations import DURATION, UNITS, seconds
from polyhead.contracts.section import Data, Fit, Section
from polyhead.errors import InvalidValueError
from polyhead.kinds.features.datetime.config import DatetimeFeature

Split = Literal["train", "val", "test"]

SPLITS: tuple[Split, ...] = ("train", "val", "test")


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
        if value is None or (isinstance(value, str) and DURATION.fullmatch(value)):
            return value
        if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < float("inf"):
            return float(value)
        raise InvalidValueError(
            "invalid-gap",
            f"received {value!r}: give a number of at least 0, or a duration of {', '.join(UNITS)}, such as 30d",
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
        return seconds(self.gap) if isinstance(self.gap, str) else self.gap or 0.0


_EXCLUSIVE = {"column": ("fractions", "time", "stratify"), "time": ("group", "stratify")}
"""Keys of `split` that say different things about the same rows."""
