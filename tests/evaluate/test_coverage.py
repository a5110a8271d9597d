"""The promise of the 95 % intervals: of 100 test splits from a known population, 93 to 97 hold the true value."""

from __future__ import annotations

import pytest
from benchmarks.coverage import POPULATIONS, ROWS, simulate
from scipy import stats

DRAWS = 36
CERTAIN = 1e-4
NAMING = ("f1", "macro_f1")
"""Metrics in which naming the rare class at random beats never naming it."""


def holds(hits: int, of: int, least: float = 0.93, most: float = 0.97) -> bool:
    """Whether so many hits are possible where between 93 and 97 % hold; a chance of 1 in 10,000 is not."""
    return bool(stats.binom.cdf(hits, of, least) > CERTAIN and stats.binom.sf(hits - 1, of, most) > CERTAIN)


@pytest.mark.parametrize("name", POPULATIONS)
def test_intervals_hold_what_they_promise(name: str) -> None:
    """For every metric at 50, 100 and 300 rows, of the value and of its difference to the baseline, or there is none.

    And never more than about 2.5 % of draws call a useless model better.
    """
    population = POPULATIONS[name]
    tallies = {(metric, rows): t for rows in ROWS for metric, t in simulate(population, rows, DRAWS).items()}
    for case, tally in tallies.items():
        assert holds(tally.held, tally.given), (case, tally)
        assert holds(tally.held_difference, tally.given_difference, most=1.0), (case, tally)
        assert tally.given == DRAWS or tally.reasons, case
        if population.useless and case[0] not in NAMING:
            assert stats.binom.sf(tally.better - 1, DRAWS, 0.04) > CERTAIN, (case, tally)


def test_most_metrics_have_an_interval_where_rows_suffice() -> None:
    """The promise is not kept by giving none: at 300 rows of usual populations nearly every draw has one."""
    for name in ("binary, 20 % positive, overconfident", "4 even classes", "6 labels, 10 to 50 %", "normal errors"):
        for metric, tally in simulate(POPULATIONS[name], 300, 20).items():
            assert tally.given == 20, (name, metric, tally.reasons)
