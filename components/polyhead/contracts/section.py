"""What every part of the configuration is, and which steps a field of it concerns."""

from __future__ import annotations

from collections.abc import Collection
from enum import Enum
from typing import Annotated, Any, Self, TypeVar

from pydantic import BaseModel, ConfigDict

from polyhead.errors import InvalidValueError

T = TypeVar("T")


class Decides(Enum):
    """What a field decides, and so which steps have to run again when it changes.

    Attributes:
        DATA: Which rows there are and what an example holds: everything from `validate` on.
        FIT: What is fitted on the train rows: everything from `preprocess` on.
        MODEL: How the model is built, trained or read: `train` and `evaluate`.
    """

    DATA = "data"
    FIT = "fit"
    MODEL = "model"


THE_DATA = frozenset({Decides.DATA})
"""What decides the artifacts of `validate`."""

THE_FIT = frozenset({Decides.DATA, Decides.FIT})
"""What decides the artifacts of `preprocess` and `shard`."""

Data = Annotated[T, Decides.DATA]
"""The type of a field that decides the data."""

Fit = Annotated[T, Decides.FIT]
"""The type of a field that decides the fit."""

Model = Annotated[T, Decides.MODEL]
"""The type of a field that decides the model."""


class Later:
    """Marks a field that earlier artifacts do not know: at its default it is no part of what decides them."""


class Section(BaseModel):
    """Base of every part of the configuration: unknown keys are errors, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @classmethod
    def decision(cls, field: str) -> Decides:
        """What a field decides; DATA, the safe answer, where it is not marked."""
        marks = [mark for mark in cls.model_fields[field].metadata if isinstance(mark, Decides)]
        return marks[0] if marks else Decides.DATA

    def decided(self, what: Collection[Decides]) -> Self:
        """This with every other field at its default, where it has one; so in the sections that its fields hold."""
        others: dict[str, Any] = {}
        for name, field in type(self).model_fields.items():
            value = getattr(self, name)
            if self.decision(name) not in what and not field.is_required():
                others[name] = field.get_default(call_default_factory=True)
            elif isinstance(value, Section):
                others[name] = value.decided(what)
        return self.model_copy(update=others)

    def deciding(self, what: Collection[Decides]) -> dict[str, Any]:
        """The values of the fields that decide any of these, as plain values."""
        chosen = {name for name in type(self).model_fields if self.decision(name) in what and not self._unsaid(name)}
        return self.decided(what).model_dump(mode="json", include=chosen)

    def _unsaid(self, name: str) -> bool:
        """Whether a field is as it was before it was there."""
        field = type(self).model_fields[name]
        return Later in field.metadata and getattr(self, name) == field.get_default(call_default_factory=True)


def require_ordered(low: float | None, high: float | None) -> None:
    """Refuse a range without numbers.

    Raises:
        InvalidValueError: The lower end lies above the upper one.
    """
    if low is not None and high is not None and low > high:
        raise InvalidValueError("invalid-range", f"min {low:g} is above max {high:g}")
