"""Columns of dates and times."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from polyhead.errors import DataError
from polyhead.kinds.coercion import NO_NUMBER, Coerced, Coercion, Source, applied
from polyhead.kinds.features.datetime.clock import DAY, WEEK, clock_of, local_seconds, parts_of
from polyhead.kinds.features.datetime.config import (
    PARTS,
    DatetimeFeature,
    DatetimeStatistics,
    PartStatistics,
)
from polyhead.kinds.features.datetime.reading import UNITS, moment_coercion
from polyhead.kinds.fields import Field
from polyhead.kinds.fitting.fit import Fit, Site
from polyhead.kinds.fitting.looks import Looks
from polyhead.kinds.fitting.quantiles import Quantiles
from polyhead.kinds.fitting.spread import Spread
from polyhead.kinds.guessing.columns import Column
from polyhead.kinds.guessing.guess import FEW, MOSTLY, Guess, Rank
from polyhead.kinds.protocols.table import FeatureTable
from polyhead.kinds.slices import Slice
from polyhead.kinds.summaries import NumberSummary

_MOST_PERIODS = 12
_HOUR = 3_600.0
_MONDAY = 4 * DAY  # since 1970-01-01
_EPOCH = dt.datetime(1970, 1, 1)
_NAMES = re.compile(r"date|day|time|timestamp|datetime|ts|created|updated|modified")
_SINCE_1970 = (3e8, 4e9)  # seconds: the years 1979 to 2096
_ISO = r"^[0-9]{4}[-/][0-9]{1,2}"
_CLOCKS = {
    "": "",
    " [0-9]{1,2}:[0-9]{2}": " %H:%M",
    " [0-9]{1,2}:[0-9]{2}:[0-9]{2}": " %H:%M:%S",
    " [0-9]{1,2}:[0-9]{2} [AaPp][Mm]": " %I:%M %p",
    " [0-9]{1,2}:[0-9]{2}:[0-9]{2} [AaPp][Mm]": " %I:%M:%S %p",
}
_DATES = {
    "[0-9]{1,2}/[0-9]{1,2}/[0-9]{4}": ("%d/%m/%Y", "%m/%d/%Y"),
    "[0-9]{1,2}/[0-9]{1,2}/[0-9]{2}": ("%d/%m/%y", "%m/%d/%y"),
    "[0-9]{1,2}-[0-9]{1,2}-[0-9]{4}": ("%d-%m-%Y", "%m-%d-%Y"),
    "[0-9]{1,2}-[0-9]{1,2}-[0-9]{2}": ("%d-%m-%y", "%m-%d-%y"),
    r"[0-9]{1,2}\.[0-9]{1,2}\.[0-9]{4}": ("%d.%m.%Y", "%m.%d.%Y"),
    r"[0-9]{1,2}\.[0-9]{1,2}\.[0-9]{2}": ("%d.%m.%y", "%m.%d.%y"),
    r"[0-9]{4}\.[0-9]{1,2}\.[0-9]{1,2}": ("%Y.%m.%d",),
    "[A-Za-z]{3,9} [0-9]{1,2}, [0-9]{4}": ("%b %d, %Y", "%B %d, %Y"),
    "[0-9]{1,2} [A-Za-z]{3,9} [0-9]{4}": ("%d %b %Y", "%d %B %Y"),
    "[A-Za-z]{3,9} [0-9]{4}": ("%b %Y", "%B %Y"),
    "[0-9]{1,2}-[A-Za-z]{3}-[0-9]{4}": ("%d-%b-%Y",),
    "[0-9]{1,2}-[A-Za-z]{3}-[0-9]{2}": ("%d-%b-%y",),
}
_DIGITS = {"[12][0-9]{7}": ("%Y%m%d",)}


def shown(seconds: float) -> str:
    """A moment as ISO 8601 in UTC; a midnight as its date.

    Args:
        seconds: Since 1970-01-01 UTC, within the years 1 to 9999.
    """
    moment = _EPOCH + dt.timedelta(microseconds=round(seconds * 1e6))
    return moment.date().isoformat() if moment.time() == dt.time() else f"{moment.isoformat()}Z"


class DatetimeFit(Fit[DatetimeStatistics]):
    """Moments and ranges of the parts of a moment.

    Args:
        name: The feature.
        feature: Its configuration.
    """

    def __init__(self, name: str, feature: DatetimeFeature) -> None:
        super().__init__(name)
        self._clock = clock_of(feature.time_zone)
        for part in PARTS:
            setattr(self, part, Spread())
        self.hours, self.weekdays = Quantiles(), Quantiles()

    @property
    def spreads(self) -> dict[str, Spread]:
        """By the names of `PARTS`."""
        return {part: getattr(self, part) for part in PARTS}

    def _take(self, known: pl.Series) -> None:
        spreads = self.spreads
        for part, values in parts_of(known.to_numpy(), self._clock).items():
            spreads[part].update(values)
        local = local_seconds(known.to_numpy(), self._clock)
        self.hours.update(np.floor(np.mod(local, DAY) / _HOUR))
        self.weekdays.update(np.floor(np.mod(local - _MONDAY, WEEK) / DAY))

    def looks(self, site: Site) -> Looks:
        """Hours of the day and days of the week: later rows are of later dates."""
        del site
        return Looks({"hour": self.hours, "weekday": self.weekdays})

    def finish(self, site: Site) -> DatetimeStatistics:
        """The statistics of all rows seen."""
        parts = {}
        for part, spread in self.spreads.items():
            mean, variance = spread.moments.mean_and_variance()
            minimum, maximum = spread.range
            parts[part] = PartStatistics(mean=mean, variance=variance, minimum=minimum, maximum=maximum)
        return DatetimeStatistics(count=self.known, missing=self.missing, parts=parts, clock=list(self._clock))


class MomentSummary(NumberSummary):
    """A column of moments: the first and the last."""

    def shown(self, number: float | None) -> str | None:
        """In UTC."""
        return None if number is None else shown(number)


class DatetimeTable(FeatureTable[DatetimeFeature]):
    """Moments as float64 seconds since 1970-01-01 UTC."""

    single = True
    dated = True
    names_rows = False

    def coercion(self, source: Source, member: DatetimeFeature) -> Coercion:
        """Seconds since 1970-01-01 UTC, from dates, times, text, and numbers with a unit."""
        return moment_coercion(source, member)

    def guess(self, column: Column) -> Guess | None:
        """Dates and times by type, in ISO 8601, in another format that all cells share, or as numbers since 1970."""
        for options, read in _readings(column):
            return Guess("datetime", options, _reason(read.values), rank=Rank.MOMENTS)
        formats = _formats(column)
        if len(formats) > 1:
            choice = " or ".join(f"'{pattern}'" for pattern in formats)
            why = f"dates whose day and month cannot be told apart: add format: {choice}"
            return Guess("datetime", why=why, left_out=True, rank=Rank.MOMENTS)
        for pattern in formats:
            read = _coerced(column, format=pattern)
            return Guess("datetime", {"format": pattern}, _reason(read.values), rank=Rank.MOMENTS)
        return None

    def spelled(self, value: float) -> str:
        """In ISO 8601 and UTC."""
        return "" if np.isnan(value) else (_EPOCH + dt.timedelta(seconds=float(value))).isoformat(sep=" ")

    def field(self, feature: DatetimeFeature, statistics: DatetimeStatistics, directory: Path) -> Field:
        """A moment."""
        return Field("moment", hint="UTC")

    def slices(self, statistics: DatetimeStatistics, values: NDArray[np.float64]) -> list[Slice]:
        """By the shortest of day, month, quarter and year, on local clocks, of which there are twelve at most."""
        known = ~np.isnan(values)
        local = local_seconds(np.where(known, values, 0.0), statistics.clock)
        moments = pl.Series(local * 1000).cast(pl.Int64).cast(pl.Datetime("ms"))
        quarter = moments.dt.strftime("%Y Q") + moments.dt.quarter().cast(pl.String)
        for names in (
            *(moments.dt.strftime(form) for form in ("%Y-%m-%d", "%Y-%m")),
            quarter,
            moments.dt.strftime("%Y"),
        ):
            periods = sorted(set(names.filter(pl.Series(known))))
            if len(periods) <= _MOST_PERIODS:
                break
        named = names.to_numpy()
        return [Slice("period", period, known & (named == period)) for period in periods]

    def summary(self) -> MomentSummary:
        """The first and the last moment."""
        return MomentSummary()

    def fit(self, name: str, member: DatetimeFeature) -> DatetimeFit:
        """An empty fit of moments."""
        return DatetimeFit(name, member)


def _coerced(column: Column, **options: str) -> Coerced:
    feature = DatetimeFeature.model_validate({"kind": "datetime", **options})
    return applied(column.series, lambda source: moment_coercion(source, feature))


def _readings(column: Column) -> Iterator[tuple[dict[str, str], Coerced]]:
    """How a column can be read without a format, with what came of it."""
    dtype = column.series.dtype
    if dtype == pl.Date or isinstance(dtype, pl.Datetime):
        yield {}, _coerced(column)
    elif column.numbers is None and _shaped(_known(column), _ISO):
        read = _coerced(column)
        if _share(column, read) > MOSTLY:
            yield {}, read
    elif column.numbers is not None and column.different_numbers > FEW and column.named(_NAMES):
        for unit, of_a_second in UNITS.items():
            low, high = (end / of_a_second for end in column.range)
            if _SINCE_1970[0] < low and high < _SINCE_1970[1]:
                yield {"unit": unit}, _coerced(column, unit=unit)


def _known(column: Column) -> pl.Series:
    return column.known.filter(~column.known.str.to_lowercase().is_in(sorted(NO_NUMBER)))


def _shaped(words: pl.Series, shape: str) -> bool:
    """Whether most words, and the first, have a shape."""
    fits = words.str.contains(shape)
    return len(fits) > 0 and bool(fits[0]) and float(fits.mean()) > MOSTLY  # type: ignore[arg-type]


def _share(column: Column, read: Coerced) -> float:
    return (len(read.values) - read.values.null_count()) / max(1, len(_known(column)))


def _formats(column: Column) -> list[str]:
    """The formats that read the most cells, if these are most cells of the column."""
    shapes: Mapping[str, tuple[str, ...]] = _DATES
    if column.numbers is not None:
        shapes = _DIGITS if column.named(_NAMES) else {}
    words = _known(column)
    shares: dict[str, float] = {}
    for date, patterns in shapes.items():
        for clock, behind in _CLOCKS.items():
            if _shaped(words, f"^{date}{clock}$"):
                for pattern in patterns:
                    shares[pattern + behind] = _share(column, _read_as(column, pattern + behind))
    most = max(shares.values(), default=0.0)
    return [pattern for pattern, share in shares.items() if share == most > MOSTLY]


def _read_as(column: Column, pattern: str) -> Coerced:
    try:
        return _coerced(column, format=pattern)
    except DataError:
        return Coerced(pl.Series("values", [None] * column.rows, dtype=pl.Float64))


def _reason(moments: pl.Series) -> str:
    known = moments.drop_nulls().to_numpy()
    if not len(known):
        return "dates or times"
    first, last = shown(float(known.min())), shown(float(known.max()))
    what = "dates and times" if (known % DAY).any() else "dates"
    return f"{what} from {first} to {last}"
