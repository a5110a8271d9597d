"""The prediction pipeline: a trained bundle and a table → the predicted rows, by one worker or several."""

from collections.abc import Callable
from typing import Any

from kfp import dsl

from polyhead.contracts.cluster import ClusterSection
from polyhead.predict import component as predict_components
from polyhead_pipelines.define.platform import Platform
from polyhead_pipelines.define.resources import settle

NAME = "polyhead-prediction"
_DESCRIPTION = "Predict the rows of a table with a trained multi-head model."


def prediction_pipeline(
    bundle_place: str, table_place: str, image: str, *, cluster: ClusterSection, platform: Platform, partitions: int = 1
) -> Any:
    """The pipeline that predicts a table.

    Args:
        bundle_place: The folder that train wrote, or where publish put it; the default of the pipeline parameter
            `bundle`.
        table_place: The table, the default of the pipeline parameter `table`.
        image: Container image of every task.
        cluster: What the tasks ask for, as the step `predict`.
        platform: What it is written for.
        partitions: Workers that share the rows, the default of the pipeline parameter `partitions`. With 1 there is
            no such parameter, and prediction is one task.

    Returns:
        A KFP graph component, to be compiled or called.
    """

    def settled(component: Callable[[str], Any], **inputs: Any) -> Any:
        return settle(component(image)(**inputs), "predict", cluster, platform)

    if partitions == 1:

        @dsl.pipeline(name=NAME, description=_DESCRIPTION)
        def prediction(bundle: str = bundle_place, table: str = table_place) -> None:
            settled(predict_components.component, bundle=bundle, table=table)

        return prediction

    @dsl.pipeline(name=NAME, description=_DESCRIPTION)
    def shared_prediction(bundle: str = bundle_place, table: str = table_place, partitions: int = partitions) -> None:
        planned = settled(predict_components.plan_component, bundle=bundle, table=table, partitions=partitions)
        plan = planned.outputs["plan"]
        with dsl.ParallelFor(planned.outputs["Output"], parallelism=cluster.parallelism or 0) as partition:
            part = settled(predict_components.partition_component, bundle=bundle, plan=plan, partition=partition)
        settled(predict_components.merge_component, plan=plan, parts=dsl.Collected(part.outputs["part"]))

    return shared_prediction
