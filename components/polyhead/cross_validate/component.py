"""cross-validate as a Kubeflow Pipelines component."""

from typing import Any

from kfp import dsl


def component(image: str) -> Any:
    """The component, to run in a container image that has Polyhead installed."""

    @dsl.component(base_image=image, packages_to_install=[], install_kfp_package=False)
    def cross_validate(
        config: str,
        data: dsl.Input[dsl.Artifact],
        scores: dsl.Output[dsl.Artifact],
        metrics: dsl.Output[dsl.Metrics],
        report: dsl.Output[dsl.HTML],
    ) -> None:
        """Fit again for every fold of the rows, and score the predictions of all rows."""
        import shutil

        from polyhead.contracts.config import parse_config
        from polyhead.contracts.evaluation import REPORT_PAGE
        from polyhead.cross_validate.step import run
        from polyhead.progress import step

        with step("cross-validate"):
            result = run(config=parse_config(config), data=data.path, out=scores.path)
        metrics.metadata.update(result.flat_metrics())
        shutil.copyfile(f"{scores.path}/{REPORT_PAGE}", report.path)

    return cross_validate
