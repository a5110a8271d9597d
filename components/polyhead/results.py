"""The end of a run on a terminal: every head beside its baseline, and where the report is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.markup import escape
from rich.table import Table

from polyhead.contracts.evaluation import REPORT_PAGE, EvaluationReport, Metric
from polyhead.evaluate.gate import beats_baseline
from polyhead.progress import StepUse, megabytes, result_console

_STYLES = {True: "green", False: "red", None: "dim"}
_VERDICTS = {"passed": "[green]passed[/]", "failed": "[red]failed[/]", "ungated": "ungated, the config has no gate"}


def print_results(report: EvaluationReport, out: Path, seconds: float, steps: Sequence[StepUse]) -> None:
    """Print the table of heads and metrics to stdout.

    Args:
        report: The evaluation.
        out: The run's folder.
        seconds: Its wall time.
        steps: What each step took, one at least.
    """
    console = result_console()
    table = Table(title=f"{report.rows[report.split]:,} {report.split} rows", title_justify="left", header_style="bold")
    for column, justify in (
        ("head", "left"),
        ("metric", "left"),
        ("value", "right"),
        ("95 % interval", "right"),
        ("baseline", "right"),
    ):
        table.add_column(column, justify=justify)  # type: ignore[arg-type]  # rich's own literals
    for name, head in report.heads.items():
        about = [f"[bold]{escape(name)}[/]", f"[dim]{head.kind}[/]", f"[dim]n = {head.n:,}[/]"]
        for i, (metric, numbers) in enumerate(head.metrics.items()):
            style = _STYLES[beats_baseline(metric, numbers)]
            table.add_row(
                about[i] if i < len(about) else "",
                metric,
                f"[{style}]{_number(numbers.value)}[/]",
                _interval(numbers),
                _number(numbers.baseline),
            )
        table.add_section()
    console.print(table)
    for check in report.gate:
        mark = "[green]✓[/]" if check.passed else "[red]✗[/]"
        rule = f"{escape(check.head)} {check.metric} {escape(check.rule)}"
        console.print(f"  {mark} {rule} [dim]({_number(check.value)})[/]")
    console.print(f"verdict: {_VERDICTS[report.verdict]}")
    console.print(
        f"rows:    {report.rows_read:,} read, {report.rows_rejected:,} rejected; {seconds:.0f} s", soft_wrap=True
    )
    largest = max(steps, key=lambda use: use.peak_memory)
    console.print(f"memory:  {megabytes(largest.peak_memory)} at most, in {largest.step}")
    console.print(f"report:  {escape(str(out / 'evaluate' / REPORT_PAGE))}", soft_wrap=True)


def _number(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.3f}"


def _interval(metric: Metric) -> str:
    return "" if metric.low is None else f"{_number(metric.low)} – {_number(metric.high)}"
