"""publish as a Kubeflow Pipelines component."""

from typing import Any

from kfp import dsl


def component(image: str) -> Any:
    """The component, to run in a container image that has Polyhead installed."""

    @dsl.component(base_image=image, packages_to_install=[], install_kfp_package=False)
    def publish(
        config: str,
        bundle: dsl.Input[dsl.Model],
        evaluation: dsl.Input[dsl.Artifact],
        destination: str,
        publication: dsl.Output[dsl.Artifact],
    ) -> None:
        """Copy a bundle that passed the gate to its version's folder, and point latest.json to it."""
        from polyhead.contracts.config import parse_config
        from polyhead.progress import step
        from polyhead.publish.step import run

        with step("publish"):
            run(
                config=parse_config(config),
                bundle=bundle.path,
                evaluation=evaluation.path,
                destination=destination,
                out=publication.path,
            )

    return publish
