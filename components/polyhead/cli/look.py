"""Look at what was made: an artifact, a model's card, two evaluations, the gate, new rows."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from polyhead.cli.options import BundleArgument, JsonOption, load, print_json

app = typer.Typer()
_PANEL = "Look at what was made"
_NOT_SO = 3
"""The exit code of an answer that is no error and not the wanted one: a gate that failed, rows that drifted."""

EvaluationArgument = Annotated[
    str,
    typer.Argument(
        metavar="EVALUATION", help="What evaluate wrote, or the evaluation of a published version, here or in a bucket."
    ),
]


@app.command(rich_help_panel=_PANEL)
def show(
    place: Annotated[
        str,
        typer.Argument(
            metavar="ARTIFACT",
            help="What any step wrote, a published version or a folder of versions, here or in a bucket.",
        ),
    ],
    as_json: JsonOption = False,
) -> None:
    """Say what an artifact is, from what it was made, and check its files; exits with 1 if one is damaged."""
    from polyhead.results import print_shown
    from polyhead.show.step import run as show_artifact

    shown = show_artifact(place=place)
    print_json(shown) if as_json else print_shown(shown)
    if not shown.whole:
        raise typer.Exit(1)


@app.command(rich_help_panel=_PANEL)
def card(
    bundle: BundleArgument,
    evaluation: Annotated[
        str | None,
        typer.Argument(metavar="EVALUATION", help="What evaluate wrote. Default: the one of a published version."),
    ] = None,
    out: Annotated[
        str | None,
        typer.Option(
            "-o",
            "--out",
            metavar="FILE",
            help="A file to write, HTML if it ends in .html. Default: Markdown on stdout.",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Write a model's card: data, splits, scores, slices, limits, provenance; with --json the facts of it."""
    from polyhead.card.step import run as write_card
    from polyhead.card.writing import as_html, as_markdown
    from polyhead.contracts.publication import PUBLISHED_EVALUATION
    from polyhead.progress import say
    from polyhead.storage.objects import write_whole
    from polyhead.storage.places import join

    published = join(bundle.rstrip("/"), PUBLISHED_EVALUATION.partition("/")[0])
    made = write_card(bundle=bundle, evaluation=evaluation or published)
    if out is not None:
        text = as_html(made) if out.lower().endswith((".html", ".htm")) else as_markdown(made)
        write_whole(out, text.encode())
    if out is not None:
        say(f"wrote {out}")
    if as_json:
        print_json(made.facts)
    elif out is None:
        sys.stdout.write(as_markdown(made))


@app.command(rich_help_panel=_PANEL)
def compare(
    first: Annotated[str, typer.Argument(metavar="A", help="What evaluate wrote, here or in a bucket.")],
    others: Annotated[list[str], typer.Argument(metavar="B…", help="Others, each to be compared with the first.")],
    as_json: JsonOption = False,
) -> None:
    """Compare models on the rows that all of them predicted, and say what differs in what they were made from."""
    from polyhead.compare.step import run as compare_evaluations
    from polyhead.results import print_compared

    evaluations = [first, *others]
    compared = compare_evaluations(evaluations=evaluations, names=evaluations)
    print_json(compared) if as_json else print_compared(compared)


@app.command(rich_help_panel=_PANEL)
def gate(
    evaluation: EvaluationArgument,
    config: Annotated[
        Path | None,
        typer.Argument(metavar="CONFIG", help="A configuration whose gate is judged. Default: as it was judged."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Explain every rule of the gate; exits with 0 if the model passed, with 3 if it failed, with 1 without a gate."""
    from polyhead.errors import ArtifactError
    from polyhead.evaluate.gating.judging import judge
    from polyhead.results import print_judgement

    judged = judge(evaluation=evaluation, config=None if config is None else load(config))
    if judged.verdict == "ungated":
        hint = "add rules to the config's gate, and give the config here"
        raise ArtifactError("no-gate", "has no verdict: the config has no gate", where=evaluation, hint=hint)
    print_json(judged) if as_json else print_judgement(judged)
    if judged.verdict == "failed":
        raise typer.Exit(_NOT_SO)


@app.command(rich_help_panel=_PANEL)
def drift(
    bundle: BundleArgument,
    table: Annotated[
        str, typer.Argument(metavar="TABLE", help="New rows; features are needed, targets are compared if there.")
    ],
    train: Annotated[
        str,
        typer.Option(
            metavar="V",
            help="What validate wrote of the rows that the model was made from: trains a classifier to tell the new "
            "rows from them. Default: profiles alone are compared.",
        ),
    ] = "",
    out: Annotated[str, typer.Option(metavar="DIR", help="A folder for the report, here or in a bucket.")] = "",
    no_embeddings: Annotated[
        bool,
        typer.Option(
            "--no-embeddings",
            help="Leave out what the network makes of pictures, texts and vectors, for which TensorFlow is loaded. "
            "Default: it is compared, of 1,000 rows at most.",
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Compare new rows with those a model was fitted on; exits with 0, or with 3 if a column drifted far."""
    from polyhead.drift.step import run as compare_rows
    from polyhead.progress import step
    from polyhead.results import print_drift

    with step("drift"):
        report = compare_rows(bundle=bundle, table=table, train=train, out=out, embeddings=not no_embeddings)
    print_json(report) if as_json else print_drift(report)
    if report.drift == "large":
        raise typer.Exit(_NOT_SO)
