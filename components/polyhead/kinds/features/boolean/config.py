"""Yes or no."""

from __future__ import annotations

from typing import Literal

from polyhead.contracts.artifact import Record
from polyhead.contracts.section import Data
from polyhead.kinds.base import FeatureBase


class BooleanFeature(FeatureBase):
    """A column of true or false, yes or no, y or n, t or f, 1 or 0, on or off, in any case; all mean the same."""

    kind: Data[Literal["boolean"]]


class BooleanStatistics(Record):
    """How many train rows there are.

    Attributes:
        count: With a value.
        missing: Without one.
        true: With yes.
    """

    kind: Literal["boolean"] = "boolean"
    count: int
    missing: int
    true: int
