"""The prediction pipeline: a trained bundle and a table → the predicted rows, by one worker or several."""

from typing import Any

from kfp import dsl

from polyhead.predict import component as predict_components
from polyhead_pipelines.training import DEFAULT_IMAGE

NAME = "polyhead-prediction"
_DESCRIPTION = "Predict the rows of a table with a trained multi-head model."


def prediction_pipeline(
    bundle_place: str, table_place: str, image: str = DEFAULT_IMAGE, *, partitions: int = 1, parallelism: int = 0
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

    Returns:
        A KFP graph component, to be compiled or called.
    """
    # Never from the cache: it knows the places, not what stands there now.
    if partitions == 1:
        predict = predict_components.component(image)

        @dsl.pipeline(name=NAME, description=_DESCRIPTION)
        def prediction(bundle: str = bundle_place, table: str = table_place) -> None:
            predict(bundle=bundle, table=table).set_caching_options(False)

        return prediction
    plan, merge = predict_components.plan_component(image), predict_components.merge_component(image)
    predict_partition = predict_components.partition_component(image)

    @dsl.pipeline(name=NAME, description=_DESCRIPTION)
    def shared_prediction(bundle: str = bundle_place, table: str = table_place, partitions: int = partitions) -> None:
        planned = plan(bundle=bundle, table=table, partitions=partitions).set_caching_options(False)
        with dsl.ParallelFor(planned.outputs["Output"], parallelism=parallelism) as partition:
            part = predict_partition(bundle=bundle, plan=planned.outputs["plan"], partition=partition)
            part.set_caching_options(False)
        merge(plan=planned.outputs["plan"], parts=dsl.Collected(part.outputs["part"])).set_caching_options(False)

    return shared_prediction
