"""How columns become moments: seconds since 1970-01-01 UTC, exact to the microsecond.

Finer fractions are cut off. Of a local time that a clock shows twice the earlier one is meant, and one that it skips is
a fault.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import polars as pl

from polyhead.errors import DataError
from polyhead.kinds.coercion import NO_NUMBER, TEXTS, Coercion, Source, requiring_text, text_of
from polyhead.kinds.features.datetime.config import END_SECOND, FIRST_SECOND, DatetimeFeature, cell_pattern, tokens

UNITS = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}
"""How many of a unit are a second."""

_DATE = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_PLAIN = rf"^{_DATE}(?:[T ](?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9])?$"
_ISO = (
    rf"^(?P<date>{_DATE}|[0-9]{{4}}-[0-9]{{2}}|[0-9]{{4}}/[0-9]{{1,2}}/[0-9]{{1,2}})"
    r"(?:[Tt ](?P<hour>[01][0-9]|2[0-3])(?::(?P<minute>[0-5][0-9])(?::(?P<second>[0-5][0-9])"
    r"(?:[.,](?P<fraction>[0-9]+))?)?)?"
    r"(?: ?(?:(?P<zero>[Zz]|UTC|GMT)|(?P<sign>[+-])(?P<ahead>[01][0-9]|2[0-3])(?::?(?P<more>[0-5][0-9]))?))?)?$"
)
_DAY = 86_400.0
_MICROSECOND = 1_000_000
_TURN = 2069
_NOT_ISO = (
    "is not a date or time in ISO 8601, such as 2024-01-31 or 2024-01-31T10:15:00Z: give format, such as '%d/%m/%Y'"
)
_A_NUMBER = "is a number: give unit (s, ms, us or ns since 1970), or format"


class _Read(NamedTuple):
    """Text as moments.

    Attributes:
        local: What was written, as Datetime in microseconds; null where it cannot be read.
        ahead: How many microseconds that is ahead of UTC; null where it does not say. None where no cell does.
    """

    local: pl.Series
    ahead: pl.Series | None


def moment_coercion(source: Source, feature: DatetimeFeature) -> Coercion:
    """How a column becomes float64 seconds since 1970-01-01 UTC.

    Args:
        source: The column: dates, times with a date, text, or numbers where the feature has a unit or a format.
        feature: Its configuration.

    Raises:
        DataError: The column's type holds no moments.
    """
    dtype = source.dtype
    if dtype == pl.Null:
        made = Coercion(source.received.cast(pl.Float64))
    elif dtype == pl.Date or isinstance(dtype, pl.Datetime):
        made = _of_type(source, dtype, feature.time_zone)
    elif dtype in TEXTS:
        made = requiring_text(_of_text(source, text_of(source.received, dtype).str.strip_chars(), feature), source)
    elif dtype.is_numeric() and feature.unit is not None:
        made = Coercion(_seconds(source.received, UNITS[feature.unit]))
    elif dtype.is_numeric() and feature.format is not None:
        made = _of_text(source, _digits(source.received, dtype), feature)
    elif dtype.is_numeric():
        hint = "give unit where they count from 1970 (s, ms, us or ns), or format, such as '%Y%m%d'"
        raise DataError(
            "missing-unit", f"holds {dtype}, numbers that may mean any time", where=f"column '{source.name}'", hint=hint
        )
    else:
        hint = "a date, a time with its date, text, or a number with unit"
        raise DataError(
            "not-a-date", f"holds {dtype}, which is not a date or time", where=f"column '{source.name}'", hint=hint
        )
    values = source.values
    remedy = "is unit right?" if feature.unit else "correct the cell, or empty it"
    why = f"is outside the years 1 to 9999: {remedy}"
    return made.refusing("out_of_range", why, (values < FIRST_SECOND) | (values >= END_SECOND))


def _of_type(source: Source, dtype: pl.DataType, time_zone: str) -> Coercion:
    """Dates, which are their first moment, and times with a date."""
    received = source.received
    unit = dtype.time_unit if isinstance(dtype, pl.Datetime) else None
    seconds = _stamps(received, unit)
    if time_zone == "UTC" or (isinstance(dtype, pl.Datetime) and dtype.time_zone is not None):
        return Coercion(seconds)
    inside = (seconds >= FIRST_SECOND) & (seconds < END_SECOND)  # the engine fails on years far beyond
    local = pl.when(inside).then(received).cast(pl.Datetime(unit or "ms"))
    known = _stamps(_in_zone(local, time_zone), unit or "ms")
    made = Coercion(pl.when(inside).then(known).otherwise(seconds))
    return _refusing_skipped(made, received.is_not_null() & source.values.is_null(), time_zone)


def _stamps(moments: pl.Expr, unit: str | None) -> pl.Expr:
    """Seconds since 1970 of dates, without a unit, or of times in one; nanoseconds are cut off."""
    number = moments.to_physical().cast(pl.Int64)
    if unit is None:
        return number.cast(pl.Float64) * _DAY
    return _seconds(number // 1000, UNITS["us"]) if unit == "ns" else _seconds(number, UNITS[unit])


def _seconds(numbers: pl.Expr, of_a_second: float) -> pl.Expr:
    return numbers.map_batches(functools.partial(_divided, by=of_a_second), pl.Float64, is_elementwise=True)


def _divided(numbers: pl.Series, by: float) -> pl.Series:
    """Float64, NaN as null; by NumPy, since the columnar engine multiplies by the inverse, which rounds twice."""
    return pl.Series(numbers.name, numbers.cast(pl.Float64).to_numpy() / by).fill_nan(None)


def _in_zone(local: pl.Expr, time_zone: str) -> pl.Expr:
    return local.dt.replace_time_zone(time_zone, ambiguous="earliest", non_existent="null")


def _refusing_skipped(made: Coercion, broken: pl.Expr, time_zone: str) -> Coercion:
    why = f"does not exist in {time_zone}, whose clocks skip it: give the offset, or the right time_zone"
    return made.refusing("no_such_time", why, broken)


def _digits(numbers: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    """Whole numbers as they are written."""
    if dtype.is_integer():
        return numbers.cast(pl.String)
    numbers = numbers.cast(pl.Float64).fill_nan(None)
    whole = pl.when(numbers == numbers.floor()).then(numbers.cast(pl.Int64, strict=False))
    return pl.coalesce(whole.cast(pl.String), numbers.cast(pl.String))


def _of_text(source: Source, text: pl.Expr, feature: DatetimeFeature) -> Coercion:
    """Text by the format, or as ISO 8601; `NO_NUMBER` are missing."""
    made = Coercion(text.map_batches(functools.partial(_seconds_in, feature=feature), pl.Float64, is_elementwise=True))
    unread = pl.when(source.values.is_null()).then(text)
    odd = unread.is_not_null() & ~unread.str.to_lowercase().is_in(sorted(NO_NUMBER))
    if feature.format is None and feature.unit is None:
        made = made.refusing("a_number", _A_NUMBER, odd & unread.cast(pl.Float64, strict=False).is_not_null())
    if feature.time_zone != "UTC":
        written = functools.partial(_is_written, feature=feature)
        skipped = unread.map_batches(written, pl.Boolean, is_elementwise=True)
        made = _refusing_skipped(made, odd & skipped, feature.time_zone)
    shape = _ISO if feature.format is None else cell_pattern(feature.format)
    made = made.refusing(
        "no_such_day", "is not a day of the calendar: correct the cell, or empty it", odd & unread.str.contains(shape)
    )
    why = (
        _NOT_ISO
        if feature.format is None
        else f"does not fit format '{feature.format}': correct the cell, or the format"
    )
    return made.refusing("not_a_date", why, odd)


def _seconds_in(text: pl.Series, feature: DatetimeFeature) -> pl.Series:
    """Text as seconds since 1970-01-01 UTC; null where it cannot be read or its time is skipped."""
    read = _read(text, feature)
    zone = feature.time_zone
    moments = read.local if zone == "UTC" else pl.select(_in_zone(pl.lit(read.local), zone)).to_series()
    micros = moments.to_physical()
    if read.ahead is not None:
        by_offset = pl.when(read.ahead.is_not_null()).then(read.local.to_physical() - read.ahead)
        micros = pl.select(by_offset.otherwise(micros)).to_series()
    seconds = _divided(micros, UNITS["us"])
    if feature.unit is not None:
        numbers = _divided(text.cast(pl.Float64, strict=False), UNITS[feature.unit])
        seconds = pl.select(pl.coalesce(numbers, seconds)).to_series()
    return seconds.alias(text.name)


def _is_written(text: pl.Series, feature: DatetimeFeature) -> pl.Series:
    """Which cells are dates or times, whether or not there is such a time in the time zone."""
    return _read(text, feature).local.is_not_null()


def _read(text: pl.Series, feature: DatetimeFeature) -> _Read:
    return _iso(text) if feature.format is None else _formatted(text, feature.format)


def _formatted(text: pl.Series, pattern: str) -> _Read:
    """Cells by a `strptime` pattern.

    The columnar engine is more lenient than Python, so cells must fit the pattern first; it wants minutes with hours,
    and a day with a month.
    """
    text = text.str.replace(r"^([0-9]+)\.0$", "${1}")  # a whole number, as pandas writes a column with gaps
    text = pl.select(pl.when(text.str.contains(cell_pattern(pattern))).then(text)).to_series()
    letters = {letter for letter, _ in tokens(pattern)}
    more = {"%m": "01"} if not letters & set("mbBj") else {}
    more |= {"%d": "01"} if not letters & set("dj") else {}
    more |= {"%M": "00"} if letters & set("HI") and "M" not in letters else {}
    if "z" in letters:
        text = text.str.replace("[Zz]$", "+0000") if pattern.endswith("%z") else text
    cells = pl.select(pl.lit(text) + "".join(f" {value}" for value in more.values())).to_series()
    pattern = " ".join([pattern.replace(".%f", "%.f"), *more])
    moments = cells.str.to_datetime(pattern, time_unit="us", strict=False)
    if "y" in letters:  # of two digits, 69 is 1969 to Python and 2069 to the engine
        turn = pl.lit(moments).dt.year() == _TURN
        moments = pl.select(pl.when(turn).then(pl.lit(moments).dt.offset_by("-100y")).otherwise(moments)).to_series()
    if "z" not in letters:
        return _Read(moments, None)
    local = moments.dt.replace_time_zone(None)
    return _Read(local, pl.select(pl.when(local.is_not_null()).then(pl.lit(0, pl.Int64))).to_series())


def _iso(text: pl.Series) -> _Read:
    """Cells as ISO 8601 has them, with a `T` or a space; also `2024-01`, and `2024/01/31`."""
    plain = text.str.contains(_PLAIN)
    cells = pl.select(pl.when(plain).then(text.str.replace("T", " ", literal=True))).to_series()
    local = cells.str.to_datetime("%Y-%m-%d %H:%M:%S", time_unit="us", strict=False)
    if local.null_count() > text.null_count():
        days = cells.str.to_datetime("%Y-%m-%d", time_unit="us", strict=False)
        local = pl.select(pl.coalesce(local, days)).to_series()
    rows = (plain.not_() & text.is_not_null()).arg_true()
    if not len(rows):
        return _Read(local, None)
    others = _iso_in_parts(text.gather(rows))
    ahead = pl.repeat(None, len(text), dtype=pl.Int64, eager=True)
    return _Read(local.scatter(rows, others["local"]), ahead.scatter(rows, others["ahead"]))


def _iso_in_parts(text: pl.Series) -> pl.DataFrame:
    """Any cells in ISO 8601 as `local` and `ahead`, see `_Read`."""
    parts = text.str.extract_groups(_ISO).struct.unnest()

    def number(name: str) -> pl.Expr:
        return pl.col(name).cast(pl.Int64).fill_null(0)

    date = pl.col("date").str.replace_all("/", "-", literal=True)
    day = pl.when(date.str.len_bytes() == len("2024-01")).then(date + "-01").otherwise(date)
    clock = number("hour") * 3600 + number("minute") * 60 + number("second")
    fraction = (pl.col("fraction").fill_null("0") + "0" * 6).str.head(6).cast(pl.Int64)
    sign = pl.when(pl.col("sign") == "-").then(-1).otherwise(1)
    ahead = pl.when(pl.col("zero").is_not_null() | pl.col("sign").is_not_null()).then(
        sign * (number("ahead") * 3600 + number("more") * 60) * _MICROSECOND
    )
    first = day.str.to_datetime("%Y-%m-%d", time_unit="us", strict=False)
    return parts.select(
        local=first + pl.duration(microseconds=clock * _MICROSECOND + fraction), ahead=ahead.cast(pl.Int64)
    )
