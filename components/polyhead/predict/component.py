"""predict as Kubeflow Pipelines components: alone, or shared by several workers."""

from typing import Any

from kfp import dsl


def component(image: str) -> Any:
    """The component, to run in a container image that has Polyhead installed."""

    @dsl.component(base_image=image, packages_to_install=[], install_kfp_package=False)
    def predict(
        bundle: str,
        table: str,
        predictions: dsl.Output[dsl.Dataset],
    ) -> None:
        """Predict the rows of a table with a trained bundle."""
        from polyhead.contracts.prediction import PREDICTIONS_TABLE
        from polyhead.predict.step import run
        from polyhead.progress import step

        with step("predict"):
            run(bundle=bundle, table=table, out=f"{predictions.path}/{PREDICTIONS_TABLE}")

    return predict


def plan_component(image: str) -> Any:
    """The component that cleans a table and says who predicts which rows."""

    @dsl.component(base_image=image, packages_to_install=[], install_kfp_package=False)
    def predict_plan(
        bundle: str,
        table: str,
        partitions: int,
        plan: dsl.Output[dsl.Artifact],
    ) -> list[str]:
        """Clean a table and cut its rows into partitions of about the same bytes; gives their names."""
        from polyhead.predict.step import plan as plan_predictions
        from polyhead.progress import step

        with step("predict plan"):
            made = plan_predictions(bundle=bundle, table=table, partitions=int(partitions), out=plan.path)
        return made.names

    return predict_plan


def partition_component(image: str) -> Any:
    """The component that predicts the rows of one partition."""

    @dsl.component(base_image=image, packages_to_install=[], install_kfp_package=False)
    def predict_partition(
        bundle: str,
        plan: dsl.Input[dsl.Artifact],
        partition: str,
        part: dsl.Output[dsl.Artifact],
    ) -> None:
        """Predict the rows of one partition."""
        from polyhead.predict.step import run_partition
        from polyhead.progress import step

        with step(f"predict partition {partition}"):
            run_partition(bundle=bundle, plan=plan.path, partition=partition, out=part.path)

    return predict_partition


def merge_component(image: str) -> Any:
    """The component that joins the partitions into one table."""

    @dsl.component(base_image=image, packages_to_install=[], install_kfp_package=False)
    def predict(
        plan: dsl.Input[dsl.Artifact],
        parts: dsl.Input[list[dsl.Artifact]],
        predictions: dsl.Output[dsl.Dataset],
    ) -> None:
        """Join the predictions of all partitions, none lost and none doubled."""
        import operator

        from polyhead.contracts.prediction import PREDICTIONS_TABLE
        from polyhead.predict.step import merge
        from polyhead.progress import step

        out = f"{predictions.path}/{PREDICTIONS_TABLE}"
        with step("predict"):
            merge(plan=plan.path, parts=list(map(operator.attrgetter("path"), parts)), out=out)

    return predict
