"""Steps that several workers share: a plan, each partition alone, a merge. Pipelines call the same functions."""

from __future__ import annotations

from typing import Annotated

import typer

from polyhead.cli.options import (
    BundleArgument,
    ConfigArgument,
    DataOption,
    JsonOption,
    OutOption,
    PartitionsOption,
    PredictionsOption,
    PreprocessingOption,
    ReuseOption,
    TableOption,
    WorkersOption,
    finish,
    load,
    table_place,
    then_train,
)

app = typer.Typer()
_PANEL = "A step shared by several workers"

PlanOption = Annotated[
    str, typer.Option(metavar="FOLDER", help="The folder that the plan command wrote, here or in a bucket.")
]
PartitionArgument = Annotated[
    str, typer.Argument(metavar="PARTITION", help="Its name in the plan, such as 00002-of-00008.")
]
PartOption = Annotated[
    list[str], typer.Option(metavar="FOLDER", help="What a partition command wrote; repeat for each, in any order.")
]


@app.command(rich_help_panel=_PANEL)
def validate_plan(
    config: ConfigArgument,
    out: OutOption,
    partitions: PartitionsOption,
    table: TableOption = None,
    as_json: JsonOption = False,
) -> None:
    """Cut the pictures of a table into partitions of about the same bytes."""
    from polyhead.progress import step
    from polyhead.storage.places import beside
    from polyhead.validate.step import plan

    with step("validate plan"):
        checked = load(config)
        place = table_place(config, checked, table)
        result = plan(config=checked, table=place, partitions=partitions, out=out)
    then = ("validate-partition", config, result.partitions[0].name, "--plan", out, "--out", beside(out, "part-0"))
    finish(result, as_json, made="the plan", out=out, then=then, each=result)


@app.command(rich_help_panel=_PANEL)
def validate_partition(
    config: ConfigArgument,
    partition: PartitionArgument,
    plan: PlanOption,
    out: OutOption,
    workers: WorkersOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check the pictures of one partition."""
    from polyhead.progress import step
    from polyhead.validate.step import run_partition

    with step(f"validate partition {partition}"):
        result = run_partition(config=load(config), plan=plan, partition=partition, out=out, workers=workers)
    finish(result, as_json, made="the facts of the pictures", out=out)


@app.command(rich_help_panel=_PANEL)
def validate_merge(
    config: ConfigArgument,
    plan: PlanOption,
    part: PartOption,
    out: OutOption,
    table: TableOption = None,
    workers: WorkersOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check the table, as validate does, without opening the pictures again."""
    from polyhead.progress import step
    from polyhead.storage.places import beside
    from polyhead.validate.step import run

    with step("validate"):
        checked = load(config)
        place = table_place(config, checked, table)
        result = run(config=checked, table=place, plan=plan, parts=part, out=out, workers=workers)
    then = ("preprocess", config, "--data", out, "--out", beside(out, "preprocess"))
    finish(result, as_json, made="the clean table and the rejected rows", out=out, then=then)


@app.command(rich_help_panel=_PANEL)
def shard_plan(
    config: ConfigArgument,
    data: DataOption,
    preprocessing: PreprocessingOption,
    out: OutOption,
    partitions: PartitionsOption,
    as_json: JsonOption = False,
) -> None:
    """Cut the rows into partitions of about the same bytes of pictures."""
    from polyhead.progress import step
    from polyhead.shard.step import plan
    from polyhead.storage.places import beside

    with step("shard plan"):
        result = plan(config=load(config), data=data, preprocessing=preprocessing, partitions=partitions, out=out)
    then = (
        *("shard-partition", config, result.partitions[0].name, "--plan", out),
        *("--data", data, "--preprocessing", preprocessing, "--out", beside(out, "part-0")),
    )
    finish(result, as_json, made="the plan", out=out, then=then, each=result)


@app.command(rich_help_panel=_PANEL)
def shard_partition(
    config: ConfigArgument,
    partition: PartitionArgument,
    data: DataOption,
    preprocessing: PreprocessingOption,
    plan: PlanOption,
    out: OutOption,
    reuse: ReuseOption = "",
    workers: WorkersOption = None,
    as_json: JsonOption = False,
) -> None:
    """Pack the rows and resized pictures of one partition; called again, it resumes where it was killed."""
    from polyhead.progress import step
    from polyhead.shard.step import run_partition

    places = {"data": data, "preprocessing": preprocessing, "plan": plan, "out": out, "reuse": reuse}
    with step(f"shard partition {partition}"):
        result = run_partition(config=load(config), partition=partition, workers=workers, **places)
    finish(result, as_json, made="the records of its rows", out=out)


@app.command(rich_help_panel=_PANEL)
def shard_merge(
    config: ConfigArgument,
    data: DataOption,
    preprocessing: PreprocessingOption,
    plan: PlanOption,
    part: PartOption,
    out: OutOption,
    as_json: JsonOption = False,
) -> None:
    """Join the rows of all partitions into the shards that shard writes."""
    from polyhead.progress import step
    from polyhead.shard.step import merge

    places = {"data": data, "preprocessing": preprocessing, "plan": plan, "out": out}
    with step("shard"):
        checked = load(config)
        result = merge(config=checked, parts=part, **places)
    finish(result, as_json, made="the shards", out=out, then=then_train(config, checked, out, preprocessing))


@app.command(rich_help_panel=_PANEL)
def predict_plan(
    bundle: BundleArgument,
    table: Annotated[str, typer.Argument(metavar="TABLE", help="Rows to predict; only features are needed.")],
    out: OutOption,
    partitions: PartitionsOption,
    as_json: JsonOption = False,
) -> None:
    """Clean a table and cut its rows into partitions of about the same bytes of pictures."""
    from polyhead.predict.step import plan
    from polyhead.progress import step
    from polyhead.storage.places import beside

    with step("predict plan"):
        result = plan(bundle=bundle, table=table, partitions=partitions, out=out)
    then = ("predict-partition", bundle, result.partitions[0].name, "--plan", out, "--out", beside(out, "part-0"))
    finish(result, as_json, made="the plan", out=out, then=then, each=result)


@app.command(rich_help_panel=_PANEL)
def predict_partition(
    bundle: BundleArgument,
    partition: PartitionArgument,
    plan: PlanOption,
    out: OutOption,
    workers: WorkersOption = None,
    as_json: JsonOption = False,
) -> None:
    """Predict the rows of one partition."""
    from polyhead.predict.step import run_partition
    from polyhead.progress import step

    with step(f"predict partition {partition}"):
        result = run_partition(bundle=bundle, plan=plan, partition=partition, out=out, workers=workers)
    finish(result, as_json, made="the predictions of its rows", out=out)


@app.command(rich_help_panel=_PANEL)
def predict_merge(
    plan: PlanOption,
    part: PartOption,
    out: PredictionsOption,
    as_json: JsonOption = False,
) -> None:
    """Join the predictions of all partitions into the file that predict writes."""
    from polyhead.predict.step import merge
    from polyhead.progress import step

    with step("predict"):
        result = merge(plan=plan, parts=part, out=out)
    finish(result, as_json)
