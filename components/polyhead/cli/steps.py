"""One step at a time."""

from __future__ import annotations

from typing import Annotated

import typer

from polyhead.cli.options import (
    ConfigArgument,
    DataOption,
    DestinationOption,
    JsonOption,
    OutOption,
    PreprocessingOption,
    ReuseOption,
    SeedOption,
    ShardsOption,
    TableOption,
    WorkersOption,
    compared,
    destination,
    finish,
    load,
    table_place,
    then_train,
)

app = typer.Typer()


@app.command(rich_help_panel="One step at a time")
def validate(
    config: ConfigArgument,
    out: OutOption,
    table: TableOption = None,
    workers: WorkersOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check a table: clean rows, rejected rows with their reasons, a report."""
    from polyhead.progress import step
    from polyhead.storage.places import beside
    from polyhead.validate.step import run as validate_table

    with step("validate"):
        checked = load(config)
        result = validate_table(config=checked, table=table_place(config, checked, table), out=out, workers=workers)
    then = ("preprocess", config, "--data", out, "--out", beside(out, "preprocess"))
    finish(result, as_json, made="the clean table and the rejected rows", out=out, then=then)


@app.command(rich_help_panel="One step at a time")
def preprocess(
    config: ConfigArgument,
    data: DataOption,
    out: OutOption,
    as_json: JsonOption = False,
) -> None:
    """Split the rows and fit scalers, vocabularies and class counts on the train rows."""
    from polyhead.preprocess.step import run as preprocess_table
    from polyhead.progress import step
    from polyhead.storage.places import beside

    with step("preprocess"):
        result = preprocess_table(config=load(config), data=data, out=out)
    then = ("shard", config, "--data", data, "--preprocessing", out, "--out", beside(out, "shard"))
    finish(result, as_json, made="the split and the statistics", out=out, then=then)


@app.command(rich_help_panel="One step at a time")
def shard(
    config: ConfigArgument,
    data: DataOption,
    preprocessing: PreprocessingOption,
    out: OutOption,
    reuse: ReuseOption = "",
    workers: WorkersOption = None,
    as_json: JsonOption = False,
) -> None:
    """Pack rows and resized pictures into TFRecord shards."""
    from polyhead.progress import step
    from polyhead.shard.step import run as shard_table

    with step("shard"):
        checked = load(config)
        result = shard_table(
            config=checked, data=data, preprocessing=preprocessing, out=out, reuse=reuse, workers=workers
        )
    finish(result, as_json, made="the shards", out=out, then=then_train(config, checked, out, preprocessing))


@app.command(rich_help_panel="One step at a time")
def encode(
    config: ConfigArgument,
    shards: Annotated[str, typer.Option(metavar="FOLDER", help="The folder that shard wrote, here or in a bucket.")],
    preprocessing: PreprocessingOption,
    out: OutOption,
    reuse: Annotated[
        str,
        typer.Option(metavar="FOLDER", help="What encode made of other shards, to copy from. Default: that at --out."),
    ] = "",
    as_json: JsonOption = False,
) -> None:
    """Compute once what frozen networks make of the shards' pictures."""
    from polyhead.encode.step import run as encode_shards
    from polyhead.progress import step

    with step("encode"):
        checked = load(config)
        result = encode_shards(config=checked, shards=shards, preprocessing=preprocessing, out=out, reuse=reuse)
    then = then_train(config, checked, out, preprocessing, encoded=True)
    finish(result, as_json, made="the shards with features of pictures", out=out, then=then)


@app.command(rich_help_panel="One step at a time")
def train(
    config: ConfigArgument,
    shards: ShardsOption,
    preprocessing: PreprocessingOption,
    out: OutOption,
    seed: SeedOption = None,
    as_json: JsonOption = False,
) -> None:
    """Train the multi-head model and bundle it with its transforms."""
    from polyhead.progress import step
    from polyhead.storage.places import beside
    from polyhead.tracking import track_training
    from polyhead.train.step import run as train_model

    with step("train"):
        checked = load(config).with_seed(seed)
        result = train_model(config=checked, shards=shards, preprocessing=preprocessing, out=out)
        track_training(result, out, out)
    inputs = ("--bundle", out, "--shards", shards, "--preprocessing", preprocessing)
    then = ("evaluate", config, *inputs, "--out", beside(out, "evaluate"))
    finish(result, as_json, made="the model, with its SavedModel in serving", out=out, then=then)


@app.command(rich_help_panel="One step at a time")
def evaluate(
    config: ConfigArgument,
    bundle: Annotated[str, typer.Option(metavar="FOLDER", help="The folder that train wrote, here or in a bucket.")],
    shards: ShardsOption,
    preprocessing: PreprocessingOption,
    out: OutOption,
    against: Annotated[
        str | None,
        typer.Option(
            metavar="PLACE",
            help="A deployed bundle to compare with, or latest for the version in force at publish.to; replaces the "
            "configuration's evaluate.against.",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Predict the test rows, measure every head beside its baseline, write the report and the verdict."""
    from polyhead.evaluate.step import run as evaluate_model
    from polyhead.progress import step
    from polyhead.tracking import track_evaluation

    with step("evaluate"):
        checked = load(config)
        result = evaluate_model(
            config=checked,
            bundle=bundle,
            shards=shards,
            preprocessing=preprocessing,
            out=out,
            against=compared(config, checked, against),
        )
        track_evaluation(result, out)
    if as_json:
        finish(result, as_json)
        return
    from polyhead.contracts.evaluation import REPORT_PAGE
    from polyhead.results import print_evaluation
    from polyhead.storage.places import join

    print_evaluation(result, join(out, REPORT_PAGE))


@app.command(rich_help_panel="One step at a time")
def ablate(
    config: ConfigArgument,
    bundle: Annotated[str, typer.Option(metavar="FOLDER", help="The folder that train wrote, here or in a bucket.")],
    shards: ShardsOption,
    preprocessing: PreprocessingOption,
    out: OutOption,
    without: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="A feature or a group as the report calls it, such as 'all pictures'; may be given again. Default: "
            "each feature and each group, one after another.",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Train again without each input, and evaluate with what the model gains by having it."""
    from polyhead.ablate.step import run as ablate_model
    from polyhead.contracts.evaluation import REPORT_PAGE
    from polyhead.results import print_evaluation
    from polyhead.storage.places import join

    result = ablate_model(
        config=load(config),
        bundle=bundle,
        shards=shards,
        preprocessing=preprocessing,
        out=out,
        without=without or (),
    )
    if as_json:
        finish(result, as_json)
    else:
        print_evaluation(result, join(out, REPORT_PAGE))


@app.command(rich_help_panel="One step at a time")
def publish(
    config: ConfigArgument,
    bundle: Annotated[str, typer.Option(metavar="FOLDER", help="The folder that train wrote, here or in a bucket.")],
    evaluation: Annotated[
        str, typer.Option(metavar="FOLDER", help="The folder that evaluate wrote, here or in a bucket.")
    ],
    out: OutOption,
    to: DestinationOption = None,
    as_json: JsonOption = False,
) -> None:
    """Copy a bundle that passed the gate to its version's folder, and point latest.json to it."""
    from polyhead.progress import step
    from polyhead.publish.step import run as publish_model

    with step("publish"):
        checked = load(config)
        place = destination(config, checked, to)
        result = publish_model(config=checked, bundle=bundle, evaluation=evaluation, destination=place, out=out)
    finish(result, as_json, made="the record of it", out=out)


@app.command(rich_help_panel="One step at a time")
def rollback(
    config: ConfigArgument,
    version: Annotated[str, typer.Argument(metavar="VERSION", help="A version that was published.")],
    to: DestinationOption = None,
    as_json: JsonOption = False,
) -> None:
    """Put a version in force again that was published before."""
    from polyhead.publish.step import roll_back

    checked = load(config)
    finish(roll_back(config=checked, version=version, destination=destination(config, checked, to)), as_json)
