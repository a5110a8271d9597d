"""The prediction pipeline: a trained bundle and a table → the predicted rows, by one worker or several."""

from typing import Any

from kfp import dsl

from polyhead.contracts.cluster import ClusterSection
from polyhead.predict import component as predict_components
from polyhead_pipelines.resources import settle
from polyhead_pipelines.targets import Target
from polyhead_pipelines.training import DEFAULT_IMAGE

NAME = "polyhead-prediction"
_DESCRIPTION = "Predict the rows of a table with a trained multi-head model."


def prediction_pipeline(
    bundle_place: str,
    table_place: str,
    image: str = DEFAULT_IMAGE,
    *,
    partitions: int = 1,
    parallelism: int = 0,
    cluster: ClusterSection | None = None,
    target: Target = "local",
) -> Any:
    """The pipeline that predicts a table.

    Args:
        bundle_place: The folder that train wrote, or where publish put it; the default of the pipeline parameter
            `bundle`.
        table_place: The table, the default of the pipeline parameter `table`.
        image: Container image of every step.
        partitions: Workers that share the rows, the default of the pipeline parameter `partitions`. With 1 there is
            no such parameter, and prediction is one task.
        parallelism: Most partitions at a time. 0 leaves it to the cluster.
        cluster: What a configuration's section says that `predict` asks for. Default: nothing.
        target: Who is told of it: `kfp`, `vertex`, or `local`, which needs none.

    Returns:
        A KFP graph component, to be compiled or called.
    """
    asked = cluster or ClusterSection()

    def settled(task: Any) -> Any:
        return settle(task, "predict", asked, target)

    if partitions == 1:
        predict = predict_components.component(image)

        @dsl.pipeline(name=NAME, description=_DESCRIPTION)
        def prediction(bundle: str = bundle_place, table: str = table_place) -> None:
            settled(predict(bundle=bundle, table=table))

        return prediction
    plan, merge = predict_components.plan_component(image), predict_components.merge_component(image)
    predict_partition = predict_components.partition_component(image)

    @dsl.pipeline(name=NAME, description=_DESCRIPTION)
    def shared_prediction(bundle: str = bundle_place, table: str = table_place, partitions: int = partitions) -> None:
        planned = settled(plan(bundle=bundle, table=table, partitions=partitions))
        with dsl.ParallelFor(planned.outputs["Output"], parallelism=parallelism) as partition:
            part = settled(predict_partition(bundle=bundle, plan=planned.outputs["plan"], partition=partition))
        settled(merge(plan=planned.outputs["plan"], parts=dsl.Collected(part.outputs["part"])))

    return shared_prediction
