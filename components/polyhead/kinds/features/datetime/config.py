"""Dates and times."""

from __future__ import annotations

import functools
import re
import zoneinfo
from collections.abc import Iterator
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from polyhead.contracts.artifact import Record
from polyhead.contracts.section import Data
from polyhead.errors import InvalidValueError, did_you_mean
from polyhead.kinds.base import FeatureBase

FIRST_SECOND, END_SECOND = -62_135_596_800.0, 253_402_300_800.0
"""0001-01-01 and 10000-01-01 in UTC, as seconds since 1970: where the years begin and end that are accepted."""

PARTS = ("elapsed", "day_sine", "day_cosine", "week_sine", "week_cosine", "year_sine", "year_cosine")
"""What a moment is to the network: seconds since 1970, and where it is in the day, the week and the year."""

_MONTHS = [
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
]
_DAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
_DIRECTIVES = {
    "Y": "[0-9]{4}",
    "y": "[0-9]{2}",
    "m": "1[0-2]|0?[1-9]",
    "b": "(?i:" + "|".join(month[:3] for month in _MONTHS) + ")",
    "B": "(?i:" + "|".join(_MONTHS) + ")",
    "d": "3[01]|[12][0-9]|0?[1-9]",
    "j": "36[0-6]|3[0-5][0-9]|[12][0-9]{2}|0?[1-9][0-9]|(?:00)?[1-9]",
    "H": "2[0-3]|[01]?[0-9]",
    "I": "1[0-2]|0?[1-9]",
    "p": "(?i:am|pm)",
    "M": "[0-5]?[0-9]",
    "S": "[0-5]?[0-9]",
    "f": "[0-9]{1,9}",
    "z": "[+-](?:[01][0-9]|2[0-3]):?[0-5][0-9]|[Zz]",
    "a": "(?i:" + "|".join(day[:3] for day in _DAYS) + ")",
    "A": "(?i:" + "|".join(_DAYS) + ")",
    "%": "%",
}
_WIDTHS = {"Y": 4, "y": 2, "m": 2, "d": 2, "j": 3, "H": 2, "I": 2, "M": 2, "S": 2}
_NEEDS = (("S", "M"), ("f", "S"), ("M", "HI"), ("p", "I"), ("I", "p"), ("d", "mbB"))
_ONE_OF = ("Yy", "mbBj", "dj", "HI", "aA")
_NO_PLACES = frozenset({"Factory", "localtime"})


def tokens(pattern: str) -> Iterator[tuple[str, str]]:
    """The directives of a `strptime` pattern and the text between them.

    Yields:
        A letter, such as `Y`, and the empty string; or the empty string and text.
    """
    for text, directive in re.findall(r"([^%]+)|%(.?)", pattern, re.DOTALL):
        yield directive, text if text else ("" if directive else "%")


def cell_pattern(pattern: str) -> str:
    """A regular expression, for Python and Rust, of the cells that fit a `strptime` pattern.

    As in Python, a number may lack its leading zeros, and white space may be any; a number next to another one may not.

    Raises:
        InvalidValueError: The pattern has a directive that is not read, or does not say which day it is.
    """
    found = list(tokens(pattern))
    unknown = [letter or text for letter, text in found if (letter or text == "%") and letter not in _DIRECTIVES]
    if unknown:
        read = " ".join(f"%{letter}" for letter in _DIRECTIVES)
        raise InvalidValueError(
            "invalid-format", f"has %{unknown[0].strip('%')}, which is not read; the directives are {read}"
        )
    letters = [letter for letter, _ in found if letter and letter != "%"]
    if not set(letters) & {"Y", "y"}:
        raise InvalidValueError("invalid-format", "does not say the year: %Y for 2024, %y for 24")
    for group in _ONE_OF:
        several = [letter for letter in letters if letter in group]
        if len(several) > 1:
            raise InvalidValueError(
                "invalid-format", f"has {' and '.join(f'%{letter}' for letter in several)}, of which one is needed"
            )
    for letter, needed in _NEEDS:
        if letter in letters and not set(letters) & set(needed):
            raise InvalidValueError(
                "invalid-format", f"has %{letter} without {' or '.join(f'%{other}' for other in needed)}"
            )
    if "f" in letters and "%S.%f" not in pattern:
        raise InvalidValueError("invalid-format", "has %f, which is read behind the seconds and a point: %S.%f")
    parts = []
    for place, (letter, text) in enumerate(found):
        beside = [found[other][0] for other in (place - 1, place + 1) if 0 <= other < len(found)]
        fixed = letter in _WIDTHS and any(other in _WIDTHS for other in beside)
        between = r"\s+".join(re.escape(word) for word in re.split(r"\s+", text))
        cell = f"(?:{_DIRECTIVES[letter]})" if letter else between
        parts.append(f"[0-9]{{{_WIDTHS[letter]}}}" if fixed else cell)
    return f"^{''.join(parts)}$"


@functools.cache
def time_zones() -> frozenset[str]:
    """The names of the IANA time zone database."""
    return frozenset(zoneinfo.available_timezones() - _NO_PLACES)


class DatetimeFeature(FeatureBase):
    """A column of dates or times, which become seconds since 1970-01-01 UTC."""

    kind: Data[Literal["datetime"]]
    format: Data[str | None] = Field(
        None,
        description="How text is read, as a pattern for Python's strptime, in quotes: '%d/%m/%Y %H:%M'. Default: "
        "ISO 8601, such as 2024-01-31 or 2024-01-31T10:15:00+02:00.",
    )
    unit: Data[Literal["s", "ms", "us", "ns"] | None] = Field(
        None, description="What numbers count since 1970-01-01 UTC. Default: numbers are refused."
    )
    time_zone: Data[str] = Field(
        "UTC",
        description="Time zone of the IANA database, such as Europe/Berlin: of values without an offset, and of the "
        "time of day, the day of the week and the time of the year that the model sees.",
    )

    @field_validator("format")
    @classmethod
    def _readable(cls, value: str | None) -> str | None:
        if value is not None:
            cell_pattern(value)
        return value

    @field_validator("time_zone")
    @classmethod
    def _known(cls, value: str) -> str:
        if value not in time_zones():
            near = did_you_mean(value, sorted(time_zones()))
            hint = near if near.startswith("did") else "write one such as Europe/Berlin, or Etc/GMT-2 for +02:00"
            raise InvalidValueError("unknown-time-zone", f"{value!r} is not a time zone of the IANA database: {hint}")
        return value

    @model_validator(mode="after")
    def _one_reading(self) -> DatetimeFeature:
        if self.format is not None and self.unit is not None:
            raise InvalidValueError(
                "conflicting-keys", "has both format and unit: format reads text and unit reads numbers, keep one"
            )
        return self

    @property
    def time_reading(self) -> Self:
        """This one."""
        return self


class PartStatistics(Record):
    """Moments and range of one part of a moment, over train rows; zeros, and variance 1, where there is none.

    The variance is a population variance.
    """

    mean: float
    variance: float
    minimum: float
    maximum: float


class DatetimeStatistics(Record):
    """What the train rows' moments are, and how local clocks go.

    Attributes:
        parts: By the names of `PARTS`: `elapsed` in seconds since 1970-01-01 UTC, the others sine and cosine of the
            place in the local day, in the local week from Monday on, and in the mean Gregorian year of 365.2425 days.
        clock: From which second since 1970-01-01 UTC on the clocks of `time_zone` are how many seconds ahead of UTC,
            in order, from 1900 to 2099; before and after that as at its ends.
    """

    kind: Literal["datetime"] = "datetime"
    count: int
    missing: int
    parts: dict[str, PartStatistics]
    clock: list[tuple[int, int]]
