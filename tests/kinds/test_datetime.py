"""Dates and times: what Python and pandas say they are, from every type and spelling, and what the network gets."""

from __future__ import annotations

import datetime as dt
import itertools
import math
import re
import zoneinfo
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from refusals import refusal
from strategies import moments

from polyhead.errors import DataError
from polyhead.kinds.coercion import Coerced
from polyhead.kinds.features.datetime.clock import CYCLES, clock_of, parts_of
from polyhead.kinds.features.datetime.config import PARTS, DatetimeFeature, DatetimeStatistics
from polyhead.kinds.features.datetime.table import DatetimeFit, shown
from polyhead.kinds.fitting.fit import Site
from polyhead.kinds.tables import coerce, table_of
from polyhead.pictures.folder import PictureFolder
from polyhead.tables.reading import read_table

NOWHERE = Site(Path("nowhere"), PictureFolder("nowhere"), max_pixels=1)
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Pacific/Apia")
FROM, UNTIL = dt.datetime(1901, 1, 1), dt.datetime(2099, 12, 1)  # what both time zone databases know alike


def feature(**options: Any) -> DatetimeFeature:
    return DatetimeFeature.model_validate({"kind": "datetime", **options})


def read(cells: list[Any] | pl.Series, **options: Any) -> Coerced:
    return coerce(pl.Series("x", cells) if isinstance(cells, list) else cells, feature(**options))


def reasons(coerced: Coerced) -> dict[str, list[int]]:
    return {fault.reason: fault.mask.arg_true().to_list() for fault in coerced.faults}


def seconds_of(moment: dt.datetime) -> float:
    """By Python's whole numbers, which know no rounding but the last."""
    return (moment - EPOCH) // dt.timedelta(microseconds=1) / 1e6


# Reading


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.datetimes(dt.datetime(2, 1, 1), dt.datetime(9998, 12, 30), timezones=st.one_of(st.none(), st.timezones())),
        min_size=1,
        max_size=12,
    ),
    st.sampled_from(["T", " "]),
)
def test_iso_text_is_what_python_says_it_is(given: list[dt.datetime], between: str) -> None:
    """With and without offsets in one column; what has none is UTC."""
    given = [moment for moment in given if (moment.utcoffset() or dt.timedelta()).seconds % 60 == 0]
    assume(given)
    coerced = read([moment.isoformat(between) for moment in given])
    expected = [seconds_of(moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)) for moment in given]
    assert coerced.values.to_list() == expected
    assert not coerced.faults


@settings(max_examples=150, deadline=None)
@given(st.lists(moments.filter(lambda seconds: abs(seconds) < 2**53 / 1e6), min_size=1, max_size=12))
def test_seconds_survive_text_to_the_microsecond(seconds: list[float]) -> None:
    """What is shown of a moment is read as that moment, and no two microseconds become one number."""
    assert read([shown(moment) for moment in seconds]).values.to_list() == seconds
    after = [(round(moment * 1e6) + 1) / 1e6 for moment in seconds]
    assert all(later > moment for later, moment in zip(after, seconds, strict=True))


@settings(max_examples=150, deadline=None)
@given(st.lists(st.datetimes(FROM, UNTIL), min_size=1, max_size=12), st.sampled_from(ZONES))
@example([dt.datetime(2024, 3, 31, 2, 30), dt.datetime(2024, 10, 27, 2, 30)], "Europe/Berlin")
@example([dt.datetime(2011, 12, 30, 12)], "Pacific/Apia")
def test_local_times_are_what_pandas_says_they_are(given: list[dt.datetime], zone: str) -> None:
    """By type and as text; of a time that is there twice the first, and one that is skipped is a fault."""
    series = pd.Series(given).astype("datetime64[us]")
    local = series.dt.tz_localize(zone, ambiguous=np.full(len(given), True), nonexistent="NaT")
    expected = [None if pd.isna(moment) else moment.value // 1000 / 1e6 for moment in local.astype(object)]
    skipped = [row for row, moment in enumerate(expected) if moment is None]
    for column in (pl.Series(given, dtype=pl.Datetime("us")), pl.Series([str(moment) for moment in given])):
        coerced = read(column, time_zone=zone)
        assert coerced.values.to_list() == expected
        assert reasons(coerced) == ({"no_such_time": skipped} if skipped else {})
        assert all(zone in fault.detail and "offset" in fault.detail for fault in coerced.faults)


FORMATS = [
    "%d/%m/%Y",
    "%m/%d/%y",
    "%Y%m%d",
    "%d.%m.%Y %H:%M",
    "%d.%m.%y %I:%M:%S %p",
    "%b %d, %Y",
    "%A %d %B %Y",
    "%Y-%j",
    "%Y-%m-%d %H:%M:%S.%f",
    "%Y%m%dT%H%M%S",
    "%d%b%Y:%H:%M:%S",
    "%Y-%m-%dT%H:%M:%S%z",
    "%H:%M on %Y/%m/%d, 100%%",
    "%Y-%m",
    "%Y",
    "%Y-%m-%d %H",
    "%I %p, %d %b %y",
]


@pytest.mark.parametrize("pattern", FORMATS)
@settings(max_examples=40, deadline=None)
@given(st.lists(st.datetimes(dt.datetime(1970, 1, 1), dt.datetime(2068, 12, 31)), min_size=1, max_size=8))
@example([dt.datetime(1969, 5, 6, 7, 8, 9), dt.datetime(2068, 5, 6), dt.datetime(2024, 2, 29, 12)])
def test_a_format_reads_what_pythons_strptime_reads(pattern: str, given: list[dt.datetime]) -> None:
    """The very moment, in UTC where it has no offset; cells of other formats are faults that say the format."""
    cells = [moment.replace(tzinfo=dt.UTC).strftime(pattern) for moment in given]
    python = [dt.datetime.strptime(cell, pattern) for cell in cells]
    expected = [seconds_of(moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)) for moment in python]
    coerced = read([*cells, "31st of May", None, ""], format=pattern)
    assert coerced.values.to_list() == [*expected, None, None, None]
    assert reasons(coerced) == {"not_a_date": [len(cells)]}
    assert pattern in coerced.faults[0].detail


@pytest.mark.parametrize("pattern", FORMATS)
@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_format_reads_nothing_that_python_does_not_read(pattern: str, data: st.DataObject) -> None:
    """Cells that nearly fit: the engine behind is more lenient, and must not be seen to be."""
    cell = data.draw(st.datetimes(dt.datetime(1970, 1, 1), dt.datetime(2068, 12, 31))).strftime(pattern)
    place = data.draw(st.integers(0, len(cell) - 1))
    piece = data.draw(st.sampled_from(["", *"0123456789 +-/:.x", "60", "99"]))
    cell = cell[:place] + piece + cell[place + data.draw(st.integers(0, 2)) :]
    (value,) = read([cell], format=pattern).values
    if value is not None:
        try:
            digits = re.sub(r"(\.[0-9]{6})[0-9]{1,3}$", r"\1", cell.strip())  # to Python the last three are too many
            python = dt.datetime.strptime(digits, pattern)
        except ValueError as error:
            raise AssertionError(f"{cell!r} is {shown(value)} by {pattern}, and nothing to Python") from error
        assert value == seconds_of(python if python.tzinfo else python.replace(tzinfo=dt.UTC))


@pytest.mark.parametrize(
    ("cell", "reason", "said"),
    [
        ("2016-12-31T23:59:60Z", "not_a_date", "ISO 8601"),  # a leap second, which seconds since 1970 do not count
        ("2024-01-31T24:00:00", "not_a_date", "ISO 8601"),
        ("1900-02-29", "no_such_day", "calendar"),
        ("2023-02-30 10:00:00+02:00", "no_such_day", "calendar"),
        ("2024-13-01", "no_such_day", "calendar"),
        ("0000-01-01", "out_of_range", "years 1 to 9999"),
        ("10000-01-01", "not_a_date", "ISO 8601"),
        ("-2024-01-01", "not_a_date", "ISO 8601"),
        ("03/04/2024", "not_a_date", "give format, such as '%d/%m/%Y'"),
        ("13.04.2024", "not_a_date", "give format"),
        ("24-01-31", "not_a_date", "give format"),
        ("2024-1-5", "not_a_date", "give format"),
        ("20240131", "a_number", "give unit (s, ms, us or ns since 1970), or format"),
        ("1.7e9", "a_number", "give unit"),
        ("2024-01-31+02:00", "not_a_date", "ISO 8601"),
        ("2024-01-31T10:15:00+25:00", "not_a_date", "ISO 8601"),
        ("2024-01-31T10:15:00[Europe/Berlin]", "not_a_date", "ISO 8601"),
        ("2024-01-31T10:15:00 CET", "not_a_date", "ISO 8601"),
        ("10:15", "not_a_date", "ISO 8601"),
        ("٢٠٢٤-٠١-٣١", "not_a_date", "ISO 8601"),
        ("true", "not_a_date", "ISO 8601"),
    ],
)
def test_text_that_is_no_moment_is_refused_with_a_remedy(cell: str, reason: str, said: str) -> None:
    """The cell alone."""
    coerced = read(["2024-01-31", cell, "2024-02-29T10:15:00Z"])
    assert reasons(coerced) == {reason: [1]}
    assert said in coerced.faults[0].detail
    assert coerced.values.null_count() == 1


@pytest.mark.parametrize(
    ("cell", "moment"),
    [
        ("2024-01-31", "2024-01-31"),
        (" 2024-01-31 ", "2024-01-31"),
        ("2024-01", "2024-01-01"),
        ("2024/1/5", "2024-01-05"),
        ("2024-01-31T10", "2024-01-31T10:00:00Z"),
        ("2024-01-31T10:15", "2024-01-31T10:15:00Z"),
        ("2024-01-31t10:15z", "2024-01-31T10:15:00Z"),
        ("2024-01-31 10:15:00 UTC", "2024-01-31T10:15:00Z"),
        ("2024-01-31T10:15:00,5+0530", "2024-01-31T04:45:00.500000Z"),
        ("2024-01-31T10:15:00-08", "2024-01-31T18:15:00Z"),
        ("2024-01-31T10:15:00.123456999Z", "2024-01-31T10:15:00.123456Z"),
        ("1969-12-31T23:59:59.9999999Z", "1969-12-31T23:59:59.999999Z"),
        ("0001-01-01", "0001-01-01"),
        ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59Z"),
    ],
)
def test_iso_text_comes_in_many_spellings(cell: str, moment: str) -> None:
    """Fractions beyond microseconds are cut off."""
    coerced = read([cell])
    assert [shown(value) for value in coerced.values] == [moment]
    assert not coerced.faults


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.none() | st.datetimes(dt.datetime(1678, 1, 1), dt.datetime(2262, 1, 1)), min_size=1),
    st.sampled_from(["ms", "us", "ns"]),
    st.sampled_from([None, "UTC", "Asia/Tokyo", "America/New_York"]),
)
def test_a_column_of_times_is_the_same_in_every_unit(
    given: list[dt.datetime | None], unit: Any, zone: str | None
) -> None:
    """And with a time zone of its own, whatever the feature's; a missing one is missing."""
    given = [moment and moment.replace(microsecond=moment.microsecond // 1000 * 1000) for moment in given]
    column = pl.Series(given, dtype=pl.Datetime("us")).dt.replace_time_zone("UTC").cast(pl.Datetime(unit, "UTC"))
    column = column.dt.convert_time_zone(zone) if zone else column.dt.replace_time_zone(None)
    coerced = read(column, **({"time_zone": "Europe/Berlin"} if zone else {}))
    assert coerced.values.to_list() == [
        None if moment is None else seconds_of(moment.replace(tzinfo=dt.UTC)) for moment in given
    ]
    assert not coerced.faults


def test_nanoseconds_are_cut_to_microseconds_as_in_text() -> None:
    """Before 1970 too."""
    texts = ["2024-01-31T10:15:00.123456789", "1969-12-31T23:59:59.999999999"]
    stamps = pl.Series(pd.to_datetime(pd.Series(texts)).astype("datetime64[ns]"))
    assert read(stamps).values.to_list() == read(texts).values.to_list()


def test_a_date_is_its_first_moment_in_the_time_zone() -> None:
    """Where the clocks skip midnight there is none."""
    days = [dt.date(2024, 7, 1), None, dt.date(2018, 11, 4)]
    assert read(days).values.to_list() == [1719792000.0, None, 1541289600.0]
    coerced = read(days, time_zone="America/Sao_Paulo")
    assert coerced.values.to_list() == [1719802800.0, None, None]
    assert reasons(coerced) == {"no_such_time": [2]}


@pytest.mark.parametrize(("unit", "scale"), [("s", 1), ("ms", 10**3), ("us", 10**6), ("ns", 10**9)])
def test_numbers_count_from_1970_in_their_unit(unit: str, scale: int) -> None:
    """Whole ones, fractions, and digits in text, beside which dates are read; what cannot be meant is a fault."""
    whole = [0, -1, 1_700_000_000, None]
    expected = [0.0, -1.0, 1_700_000_000.0, None]
    numbers = [None if number is None else number * scale for number in whole]
    assert read(numbers, unit=unit).values.to_list() == expected
    assert read([None if one is None else float(one) for one in numbers], unit=unit).values.to_list() == expected
    texts = [None if number is None else str(number) for number in numbers]
    assert read([*texts, "1970-01-02"], unit=unit).values.to_list() == [*expected, 86400.0]
    far = read([300_000 * 10**6 * scale / 1, math.inf, math.nan], unit=unit)
    assert reasons(far) == {"out_of_range": [0, 1]}
    assert "is unit right?" in far.faults[0].detail
    assert far.values.null_count() == 3


def test_dates_in_digits_are_read_by_the_format_alone() -> None:
    """From every format of tables: whole numbers, numbers beside a gap, and text."""
    expected = [1706659200.0, None]
    for cells in ([20240131, None], [20240131.0, None], ["20240131", None], ["20240131.0", ""]):
        assert read(cells, format="%Y%m%d").values.to_list() == expected
    coerced = read([20240131.5, 2.0, 20240230.0], format="%Y%m%d")
    assert reasons(coerced) == {"no_such_day": [2], "not_a_date": [0, 1]}


@pytest.mark.parametrize(
    ("cells", "code", "shown_values"),
    [
        ([1, 2], "missing-unit", ["Int64", "unit", "'%Y%m%d'"]),
        ([1.5], "missing-unit", ["Float64", "unit", "'%Y%m%d'"]),
        ([True], "not-a-date", ["Boolean", "unit"]),
        ([dt.time(10)], "not-a-date", ["Time"]),
        ([dt.timedelta(1)], "not-a-date", ["Duration"]),
        ([["2024-01-31"]], "not-a-date", ["List(String)"]),
    ],
)
def test_a_column_of_another_type_is_refused_as_a_whole(cells: list[Any], code: str, shown_values: list[str]) -> None:
    """By its name, with what to do."""
    with refusal(DataError, code, where="column 'x'", shows=shown_values) as refused:
        read(cells)
    assert refused.problem.hint


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin"])
@pytest.mark.parametrize(
    ("dtype", "number"),
    [
        (pl.Date(), 5 * 10**6),
        (pl.Datetime("ms"), 10**17),
        (pl.Datetime("us"), 3 * 10**17),
        (pl.Datetime("ms"), -(10**17)),
    ],
)
def test_years_beyond_all_calendars_are_faults(dtype: pl.DataType, number: int, zone: str) -> None:
    """Stamps whose unit somebody mistook; the columnar engine itself fails on some of them."""
    column = pl.Series([0, number]).cast(pl.Int32 if dtype == pl.Date else pl.Int64).cast(dtype)
    coerced = read(column, time_zone=zone)
    assert reasons(coerced) == {"out_of_range": [1]}


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".jsonl"])
def test_a_table_of_moments_is_the_same_from_every_format(tmp_path: Path, suffix: str) -> None:
    """Of dates, times, stamps with a zone and text, written by pandas."""
    stamps = pd.date_range("2024-03-30", periods=60, freq="97min")
    frame = pd.DataFrame(
        {
            "day": stamps.normalize(),
            "local": stamps,
            "aware": stamps.tz_localize("UTC").tz_convert("America/New_York"),
            "text": stamps.strftime("%Y-%m-%dT%H:%M:%S+0100"),
        }
    )
    frame.loc[3, :] = None
    path = tmp_path / f"t{suffix}"
    if suffix == ".parquet":
        frame.to_parquet(path)
    elif suffix == ".csv":
        frame.to_csv(path, index=False)
    else:
        frame.astype(str).where(frame.notna(), None).to_json(path, orient="records", lines=True)
    table = read_table(str(path))
    for name, expected in (
        ("day", stamps.normalize()),
        ("local", stamps),
        ("aware", stamps),
        ("text", stamps - pd.Timedelta("1h")),
    ):
        coerced = coerce(table[name], feature())
        assert not coerced.faults, name
        wanted = ((expected - pd.Timestamp(0)) / pd.Timedelta("1s")).to_list()
        assert coerced.values.to_list() == [*wanted[:3], None, *wanted[4:]], name


# Configuration


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"format": "%Q"}, "has %Q, which is not read; the directives are %Y"),
        ({"format": "%Y-%m-%d %"}, "has %, which is not read"),
        ({"format": "%d/%m"}, "does not say the year"),
        ({"format": "%Y-%d"}, "has %d without %m or %b or %B"),
        ({"format": "%Y %y"}, "has %Y and %y, of which one is needed"),
        ({"format": "%Y-%m-%d %I:%M"}, "has %I without %p"),
        ({"format": "%Y-%m-%d %H:%S"}, "has %S without %M"),
        ({"format": "%Y-%m-%d %H:%M:%S,%f"}, "%S.%f"),
        ({"time_zone": "Europe/Berln"}, "did you mean 'Europe/Berlin'?"),
        ({"time_zone": "+02:00"}, "Etc/GMT-2 for +02:00"),
        ({"time_zone": "../etc/passwd"}, "is not a time zone"),
        ({"unit": "h"}, "'s', 'ms', 'us' or 'ns'"),
        ({"unit": "s", "format": "%Y"}, "keep one"),
    ],
)
def test_a_configuration_that_cannot_be_meant_is_refused(options: dict[str, str], said: str) -> None:
    with pytest.raises(ValidationError) as caught:
        feature(**options)
    assert said in str(caught.value)


def test_the_engine_knows_every_time_zone_that_is_accepted() -> None:
    from polyhead.kinds.features.datetime.config import time_zones

    assert {"UTC", "Europe/Berlin", "EST5EDT"} < time_zones()
    for zone in time_zones():
        read(["2024-01-31"], time_zone=zone)


# Clocks and statistics


@pytest.mark.parametrize("zone", [*ZONES, "Africa/Casablanca", "America/Sao_Paulo"])
def test_clocks_go_as_python_says(zone: str) -> None:
    """At every change, a second before it, and between; from 1901 to 2099."""
    clock = clock_of(zone)
    starts = [start for start, _ in clock]
    assert starts == sorted(set(starts))
    place, known = zoneinfo.ZoneInfo(zone), itertools.pairwise(clock)
    for (_, before), (start, after) in known:
        moment = EPOCH + dt.timedelta(seconds=start)
        if not FROM < moment.replace(tzinfo=None) < UNTIL:
            continue
        offsets = [(moment + dt.timedelta(seconds=by)).astimezone(place).utcoffset() for by in (-1, 0, 86_400)]
        assert [int(offset.total_seconds()) for offset in offsets if offset is not None][:2] == [before, after]
    assert clock_of("UTC") == ((-2_208_988_800, 0),)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.datetimes(FROM, UNTIL), min_size=1, max_size=20), st.sampled_from(ZONES))
def test_the_parts_of_a_moment_are_pandas_own(given: list[dt.datetime], zone: str) -> None:
    """Seconds of the local day, of the local week from Monday on, and of the year from the first of January 1970."""
    stamps = pd.Series(given).astype("datetime64[us]").dt.tz_localize("UTC").dt.tz_convert(zone)
    seconds = np.array([moment.value // 1000 / 1e6 for moment in stamps.astype(object)])
    parts = parts_of(seconds, clock_of(zone))
    wall = stamps.dt.tz_localize(None)
    day = ((wall - wall.dt.normalize()) / pd.Timedelta("1s")).to_numpy()
    year = ((wall - pd.Timestamp("1970-01-01")) / pd.Timedelta("365.2425D")).to_numpy()
    expected = {"day": day / 86_400, "week": (stamps.dt.day_of_week.to_numpy() + day / 86_400) / 7, "year": year}
    np.testing.assert_array_equal(parts["elapsed"], seconds)
    for cycle, turns in expected.items():
        np.testing.assert_allclose(parts[f"{cycle}_sine"], np.sin(2 * np.pi * turns), atol=1e-9)
        np.testing.assert_allclose(parts[f"{cycle}_cosine"], np.cos(2 * np.pi * turns), atol=1e-9)


def fitted(seconds: list[float | None], **options: Any) -> DatetimeStatistics:
    fit = DatetimeFit("x", feature(**options))
    fit.update(pl.Series(seconds, dtype=pl.Float64))
    return fit.finish(NOWHERE)


@settings(max_examples=60, deadline=None)
@given(st.lists(moments | st.none(), max_size=20))
def test_statistics_are_numpys(seconds: list[float | None]) -> None:
    """Of the train rows' seconds: zeros, and variance 1, where there is none."""
    known = np.array([moment for moment in seconds if moment is not None])
    found = fitted(seconds, time_zone="Asia/Tokyo")
    assert (found.count, found.missing) == (len(known), len(seconds) - len(known))
    elapsed = found.parts["elapsed"]
    if not len(known):
        assert elapsed.model_dump() == {"mean": 0.0, "variance": 1.0, "minimum": 0.0, "maximum": 0.0}
        return
    assert (elapsed.minimum, elapsed.maximum) == (known.min(), known.max())
    assert elapsed.mean == pytest.approx(known.mean(), rel=1e-12, abs=1e-3)
    assert elapsed.variance == pytest.approx(known.var(), rel=1e-9, abs=1.0)
    assert list(found.parts) == list(PARTS)


def test_the_report_shows_the_first_and_the_last_moment() -> None:
    summary = table_of(feature()).summary()
    summary.add(pl.Series([1706695200.5, None, 0.0]))
    told = summary.column_summary("x", "feature", "datetime")
    assert (told.minimum, told.maximum, told.missing) == ("1970-01-01", "2024-01-31T10:00:00.500000Z", 1)
    empty = table_of(feature()).summary()
    empty.add(pl.Series([None], dtype=pl.Float64))
    assert (empty.column_summary("x", "feature", "datetime").minimum, empty.missing) == (None, 1)


# The graph


def transformed(tf: Any, statistics: list[DatetimeStatistics], values: Any) -> np.ndarray:
    """Float32 (rows, columns, parts + 1), the same eagerly and in tf.data."""
    from polyhead.kinds.features.datetime.graph import DatetimeTransform

    transform, values = DatetimeTransform(statistics), np.asarray(values, np.float64)
    eager = transform(tf.constant(values)).numpy()
    (mapped,) = tf.data.Dataset.from_tensors(values).map(transform)
    np.testing.assert_array_equal(mapped, eager)
    return eager


@settings(max_examples=60, deadline=None)
@given(st.lists(moments, min_size=1, max_size=20), st.lists(moments, min_size=1, max_size=9), st.sampled_from(ZONES))
def test_the_graph_gives_what_numpy_gives(tf: Any, train: list[float], given: list[float], zone: str) -> None:
    """Each part standardised by the train rows, held within their range and one deviation beyond it."""
    statistics = fitted(list(train), time_zone=zone)
    found = transformed(tf, [statistics], np.array(given)[:, None])
    assert found.dtype == np.float32
    seen = parts_of(np.array(train), clock_of(zone))
    for at, (part, values) in enumerate(parts_of(np.array(given), clock_of(zone)).items()):
        low, high = seen[part].min(), seen[part].max()
        mean, deviation = seen[part].mean(), math.sqrt(statistics.parts[part].variance)
        if low == high or deviation == 0:
            assert not found[:, 0, at].any()
        elif deviation > 1e-6 * max(1.0, abs(mean)):
            expected = np.clip((values - mean) / deviation, (low - mean) / deviation - 1, (high - mean) / deviation + 1)
            np.testing.assert_allclose(found[:, 0, at], expected, rtol=1e-4, atol=1e-4)
    assert not found[:, 0, -1].any()


def test_seconds_beside_each_other_stay_apart(tf: Any) -> None:
    """As 32-bit floats all seconds of these two minutes would be two numbers."""
    start = 1_706_695_200.0
    assert len({np.float32(start + second) for second in range(120)}) <= 2
    found = transformed(tf, [fitted([start + second for second in range(120)])], start + np.arange(120.0)[:, None])
    assert len(set(found[:, 0, 0].tolist())) == 120
    halves = transformed(tf, [fitted([start, start + 1e-3])], [[start], [start + 5e-4], [start + 1e-3]])
    assert halves[:, 0, 0].tolist() == pytest.approx([-1, 0, 1], abs=1e-2)


def test_what_does_not_vary_in_the_train_rows_does_no_harm(tf: Any) -> None:
    """Dates have no time of day, whatever time a served row has; all-Monday rows have no day of the week."""
    mondays = [4 * 86_400.0 + 604_800.0 * week for week in range(100)]
    found = transformed(tf, [fitted(list(mondays))], [[mondays[7]], [mondays[7] + 3.3 * 86_400], [math.nan]])
    places = {part: at for at, part in enumerate(PARTS)}
    for part in ("day_sine", "day_cosine", "week_sine", "week_cosine"):
        assert not found[:, 0, places[part]].any(), part
    assert found[0, 0, places["elapsed"]] != found[1, 0, places["elapsed"]]
    one = transformed(tf, [fitted([1e9])], [[1e9], [2e9], [-6e10]])
    assert not one.any()


def test_local_midnights_are_midnight_all_year_round(tf: Any) -> None:
    """In summer time and out of it; in UTC the same moments wander by an hour."""
    days = [dt.date(2023, 1, 1) + dt.timedelta(day) for day in range(400)]
    local = read(days, time_zone="Europe/Berlin").values
    own, utc = fitted(local.to_list(), time_zone="Europe/Berlin"), fitted(local.to_list())
    found = transformed(tf, [own, utc], np.stack([local.to_numpy()] * 2, 1))
    at = PARTS.index("day_sine")
    assert not found[:, 0, at].any()
    assert len(set(found[:, 1, at].tolist())) == 2


def test_what_is_not_finite_is_missing(tf: Any) -> None:
    """And any number at all gives finite parts, in columns whose clocks change more or less often."""
    statistics = [fitted([0.0, 1e9, 1.7e9], time_zone=zone) for zone in ZONES]
    values = np.array([[math.nan] * 6, [math.inf] * 6, [-math.inf] * 6, [1e300] * 6, [-1e300] * 6, [1.7e12] * 6])
    found = transformed(tf, statistics, values)
    assert np.isfinite(found).all()
    assert (found[:3, :, -1] == 1).all()
    assert not found[:3, :, :-1].any()
    assert not found[3:, :, -1].any()
    assert len(CYCLES) * 2 + 1 == len(PARTS)
