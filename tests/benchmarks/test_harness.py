"""How sides are measured in turns, and the figures that come of their samples."""

from __future__ import annotations

import json
import statistics
import sys
import time
from fractions import Fraction
from pathlib import Path

import pytest
from benchmarks import QUICK, harness, scaled, side
from benchmarks.harness import Case, MissingPeersError, Sample, SideError, figures, measure, own_process, whole_command
from hypothesis import given
from hypothesis import strategies as st

linux = pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")


def case(**changes):
    described = {"name": "n", "unit": "images", "count": 100, "peer": "p", "ours": object, "theirs": object}
    return Case.of({**described, **changes})


durations = st.floats(min_value=1e-3, max_value=1e5)
rounds = st.lists(st.tuples(durations, durations), min_size=1, max_size=9)


def one(measured, ours, theirs, **changes):
    """The only figure of a case whose samples have one measure."""
    samples = [[Sample(**{measured: value}) for value in values] for values in (ours, theirs)]
    (figure,) = figures(case(**{"asked": {measured: None}, **changes}), *samples)
    return figure


def test_a_ratio_is_the_median_of_the_ratios_of_neighbours():
    figure = one("seconds", [1.0, 2.0, 4.0], [10.0, 10.0, 10.0])
    assert (figure.ratio, figure.low, figure.high) == (5.0, 2.5, 10.0)
    assert (figure.ours, figure.theirs) == (2.0, 10.0)


@given(rounds)
def test_a_ratio_is_what_exact_arithmetic_says(pairs):
    figure = one("seconds", *zip(*pairs, strict=True))
    exact = [Fraction(their) / Fraction(our) for our, their in pairs]
    assert figure.ratio == pytest.approx(float(statistics.median(exact)), rel=1e-12)
    assert figure.low == pytest.approx(float(min(exact)), rel=1e-12)
    assert figure.high == pytest.approx(float(max(exact)), rel=1e-12)


def test_time_is_compared_by_the_item_and_memory_whole():
    assert one("seconds", [30.0], [1.0], count=3000, peer_count=100).ratio == 1.0
    assert one("peak_bytes", [30], [30], count=3000, peer_count=100).ratio == 1.0


def test_a_measure_that_a_side_lacks_gives_no_figure():
    asked = {"seconds": 2.0, "peak_bytes": 4.0}
    found = figures(case(asked=asked), [Sample(seconds=1.0, peak_bytes=5)], [Sample(seconds=3.0)])
    assert [figure.measure for figure in found] == ["seconds"]


@pytest.mark.parametrize(
    ("asked", "reached"),
    [(None, None), (4.9, True), (5.0, True), (5.1, False), ((4.0, 6.0), True), ((1.0, 4.0), False)],
)
def test_a_ratio_is_held_against_what_was_asked(asked, reached):
    assert one("seconds", [1.0], [5.0], asked={"seconds": asked}).reached is reached


def test_sides_take_turns_and_the_first_round_does_not_count():
    order = []

    def run(name):
        order.append(name)
        return Sample(seconds=float(len(order)))

    ours, theirs = measure(case(ours=lambda: run("ours"), theirs=lambda: run("theirs")), 3)
    assert order == ["ours", "theirs", "theirs", "ours", "ours", "theirs", "theirs", "ours"]
    assert [sample.seconds for sample in ours] == [4.0, 5.0, 8.0]
    assert [sample.seconds for sample in theirs] == [3.0, 6.0, 7.0]


def test_a_side_that_gives_no_sample_is_timed_where_it_stands():
    (ours,), _ = measure(case(ours=lambda: list(range(1000)), theirs=lambda: None), 1, warm_up=False)
    assert ours.seconds is not None
    assert ours.seconds > 0
    assert ours.cpu_seconds is not None
    assert ours.cpu_seconds >= 0
    assert ours.peak_bytes is None


@pytest.mark.parametrize("theirs", [lambda: Sample(count=99), lambda: 99])
def test_a_side_that_did_less_than_it_should_is_an_error(theirs):
    short = case(ours=lambda: Sample(count=100), theirs=theirs)
    with pytest.raises(SideError, match="theirs did 99 of 100 images"):
        measure(short, 1)


def test_a_process_of_its_own_tells_its_times_on_its_last_line(tmp_path):
    told = tmp_path / "told.json"
    told.write_text(json.dumps({"count": 3, "seconds": 2.5, "cpu_seconds": 1.5}))
    sample = own_process("json.tool", "--compact", told)()
    assert (sample.count, sample.seconds, sample.cpu_seconds) == (3, 2.5, 1.5)
    assert sample.process_seconds is not None
    assert 0 < sample.process_seconds < 60


def test_a_process_that_tells_no_times_is_an_error():
    with pytest.raises(SideError, match=r"platform told no times: it must end with side\.report"):
        own_process("platform")()


def test_a_process_that_fails_is_an_error_with_what_it_said():
    with pytest.raises(SideError, match=r"ended with 7:\nsorry"):
        whole_command("-c", "import sys; print('sorry', file=sys.stderr); sys.exit(7)")()


def test_a_peer_is_refused_before_anything_runs_where_the_peers_are_missing(monkeypatch, tmp_path):
    monkeypatch.setattr(harness, "PEERS_PYTHON", tmp_path / "python")
    with pytest.raises(MissingPeersError, match="make bench-peers"):
        own_process("json.tool", peers=True)


@linux
def test_memory_is_that_of_all_processes_with_shared_pages_once():
    held = 200 * 2**20
    code = (
        "import os, time; held = bytearray(os.urandom(1)) * HELD; pid = os.fork(); time.sleep(0.4);"
        "own = bytearray(b'x') * (HELD * (pid == 0) // 4); time.sleep(1.5); pid and os.wait()"
    )
    sample = whole_command("-c", code.replace("HELD", str(held)))()
    assert sample.peak_bytes is not None
    assert 1.24 * held < sample.peak_bytes < 1.35 * held


@linux
def test_processes_left_behind_are_ended(tmp_path):
    file = tmp_path / "pid"
    sleeper = "[sys.executable, '-c', 'import time; time.sleep(60)']"
    code = (
        f"import pathlib, subprocess, sys; pathlib.Path({str(file)!r}).write_text(str(subprocess.Popen({sleeper}).pid))"
    )
    whole_command("-c", code)()
    process = Path("/proc", file.read_text())
    for _ in range(100):
        if not process.exists() or (process / "stat").read_text().rpartition(")")[2].split()[0] in "ZX":
            return
        time.sleep(0.05)
    pytest.fail("it is still running")


def test_a_side_reports_its_work_as_one_line(capsys):
    side.report(lambda: 5)
    told = json.loads(capsys.readouterr().out)
    assert told.keys() == {"count", "seconds", "cpu_seconds"}
    assert told["count"] == 5


def test_a_side_that_knows_its_seconds_better_tells_no_cpu_time(capsys):
    side.report(lambda: (5, 1.25))
    assert json.loads(capsys.readouterr().out) == {"count": 5, "seconds": 1.25}


@pytest.mark.parametrize(("quick", "count"), [("", 2_200), ("1", 22)])
def test_a_smoke_run_does_a_hundredth(monkeypatch, quick, count):
    monkeypatch.setenv(QUICK, quick)
    assert scaled(2_200) == count
    assert scaled(1) == 1
