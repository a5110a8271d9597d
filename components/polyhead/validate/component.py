"""validate as a Kubeflow Pipelines component."""

from typing import Any

from kfp import dsl


def component(image: str) -> Any:
    """The component, to run in a container image that has Polyhead installed."""

    @dsl.component(base_image=image, packages_to_install=[], install_kfp_package=False)
    def validate(
        config: str,
        table: str,
        data: dsl.Output[dsl.Artifact],
    ) -> None:
        """Check a table: clean rows, rejected rows with their reasons, a report."""
        from polyhead.contracts.config import parse_config
        from polyhead.progress import step
        from polyhead.validate.step import run

        with step("validate"):
            run(config=parse_config(config), table=table, out=data.path)

    return validate
