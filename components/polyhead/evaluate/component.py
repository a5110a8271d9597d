"""evaluate as a Kubeflow Pipelines component."""

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
    ) -> None:
        """Predict the test rows, measure every head beside its baseline, write the report and the verdict."""
        import shutil

        from polyhead.contracts.config import parse_config
        from polyhead.contracts.evaluation import REPORT_PAGE
        from polyhead.evaluate.step import run
        from polyhead.progress import step
        from polyhead.tracking import track_evaluation

        with step("evaluate"):
            inputs = {"bundle": bundle.path, "shards": shards.path, "preprocessing": preprocessing.path}
            result = run(config=parse_config(config), **inputs, out=evaluation.path)
            track_evaluation(result, evaluation.uri)
        metrics.metadata.update(result.flat_metrics())
        shutil.copyfile(f"{evaluation.path}/{REPORT_PAGE}", report.path)

    return evaluate
