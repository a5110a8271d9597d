"""Results that are kept, and the page that is made of them."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from benchmarks import readme, results
from benchmarks.harness import Case, Sample
from benchmarks.results import Result


def result(identity="sharding.one", *, ours=(1.0, 1.0), theirs=(4.0, 6.0), asked=4.0, machine="small", note=""):
    case = Case.of(
        {
            "name": "photos",
            "unit": "images",
            "count": 1000,
            "peer": "a loop",
            "ours": object,
            "theirs": object,
            "asked": {"seconds": asked, "peak_bytes": (0.85, 1.15)},
            "note": note,
        }
    )

    def samples(side: Any) -> list[Sample]:
        return [Sample(seconds=value, peak_bytes=50_000_000) for value in side]

    return Result.of(identity, case, samples(ours), samples(theirs), {"processor": machine})


def test_results_are_read_as_they_were_written(tmp_path):
    kept = [result(), result("fitting.two", asked=None)]
    results.write(tmp_path / "results.json", kept)
    assert results.read(tmp_path / "results.json") == kept


def test_there_are_no_results_before_the_first_run(tmp_path):
    assert results.read(tmp_path / "results.json") == []


def test_a_partial_run_takes_the_place_of_its_own_cases_only():
    old = [result("a.one"), result("b.two"), result("c.gone")]
    fresh = replace(result("b.two"), machine={"processor": "new"})
    merged = results.merged(old, [fresh, result("a.zero")], ["a.zero", "a.one", "b.two", "b.never"])
    assert [kept.id for kept in merged] == ["a.zero", "a.one", "b.two"]
    assert merged[2] is fresh


def test_the_table_has_a_line_for_each_figure():
    assert readme.figures_table([result()]).splitlines()[2:] == [
        "| photos | 1,000 images | work alone | 1,000 images/s | a loop | 200 images/s "
        "| **5.00×** | 4.00× – 6.00× | ≥ 4.00× |",
        "| photos | 1,000 images | peak memory | 50 MB | a loop | 50 MB | **1.00×** | 1.00× – 1.00× | 0.85× – 1.15× |",
    ]


@pytest.mark.parametrize(("asked", "cell"), [(None, "–"), (5.0, "≥ 5.00×"), (5.5, "≥ 5.50×, **missed**")])
def test_what_was_missed_says_so(asked, cell):
    line = readme.figures_table([result(asked=asked)]).splitlines()[2]
    assert line.endswith(f"| {cell} |")


@pytest.mark.parametrize(
    ("measure", "value", "count", "text"),
    [
        ("seconds", 4.0, 2_200, "550 rows/s"),
        ("cpu_seconds", 2.0, 4_000_000, "2,000,000 rows/CPU-second"),
        ("process_seconds", 1.234, 1, "1.23 s"),
        ("seconds", 0.00268, 1, "2.7 ms"),
        ("peak_bytes", 73_400_000, 2_200, "73 MB"),
    ],
)
def test_amounts_read_as_a_person_says_them(measure, value, count, text):
    assert readme.amount(measure, value, count, "rows") == text


def test_every_side_is_listed_with_its_medians():
    lines = readme.samples_table([result()]).splitlines()[2:]
    assert lines == [
        "| sharding.one | Polyhead | 1.00 | – | – | – | 50 | 2 |",
        "| sharding.one | a loop | 5.00 | – | – | – | 50 | 2 |",
    ]


def test_one_machine_is_described_once_and_several_with_their_cases():
    assert readme.machines([result("a"), result("b")]) == "- processor: small\n"
    assert readme.machines([result("a"), result("b", machine="large"), result("c")]) == (
        "- processor: small (a, c)\n- processor: large (b)\n"
    )


def test_the_page_groups_cases_and_says_how_each_peer_works_once():
    note = "Works\n    slowly."
    page = readme.readme([result(note=note), result("sharding.two", note=note), result("fitting.three")])
    assert page.index("## Sharding") < page.index("## Fitting")
    assert page.count("- *a loop*: Works slowly.\n") == 1


def test_the_chart_has_a_bar_for_each_ratio_with_one_end():
    drawn = readme.chart([result(), result("a.two", asked=7.0), result("a.three", asked=None)])
    assert drawn.startswith("<svg")
    assert re.findall(r">([\d.]+× of [\d.]+×)</text>", drawn) == ["5.00× of 4.00×", "5.00× of 7.00×"]


def test_the_page_and_its_chart_lie_side_by_side(tmp_path):
    readme.write(tmp_path, [result()])
    assert f"({readme.CHART})" in (tmp_path / "README.md").read_text()
    assert (tmp_path / readme.CHART).read_text().startswith("<svg")
