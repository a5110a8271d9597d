"""preprocess as a Kubeflow Pipelines component."""

from typing import Any

from kfp import dsl


def component(image: str) -> Any:
    """The component, to run in a container image that has Polyhead installed."""

    @dsl.component(base_image=image, packages_to_install=[], install_kfp_package=False)
    def preprocess(
        config: str,
        data: dsl.Input[dsl.Artifact],
        preprocessing: dsl.Output[dsl.Artifact],
    ) -> None:
        """Split the clean rows and fit scalers, vocabularies and class counts on the train rows."""
        from polyhead.contracts.config import parse_config
        from polyhead.preprocess.step import run
        from polyhead.progress import step

        with step("preprocess"):
            run(config=parse_config(config), data=data.path, out=preprocessing.path)

    return preprocess
