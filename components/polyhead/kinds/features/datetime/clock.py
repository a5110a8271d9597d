"""How the clocks of a time zone go, and where a moment is in the day, the week and the year."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from polyhead.kinds.features.datetime.config import PARTS

DAY = 86_400.0
WEEK = 7 * DAY
YEAR = 365.2425 * DAY
"""The mean Gregorian year."""

CYCLES = ((DAY, 0.0), (WEEK, 4 * DAY), (YEAR, 0.0))
"""Seconds of each cycle, and where one begins: midnight, a Monday, the first of January 1970."""

_FIRST, _END = -2_208_988_800, 4_102_444_800  # 1900-01-01, 2100-01-01: the columnar engine knows no later changes


@functools.cache
def clock_of(time_zone: str) -> tuple[tuple[int, int], ...]:
    """From which second since 1970-01-01 UTC on the clocks of a time zone are how many seconds ahead of UTC.

    In order, from 1900 to 2099, by the time zone database of the columnar engine, which reads the tables too.

    Args:
        time_zone: A name of the IANA database.
    """
    days = np.arange(_FIRST, _END, int(DAY))
    ahead = _ahead(days, time_zone)
    changed = np.flatnonzero(np.diff(ahead))
    before, after = days[changed], days[changed + 1]
    while (after - before > 1).any():
        middle = (before + after) // 2
        as_before = _ahead(middle, time_zone) == ahead[changed]
        before, after = np.where(as_before, middle, before), np.where(as_before, after, middle)
    return ((_FIRST, int(ahead[0])), *zip(after.tolist(), ahead[changed + 1].tolist(), strict=True))


def _ahead(seconds: NDArray[np.int64], time_zone: str) -> NDArray[np.int64]:
    moments = pl.Series(seconds * 1000).cast(pl.Datetime("ms", "UTC")).dt.convert_time_zone(time_zone)
    return moments.dt.replace_time_zone(None).to_physical().to_numpy() // 1000 - seconds


def local_seconds(seconds: NDArray[np.float64], clock: Sequence[tuple[int, int]]) -> NDArray[np.float64]:
    """Moments as what the clocks of a time zone show, arguments as in `parts_of`."""
    starts, ahead = np.array(clock, np.float64).T
    local: NDArray[np.float64] = seconds + ahead[np.maximum(np.searchsorted(starts, seconds, "right") - 1, 0)]
    return local


def parts_of(seconds: NDArray[np.float64], clock: Sequence[tuple[int, int]]) -> dict[str, NDArray[np.float64]]:
    """The parts of moments.

    Args:
        seconds: Since 1970-01-01 UTC, (rows,).
        clock: As `clock_of` gives it.

    Returns:
        By the names of `PARTS`, (rows,) each.
    """
    local = local_seconds(seconds, clock)
    parts = [seconds]
    for period, start in CYCLES:
        angle = np.mod(local - start, period) * (2 * np.pi / period)
        parts += [np.sin(angle), np.cos(angle)]
    return dict(zip(PARTS, parts, strict=True))
