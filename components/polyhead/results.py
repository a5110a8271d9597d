"""What commands print as their result: what a step came to, heads beside their baselines, evaluations side by side."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from functools import singledispatch
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from polyhead.contracts.bundle import ModelBundle
from polyhead.contracts.compared import ComparedEvaluations
from polyhead.contracts.cross_validation import CrossValidation, RepeatedHead
from polyhead.contracts.drifted import DriftReport
from polyhead.contracts.evaluation import REPORT_PAGE, SUSPECTS_TABLE, EvaluationReport, GateCheck, HeadReport
from polyhead.contracts.gate import called
from polyhead.contracts.partitions import Plan
from polyhead.contracts.prediction import PredictionPart, Predictions
from polyhead.contracts.preprocessing import Preprocessing
from polyhead.contracts.publication import Publication
from polyhead.contracts.shards import ShardManifest, ShardPart
from polyhead.contracts.shown import Shown
from polyhead.contracts.validation import PicturePart, Rejection, ValidationReport
from polyhead.errors import counted
from polyhead.evaluate.gating.judging import Judgement
from polyhead.kinds.metrics import GATE_METRICS, METRICS
from polyhead.progress import StepUse, megabytes, result_console
from polyhead.spelling import number

_WIDTH = 100  # of lines that are not for a terminal
_MARKS = {
    "better": "[green]✓[/]",
    "not clearly better": "[yellow]≈[/]",
    "worse": "[red]✗[/]",
    None: "",
}
_LETTERS = 26
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
    """The scores and the verdict as lines of text, without colours whatever the environment asks of a terminal."""
    text = io.StringIO()
    plain = Console(
        file=text, width=_WIDTH, highlight=False, force_jupyter=False, force_terminal=False, color_system=None
    )
    _print_scores(plain, report)
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
        console.print(f"  {_checked(check)}", soft_wrap=True)
    console.print(f"verdict: {_VERDICTS[report.verdict]}")
    for name, head in report.heads.items():
        if head.sentence:
            console.print(f"[bold]{escape(name)}:[/] {escape(head.sentence)}", soft_wrap=True)
        worst = [f"{score.feature} {score.value}" for score in head.slices if score.stands_out]
        if worst:
            console.print(f"  [yellow]worse than other rows:[/] {escape(', '.join(worst))}", soft_wrap=True)
        if head.suspects:
            console.print(f"  {counted(head.suspects, 'label')} in doubt, see {SUSPECTS_TABLE}", soft_wrap=True)
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


def _checked(check: GateCheck) -> str:
    """A rule in a line, with what was measured."""
    mark = "[green]✓[/]" if check.passed else "[yellow]–[/]" if check.waived else "[red]✗[/]"
    rule = f"{escape(check.head)} {check.metric} {escape(check.rule)}"
    reason = f": {escape(check.reason)}" if check.reason else ""
    return f"{mark} {rule} [dim]({GATE_METRICS[check.metric].number(check.value)})[/]{reason}"


def print_judgement(judged: Judgement) -> None:
    """Print every rule of a gate: what was asked, what was measured, and how it went, to stdout.

    Args:
        judged: The gate.
    """
    console = result_console()
    for check in judged.checks:
        metric = GATE_METRICS[check.metric]
        console.print(_checked(check), soft_wrap=True)
        if check.reference:
            apart = "undefined" if check.difference is None else metric.signed(check.difference)
            within = metric.span_of_difference(check.interval)
            known = f"differs from {escape(called(check.reference))} by {apart}"
        else:
            within = metric.span(check.interval)
            known = f"measured {metric.number(check.value)}"
        around = f", 95 % interval {within}" if within else ", no interval"
        place = f"; in {escape(check.path)}" if check.path else ""
        waived = "; another rule of its any holds" if check.waived else ""
        console.print(f"    {known}{around}{place}{waived}", style="dim", soft_wrap=True)
    console.print(f"verdict: {_VERDICTS[judged.verdict]}")


def print_shown(shown: Shown) -> None:
    """Print what an artifact is, to stdout.

    Args:
        shown: The artifact.
    """
    console = result_console()
    console.print(f"[bold]{shown.contract}[/] at {escape(shown.place)}", soft_wrap=True)
    console.print(
        f"written by {escape(shown.made_by)} of Polyhead {escape(shown.polyhead_version)}, "
        f"format {shown.format_version}, fingerprint {shown.fingerprint[:16]}",
        soft_wrap=True,
    )
    if shown.made_from:
        origins = ", ".join(f"{escape(name)} {value[:12]}" for name, value in shown.made_from.items())
        console.print(f"made from {origins}", soft_wrap=True)
    for name, value in shown.facts.items():
        _print_fact(console, name.replace("_", " "), value)
    if not shown.files:
        return
    size = sum(file.bytes for file in shown.files.values())
    console.print(f"{counted(len(shown.files), 'file')}, {size:,} bytes")
    for name, file in shown.files.items():
        mark = "[green]✓[/]" if file.state == "whole" else "[red]✗[/]"
        problem = f" [red]{escape(file.problem)}[/]" if file.problem else ""
        console.print(f"  {mark} {escape(name)} [dim]{file.bytes:,}[/]{problem}", soft_wrap=True)
    if shown.whole:
        console.print("every file is as it was written")
    else:
        broken = sum(file.state != "whole" for file in shown.files.values())
        console.print(f"[red]{counted(broken, 'file')} of {len(shown.files):,} not as written[/]")


def _print_fact(console: Console, name: str, value: Any) -> None:
    """A fact in a line; one with parts that have parts in a line for each."""
    if isinstance(value, Mapping) and any(isinstance(part, Mapping) for part in value.values()):
        console.print(f"{name}:")
        for part, facts in value.items():
            console.print(f"  {escape(str(part))}: {escape(_plain(facts))}", soft_wrap=True)
    else:
        console.print(f"{name}: {escape(_plain(value))}", soft_wrap=True)


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        parts = [f"{name.replace('_', ' ')} {_plain(part)}" for name, part in value.items() if part is not None]
        return ", ".join(parts) or "none"
    if isinstance(value, list):
        return ", ".join(map(_plain, value)) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return number(value) if isinstance(value, float) else str(value)


def print_compared(compared: ComparedEvaluations) -> None:
    """Print evaluations side by side, to stdout.

    Args:
        compared: The evaluations.
    """
    console = result_console()
    letters = [chr(ord("A") + i) if i < _LETTERS else str(i + 1) for i in range(len(compared.evaluations))]
    for letter, one in zip(letters, compared.evaluations, strict=True):
        told = f"[bold]{letter}[/] {escape(one.place)}: {counted(one.rows, 'row')}, verdict {one.verdict}"
        console.print(told, soft_wrap=True)
    title = f"{counted(compared.shared, 'row')} that all of them have"
    table = Table(title=title, title_justify="left", header_style="bold")
    table.add_column("head")
    table.add_column("metric")
    table.add_column("A", justify="right")
    for letter in letters[1:]:
        table.add_column(letter, justify="right")
        table.add_column(f"{letter} − A", justify="right")
        table.add_column("95 % interval", justify="right")
        table.add_column("")
    missing: dict[str, list[str]] = {}
    for name, head in compared.heads.items():
        about = [f"[bold]{escape(name)}[/]", f"[dim]{head.kind}[/]", f"[dim]n = {head.n:,}[/]"]
        if head.relabelled:
            about.append(f"[dim]{head.relabelled:,} relabelled[/]")
        for i, (metric_name, (first, *others)) in enumerate(head.metrics.items()):
            metric = METRICS[metric_name]
            cells = [about[i] if i < len(about) else "", metric.name, metric.number(first.value)]
            for letter, score in zip(letters[1:], others, strict=True):
                cells += [
                    metric.number(score.value),
                    "–" if score.difference is None else metric.signed(score.difference),
                    metric.span_of_difference(score.interval) or "[dim]none[/]",
                    _MARKS[score.verdict],
                ]
                if score.interval.reason:
                    missing.setdefault(score.interval.reason, []).append(f"{letter} {name} {metric.name}")
            table.add_row(*cells)
        table.add_section()
    console.print(table)
    console.print("against A: [green]✓[/] better, [yellow]≈[/] not clearly better, [red]✗[/] worse", style="dim")
    for reason, scores in missing.items():
        console.print(f"no interval: {escape(', '.join(scores))}: {escape(reason)}", style="dim", soft_wrap=True)
    for note in compared.notes:
        console.print(f"note: {escape(note)}", soft_wrap=True)
    if not compared.differences:
        console.print("made alike: the same data, configuration and version of Polyhead")
        return
    console.print("what differs:")
    for difference in compared.differences:
        values = "; ".join(
            f"{letter} {_value(value)}" for letter, value in zip(letters, difference.values, strict=True)
        )
        console.print(f"  {escape(difference.what)}: {escape(values)}", soft_wrap=True)


def _value(value: Any) -> str:
    """A value of a configuration, as JSON."""
    return "none" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


_DRIFTS = {"none": "none", "moderate": "[yellow]moderate[/]", "large": "[red]large[/]"}
_NEAREST = 5  # comparisons that are shown where nothing drifted


def print_drift(report: DriftReport) -> None:
    """Print what drifted, the largest first, to stdout.

    Args:
        report: The comparison.
    """
    console = result_console()
    used = report.rows_read - report.rows_rejected
    drifted = [one for one in report.columns if one.drift != "none"]
    shown = sorted(drifted or report.columns, key=lambda one: -one.size)
    shown = shown if drifted else shown[:_NEAREST]
    title = f"{counted(used, 'row')} against {counted(report.train_rows, 'train row')}"
    table = Table(title=title, title_justify="left", header_style="bold")
    for column, justify in (
        ("column", "left"),
        ("of", "left"),
        ("PSI", "right"),
        ("KS", "right"),
        ("Fréchet", "right"),
        ("p", "right"),
        ("drift", "left"),
        ("", "left"),
    ):
        table.add_column(column, justify=justify)  # type: ignore[arg-type]  # rich's own literals
    for one in shown:
        p_value = "< 0.001" if one.p_value < 0.001 else f"{one.p_value:.3f}"
        table.add_row(
            f"[bold]{escape(one.column)}[/]",
            one.of,
            *("" if number is None else f"{number:.3f}" for number in (one.psi, one.ks, one.frechet)),
            p_value,
            _DRIFTS[one.drift],
            escape(one.detail),
        )
    console.print(table)
    rest = len(report.columns) - len(shown)
    console.print(f"{counted(len(drifted), 'comparison')} of {len(report.columns):,} drifted; {rest:,} are not shown")
    for note in report.notes:
        console.print(escape(note), soft_wrap=True)
    if report.rows_rejected:
        console.print(f"rows:    {report.rows_read:,} read, {report.rows_rejected:,} rejected")
        for rejection in report.rejections[:_NEAREST]:
            console.print(
                f"  column '{escape(rejection.column)}': {rejection.reason} in {counted(rejection.rows, 'row')}",
                soft_wrap=True,
            )
    if (found := report.classifier) is not None:
        within = f"{found.interval.low:.3f} to {found.interval.high:.3f}" if found.interval.low is not None else "none"
        console.print(
            f"told apart with a ROC AUC of {found.auc:.3f}, 95 % interval {within}, on {found.rows:,} and "
            f"{found.train_rows:,} rows: {_DRIFTS[found.drift]}",
            soft_wrap=True,
        )
    console.print(f"drift:   {_DRIFTS[report.drift]}")
