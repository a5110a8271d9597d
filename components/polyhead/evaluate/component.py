"""evaluate as a Kubeflow Pipelines component, and what draws a head's classes on its page."""

from typing import Any

from kfp import dsl


def component(image: str) -> Any:
    """The component, to run in a container image that has Polyhead installed."""

    @dsl.component(base_image=image, packages_to_install=[], install_kfp_package=False)
    def evaluate(
        config: str,
        bundle: dsl.Input[dsl.Model],
        shards: dsl.Input[dsl.Artifact],
        preprocessing: dsl.Input[dsl.Artifact],
        evaluation: dsl.Output[dsl.Artifact],
        metrics: dsl.Output[dsl.Metrics],
        report: dsl.Output[dsl.HTML],
        summary: dsl.Output[dsl.Markdown],
    ) -> None:
        """Predict the test rows, measure every head beside its baseline, write the report and the verdict."""
        import shutil

        from polyhead.contracts.config import parse_config
        from polyhead.contracts.evaluation import REPORT_PAGE
        from polyhead.evaluate.reporting.pipelines import write_summary
        from polyhead.evaluate.step import run
        from polyhead.progress import step
        from polyhead.tracking import track_evaluation

        places = {"bundle": bundle.path, "shards": shards.path, "preprocessing": preprocessing.path}
        with step("evaluate"):
            result = run(config=parse_config(config), **places, out=evaluation.path)
            track_evaluation(result, evaluation.uri)
        metrics.metadata.update(result.flat_metrics())
        shutil.copyfile(f"{evaluation.path}/{REPORT_PAGE}", report.path)
        write_summary(result, summary.path)

    return evaluate


def classes_component(image: str) -> Any:
    """What draws the classes of one head, a task for each: a component's outputs are fixed, and the heads are not."""

    @dsl.component(base_image=image, packages_to_install=[], install_kfp_package=False)
    def classes(
        position: int, evaluation: dsl.Input[dsl.Artifact], metrics: dsl.Output[dsl.ClassificationMetrics]
    ) -> None:
        """Draw a head's confusion matrix, and of two classes the ROC curve."""
        from polyhead.evaluate.reporting.pipelines import classification_metadata

        metrics.metadata.update(classification_metadata(evaluation.path, position))

    return classes
