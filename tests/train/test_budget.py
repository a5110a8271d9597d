"""How trainings share a time, by a clock that stands until it is moved."""

from __future__ import annotations

import pytest

from polyhead.contracts.config import parse_config
from polyhead.contracts.settings import TrainSection
from polyhead.errors import ConfigError
from polyhead.train import budget
from polyhead.train.budget import Budget, spelled_time

CONFIG = """
table: t.csv
features: {{a: {{kind: numeric}}}}
targets: {{b: {{kind: regression}}}}
train: {{time_budget: {}}}
"""


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    moment = [100.0]
    monkeypatch.setattr(budget, "now", lambda: moment[0])
    return moment


def epochs_of(shared: Budget, clock: list[float], *, lasting: list[float]) -> int:
    """How many epochs a training has; each takes the next of some times, the last one again and again."""
    shared.begin_training()
    done = 0
    while True:
        clock[0] += lasting[min(done, len(lasting) - 1)]
        shared.end_epoch()
        done += 1
        if shared.is_spent or done == 1000:
            return done


def test_no_epoch_begins_that_would_end_too_late(clock):
    assert epochs_of(Budget(60), clock, lasting=[20]) == 3
    assert epochs_of(Budget(59), clock, lasting=[20]) == 2
    assert epochs_of(Budget(60), clock, lasting=[30, 10]) == 4  # the first is slower: the graph is traced in it


def test_a_training_has_one_epoch_at_least(clock):
    assert epochs_of(Budget(0), clock, lasting=[20]) == 1


def test_trainings_share_what_is_left(clock):
    """The second one has what the first did not use too."""
    shared = Budget(100, trainings=2)
    assert epochs_of(shared, clock, lasting=[20]) == 2
    assert epochs_of(shared, clock, lasting=[20]) == 3


def test_without_a_bound_the_clock_is_never_read(monkeypatch):
    def no_clock() -> float:
        raise AssertionError

    monkeypatch.setattr(budget, "now", no_clock)
    shared = Budget(None)
    shared.begin_training()
    shared.end_epoch()
    assert not shared.is_spent


@pytest.mark.parametrize(
    ("written", "seconds"), [("20", 1200), ("0.5", 30), ("90s", 90), ("20min", 1200), ("1.5h", 5400), ("null", None)]
)
def test_a_time_is_minutes_or_a_duration(written: str, seconds: float | None) -> None:
    assert parse_config(CONFIG.format(written)).train.budget_seconds == seconds


@pytest.mark.parametrize("written", ["0", "-5", "true", "20m", "soon", "0s", "[20]"])
def test_another_word_is_no_time(written: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config(CONFIG.format(written))
    assert [problem.code for problem in caught.value.problems] == ["invalid-time-budget"]


def test_times_are_spelled() -> None:
    assert [spelled_time(seconds) for seconds in (45, 60, 150, 3600, 5400)] == [
        *("45 s", "1 min", "2 min 30 s", "1 h", "1 h 30 min")
    ]
    assert TrainSection().budget_seconds is None
