"""benchmarks/README.md and its chart, from the kept results alone."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path

from benchmarks.harness import Figure, Measure, Sample
from benchmarks.results import Result

CHART = "chart.svg"

_SHORT = 0.1
"""Seconds below which one thing is said in thousandths."""

_MEASURES: dict[Measure, str] = {
    "seconds": "work alone",
    "cpu_seconds": "CPU time of the work",
    "process_seconds": "start included",
    "process_cpu_seconds": "CPU time, start included",
    "peak_bytes": "peak memory",
}
_TEXT = """# Benchmarks

Written by `make bench`. **A ratio is how many times as much the peer takes for the same work**: 2 is twice as fast, or
half the memory. It is the median over rounds in which both sides run one after the other; beside it stand the
smallest and the largest round. A machine's speed drifts, the ratio of neighbours does not.

- **work alone** is timed inside the side's process, after its imports and after what was prepared.
- **start included** is the whole process, imports and all, as a user waits for it. TensorFlow alone takes seconds to
  import, and the smaller the work the more that shows, so both are here.
- **CPU time** is summed over all threads and processes of a side.
- **peak memory** is that of all processes of a side together, at most 20 looks a second. Pages that processes share
  count once (Linux's PSS).

Both sides have the same input, size and quality, and all processors that they know how to use. A round that does not
count goes first.

![Ratios and what was asked for](chart.svg)

"""
_REPRODUCE = """## Reproduce

```bash
make setup
make bench-peers                          # the peers, in an environment of their own: .venv-peers, 2 GB
make bench                                # everything
make bench ARGS="--only codec fitting"    # what has one of these in its name; the other results stay
make bench ARGS="--list"                  # the names
make bench ARGS="--quick"                 # a smoke run on a hundredth of the data; keeps nothing
```

Sharding uses the photos of `../shared/data/photos`, repeated as often as needed, or made-up ones of their usual size
where that folder is missing. The objects are in a small store of our own on this machine, which waits 30 ms before each
answer: PyPI's emulator answers about 50 requests a second. Every sample of every round is in
[results.json](results.json).
"""


def readme(results: Sequence[Result]) -> str:
    """The whole page.

    Args:
        results: In the order in which they shall stand.
    """
    parts = [_TEXT]
    for area, members in _areas(results).items():
        parts += [f"## {area.capitalize()}\n\n", figures_table(members), "\n", _notes(members)]
    parts += ["## Every measure\n\nMedians over the rounds.\n\n", samples_table(results), "\n"]
    parts += ["## Measured on\n\n", machines(results), "\n", _REPRODUCE]
    return "".join(parts)


def figures_table(results: Iterable[Result]) -> str:
    """One line for each figure, as Markdown."""
    lines = ["| what | size | measure | Polyhead | against | peer | ratio | rounds | asked |", "|---" * 9 + "|"]
    for result in results:
        for figure in result.figures:
            cells = (
                result.name,
                f"{result.count:,} {result.unit}",
                _MEASURES[figure.measure],
                amount(figure.measure, figure.ours, result.count, result.unit),
                result.peer,
                amount(figure.measure, figure.theirs, result.peer_count, result.unit),
                f"**{_times(figure.ratio)}**",
                f"{_times(figure.low)} – {_times(figure.high)}",
                _verdict(figure),
            )
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def amount(measure: Measure, value: float, count: int, unit: str) -> str:
    """A measured value as a person reads it: memory in MB, one thing in seconds or less, many of them by the second."""
    if measure == "peak_bytes":
        return f"{value / 1e6:,.0f} MB"
    second = "CPU-second" if measure in ("cpu_seconds", "process_cpu_seconds") else "s"
    if count == 1:
        return f"{value:.2f} {second}" if value >= _SHORT else f"{value * 1e3:.1f} m{second}"
    return f"{count / value:,.0f} {unit}/{second}"


def samples_table(results: Iterable[Result]) -> str:
    """What each side of each case took, as Markdown; a dash where it was not measured."""
    head = ("case", "side", "work, s", "its CPU, s", "process, s", "its CPU, s", "peak, MB", "rounds")
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for result in results:
        for side, samples in (("Polyhead", result.ours), (result.peer, result.theirs)):
            cells = (
                result.id,
                side,
                _median(samples, "seconds"),
                _median(samples, "cpu_seconds"),
                _median(samples, "process_seconds"),
                _median(samples, "process_cpu_seconds"),
                _median(samples, "peak_bytes", 1e6, digits=0),
                str(len(samples)),
            )
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def machines(results: Iterable[Result]) -> str:
    """What the figures were measured on, each machine with the cases that it ran where there are several."""
    found: dict[tuple[tuple[str, str], ...], list[str]] = {}
    for result in results:
        found.setdefault(tuple(result.machine.items()), []).append(result.id)
    lines = []
    for described, ids in found.items():
        words = "; ".join(f"{name}: {value}" for name, value in described)
        lines.append(f"- {words}" + (f" ({', '.join(ids)})" if len(found) > 1 else ""))
    return "\n".join(lines) + "\n"


def chart(results: Iterable[Result]) -> str:
    """Each ratio as a bar from the line of what was asked, as SVG: to its left what was missed, to its right the rest.

    The scale is logarithmic, so that twice and half are equally far. A ratio that was asked to stay between two ends
    has no bar.
    """
    import altair as alt
    import vl_convert

    from polyhead.page.colours import FONT, LIGHT

    bars = [
        {
            "figure": f"{result.name}: {_MEASURES[figure.measure]}, against {result.peer}",
            "share": figure.ratio / least,
            "asked": 1,
            "beside": max(figure.ratio / least, 1),
            "text": f"{_times(figure.ratio)} of {_times(least)}",
            "reached": figure.reached,
        }
        for result in results
        for figure in result.figures
        for least, most in [figure.asked]
        if least is not None and most is None
    ]
    base = alt.Chart(alt.InlineData(values=bars)).encode(
        y=alt.Y("figure:N", sort=None, title=None, axis=alt.Axis(labelLimit=640, domain=False, ticks=False)),
    )
    shares = base.mark_bar(height={"band": 0.6}).encode(
        x=alt.X(
            "share:Q",
            title="ratio as a share of the one asked for",
            scale=alt.Scale(type="log", nice=False),
            axis=alt.Axis(format="~g", grid=False, values=[0.25, 0.5, 1, 2, 4, 8, 16]),
        ),
        x2="asked:Q",
        color=alt.condition("datum.reached", alt.value(LIGHT["first"]), alt.value(LIGHT["second"])),
    )
    words = base.mark_text(align="left", dx=4, color=LIGHT["ink"]).encode(x="beside:Q", text="text:N")
    line = alt.Chart(alt.InlineData(values=[{"share": 1}])).mark_rule(color=LIGHT["ink"], strokeDash=[3, 3])
    layers = shares + words + line.encode(x="share:Q")
    spec = layers.properties(
        width=360,
        height={"step": 24},
        background=LIGHT["paper"],
        padding={"left": 120, "right": 60, "top": 12, "bottom": 12},
    )
    return str(vl_convert.vegalite_to_svg(spec.configure(font=FONT).configure_view(stroke=None).to_dict()))


def write(folder: Path, results: Sequence[Result]) -> None:
    """Write the page and its chart into a folder."""
    (folder / "README.md").write_text(readme(results))
    (folder / CHART).write_text(chart(results))


def _areas(results: Iterable[Result]) -> dict[str, list[Result]]:
    """Results by the module of their case, in their order."""
    found: dict[str, list[Result]] = {}
    for result in results:
        found.setdefault(result.id.partition(".")[0], []).append(result)
    return found


def _notes(results: Iterable[Result]) -> str:
    notes = {result.peer: result.note for result in results if result.note}
    return "".join(f"- *{peer}*: {note}\n" for peer, note in notes.items()) + ("\n" if notes else "")


def _times(ratio: float) -> str:
    """A ratio with as many digits as it carries."""
    return f"{ratio:,.{0 if ratio >= 100 else 1 if ratio >= 10 else 2}f}×"


def _verdict(figure: Figure) -> str:
    least, most = figure.asked
    if least is None:
        return "–"
    asked = f"{_times(least)} – {_times(most)}" if most is not None else f"≥ {_times(least)}"
    return asked if figure.reached else f"{asked}, **missed**"


def _median(samples: Sequence[Sample], measure: Measure, unit: float = 1.0, digits: int = 2) -> str:
    values = [getattr(sample, measure) for sample in samples]
    return "–" if None in values else f"{statistics.median(values) / unit:,.{digits}f}"
