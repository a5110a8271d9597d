"""What commands print as their result: what a step came to, and the scores, every head beside its baseline."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from functools import singledispatch
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from polyhead.contracts.bundle import ModelBundle
from polyhead.contracts.cross_validation import CrossValidation, RepeatedHead
from polyhead.contracts.evaluation import REPORT_PAGE, EvaluationReport, HeadReport
from polyhead.contracts.partitions import Plan
from polyhead.contracts.prediction import PredictionPart, Predictions
from polyhead.contracts.preprocessing import Preprocessing
from polyhead.contracts.publication import Publication
from polyhead.contracts.shards import ShardManifest, ShardPart
from polyhead.contracts.validation import PicturePart, Rejection, ValidationReport
from polyhead.errors import counted
from polyhead.kinds.metrics import METRICS
from polyhead.progress import StepUse, megabytes, result_console

_WIDTH = 100  # of lines that are not for a terminal
_MARKS = {
    "better": "[green]✓[/]",
    "not clearly better": "[yellow]≈[/]",
    "worse": "[red]✗[/]",
    None: "",
}
_LEGEND = "against the baseline: [green]✓[/] better, [yellow]≈[/] not clearly better, [red]✗[/] worse"
_VERDICTS = {"passed": "[green]passed[/]", "failed": "[red]failed[/]", "ungated": "ungated, the config has no gate"}


def print_results(report: EvaluationReport, out: Path, seconds: float, steps: Sequence[StepUse]) -> None:
    """Print what a whole run came to, to stdout.

    Args:
        report: The evaluation.
        out: The run's folder.
        seconds: Its wall time.
        steps: What each step took, one at least.
    """
    console = result_console()
    _print_scores(console, report)
    console.print(
        f"rows:    {report.rows_read:,} read, {report.rows_rejected:,} rejected; {seconds:.0f} s", soft_wrap=True
    )
    largest = max(steps, key=lambda use: use.peak_memory)
    console.print(f"memory:  {megabytes(largest.peak_memory)} at most, in {largest.step}")
    _print_place(console, str(out / "evaluate" / REPORT_PAGE))


def print_evaluation(report: EvaluationReport, place: str) -> None:
    """Print the scores, the verdict and where the report is, to stdout.

    Args:
        report: The evaluation.
        place: Where its page is.
    """
    console = result_console()
    _print_scores(console, report)
    _print_place(console, place)


@singledispatch
def facts(result: object) -> dict[str, str]:
    """What a step came to, by what it is about, in the words of its contract; empty for what is not known here."""
    del result
    return {}


@facts.register
def _(result: ValidationReport) -> dict[str, str]:
    rows = f"{result.rows_read:,} read, {result.rows_clean:,} clean, {result.rows_rejected:,} rejected"
    return {"rows": rows, **_rejected(result.rejections)}


@facts.register
def _(result: Preprocessing) -> dict[str, str]:
    findings = ", ".join(f"{finding.code} {finding.count:,}" for finding in result.findings)
    return {"rows": _splits(result.rows), **_rejected(result.rejections), **({"leakage": findings} if findings else {})}


@facts.register
def _(result: ShardManifest) -> dict[str, str]:
    size = megabytes(sum(shard.bytes for shard in result.shards))
    files = {"shards": f"{len(result.shards):,}, {size}"}
    return {"rows": f"{_splits(result.rows)}; {result.rows_rejected:,} rejected", **files}


@facts.register
def _(result: ModelBundle) -> dict[str, str]:
    return {
        "heads": ", ".join(f"{name} ({kind})" for name, kind in result.heads.items()),
        "epochs": f"{result.epochs:,}, the best is {result.best_epoch:,}",
        "score": f"{result.best_score:.3f} (joint, 1.0 = no better than the prior)",
        "size": counted(result.parameters, "parameter"),
    }


@facts.register
def _(result: Publication) -> dict[str, str]:
    return {
        "version": f"{result.version}, {result.outcome}",
        "place": result.place,
        "in force": f"{result.latest}, release {result.sequence:,}",
    }


@facts.register
def _(result: Plan) -> dict[str, str]:
    return {"parts": f"{len(result.partitions):,}, {result.partitions[0].name} to {result.partitions[-1].name}"}


@facts.register
def _(result: PicturePart) -> dict[str, str]:
    return {"part": result.partition.name, "pictures": f"{result.pictures:,}"}


@facts.register
def _(result: ShardPart) -> dict[str, str]:
    rows = sum(shard.rows for shard in result.shards)
    return {"part": result.partition.name, "rows": f"{rows:,} kept, {result.rows_rejected:,} rejected"}


@facts.register
def _(result: PredictionPart) -> dict[str, str]:
    rows = f"{result.rows_predicted:,} predicted, {result.rows_rejected:,} rejected"
    return {"part": result.partition.name, "rows": rows}


@facts.register
def _(result: Predictions) -> dict[str, str]:
    rows = f"{result.rows_read:,} read, {result.rows_predicted:,} predicted, {result.rows_rejected:,} rejected"
    places = {"predicted": result.path, "rejected rows": result.rejected_path}
    return {"rows": rows, **_rejected(result.rejections), **{name: path for name, path in places.items() if path}}


def _splits(rows: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {split}" for split, count in rows.items())


def _rejected(rejections: Sequence[Rejection]) -> dict[str, str]:
    reasons = ", ".join(f"{one.column}: {one.reason} {one.rows:,}" for one in rejections)
    return {"rejected": reasons} if reasons else {}


def print_facts(result: object, place: str) -> None:
    """Print what a step came to and where it is, to stdout, a line each.

    Args:
        result: What the step returned.
        place: Where it wrote; empty where the result says so itself.
    """
    lines = {**facts(result), **({"out": place} if place else {})}
    console, width = result_console(), max(map(len, lines), default=0) + 2
    for name, words in lines.items():
        console.print(escape(f"{f'{name}:':<{width}}{words}"), soft_wrap=True)


def spelled(report: EvaluationReport) -> str:
    """The scores and the verdict as lines of text."""
    text = io.StringIO()
    _print_scores(Console(file=text, width=_WIDTH, highlight=False, force_jupyter=False), report)
    return text.getvalue().rstrip("\n")


def _print_place(console: Console, place: str) -> None:
    console.print(f"report:  {escape(place)}", soft_wrap=True)


def print_cross_validation(result: CrossValidation, place: str) -> None:
    """Print the scores over all rows and repeats and where the page is, to stdout.

    Args:
        result: The cross-validation.
        place: Where its page is.
    """
    console = result_console()
    title = f"{result.rows:,} rows in {result.folds} folds, {counted(len(result.seeds), 'repeat')}"
    _print_heads(console, title, result.heads)
    _print_place(console, place)


def _beside(name: str, head: HeadReport) -> str:
    """A line: the headline metric of simple models on the same rows, each with how the model compares."""
    metric = METRICS[next(iter(head.metrics))]
    scores = {simple: of[metric.name] for simple, of in head.references.items() if metric.name in of}
    marked = (
        f"{_MARKS[score.verdict]} {escape(simple)} {metric.number(score.value)}" for simple, score in scores.items()
    )
    return f"against simple models, {escape(name)} {metric.name}: {', '.join(marked)}"


def _print_scores(console: Console, report: EvaluationReport) -> None:
    _print_heads(console, f"{report.rows[report.split]:,} {report.split} rows", report.heads)
    for check in report.gate:
        mark = "[green]✓[/]" if check.passed else "[red]✗[/]"
        rule = f"{escape(check.head)} {check.metric} {escape(check.rule)}"
        reason = f": {escape(check.reason)}" if check.reason else ""
        console.print(f"  {mark} {rule} [dim]({METRICS[check.metric].number(check.value)})[/]{reason}", soft_wrap=True)
    console.print(f"verdict: {_VERDICTS[report.verdict]}")
    if report.findings:
        found = ", ".join(f"{finding.code} {finding.count:,}" for finding in report.findings)
        console.print(f"leakage: {found}", soft_wrap=True)


def _print_heads(console: Console, title: str, heads: Mapping[str, HeadReport] | Mapping[str, RepeatedHead]) -> None:
    table = Table(title=title, title_justify="left", header_style="bold")
    for column, justify in (
        ("head", "left"),
        ("metric", "left"),
        ("value", "right"),
        ("95 % interval", "right"),
        ("baseline", "right"),
        ("", "left"),
    ):
        table.add_column(column, justify=justify)  # type: ignore[arg-type]  # rich's own literals
    missing: dict[str, list[str]] = {}
    for name, head in heads.items():
        about = [f"[bold]{escape(name)}[/]", f"[dim]{head.kind}[/]", f"[dim]n = {head.n:,}[/]"]
        for i, (metric_name, score) in enumerate(head.metrics.items()):
            metric = METRICS[metric_name]
            table.add_row(
                about[i] if i < len(about) else "",
                metric.name,
                metric.number(score.value),
                metric.span(score.interval) or "[dim]none[/]",
                metric.number(score.baseline),
                _MARKS[score.verdict],
            )
            if score.value is not None and score.interval.reason:
                missing.setdefault(score.interval.reason, []).append(f"{name} {metric.name}")
        table.add_section()
    console.print(table)
    console.print(_LEGEND, style="dim", soft_wrap=True)
    for name, head in heads.items():
        if isinstance(head, HeadReport) and head.references:
            console.print(_beside(name, head), soft_wrap=True)
    for reason, metrics in missing.items():
        console.print(f"no interval: {escape(', '.join(metrics))}: {escape(reason)}", style="dim", soft_wrap=True)
