"""The command line of the benchmarks, without running any."""

from __future__ import annotations

import pytest
from benchmarks import __main__ as command


def run(monkeypatch, *arguments):
    monkeypatch.setattr("sys.argv", ["benchmarks", *arguments])
    return command.main()


def test_every_case_has_a_name_of_its_module(monkeypatch, capsys):
    assert run(monkeypatch, "--list") == 0
    names = capsys.readouterr().out.split()
    assert "sharding.img2dataset" in names
    assert {name.partition(".")[0] for name in names} == set(command.AREAS)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--only", "no", "none"], "no case has 'no' or 'none' in its name; --list prints them"),
        (["--rounds", "0"], "--rounds must be at least 1, received 0"),
    ],
)
def test_a_wrong_argument_says_what_was_received(monkeypatch, capsys, arguments, said):
    with pytest.raises(SystemExit) as stopped:
        run(monkeypatch, *arguments)
    assert stopped.value.code == 2
    assert said in capsys.readouterr().err


def case(ours, theirs=object):
    return lambda _: {"name": "n", "unit": "rows", "count": 2, "peer": "p", "ours": ours, "theirs": theirs}


def missing(_):
    raise command.MissingPeersError("the peers are not installed: make bench-peers")


def wrong():
    raise command.SideError("it fell over")


def test_a_run_goes_on_after_a_case_that_cannot_be_run(monkeypatch, capsys, tmp_path):
    makers = {"a.missing": missing, "a.wrong": case(wrong), "a.good": case(object)}
    monkeypatch.setattr(command, "makers", lambda: makers)
    monkeypatch.setattr(command, "machine", lambda: {"processor": "small"})
    monkeypatch.setattr(command, "HERE", tmp_path)
    assert run(monkeypatch, "--rounds", "2") == 1
    out, err = capsys.readouterr()
    assert out.startswith("a.missing: skipped: the peers are not installed: make bench-peers\na.good: seconds ")
    assert err == "a.wrong: failed: it fell over\n"
    (kept,) = command.results.read(tmp_path / "results.json")
    assert (kept.id, len(kept.ours), kept.machine) == ("a.good", 2, {"processor": "small"})
    assert "a.good" in (tmp_path / "README.md").read_text()


def test_a_run_of_some_cases_leaves_the_results_of_the_others(monkeypatch, tmp_path):
    monkeypatch.setattr(command, "makers", lambda: {name: case(object) for name in ("a.one", "a.two", "b.three")})
    monkeypatch.setattr(command, "machine", dict)
    monkeypatch.setattr(command, "HERE", tmp_path)
    run(monkeypatch, "--rounds", "1")
    run(monkeypatch, "--rounds", "2", "--only", "two", "b.")
    kept = command.results.read(tmp_path / "results.json")
    assert [(result.id, len(result.ours)) for result in kept] == [("a.one", 1), ("a.two", 2), ("b.three", 2)]


def test_a_smoke_run_keeps_nothing(monkeypatch, tmp_path):
    monkeypatch.setenv(command.QUICK, "")
    monkeypatch.setattr(command, "makers", lambda: {"a.good": case(object)})
    monkeypatch.setattr(command, "machine", dict)
    monkeypatch.setattr(command, "HERE", tmp_path)
    assert run(monkeypatch, "--quick") == 0
    assert list(tmp_path.iterdir()) == []
