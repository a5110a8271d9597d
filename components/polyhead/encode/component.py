"""encode as a Kubeflow Pipelines component."""

from typing import Any

from kfp import dsl


def component(image: str) -> Any:
    """The component, to run in a container image that has Polyhead installed."""

    @dsl.component(base_image=image, packages_to_install=[], install_kfp_package=False)
    def encode(
        config: str,
        shards: dsl.Input[dsl.Artifact],
        preprocessing: dsl.Input[dsl.Artifact],
        encoded: dsl.Output[dsl.Artifact],
        reuse: str = "",
    ) -> None:
        """Compute once what frozen networks make of the shards' pictures."""
        from polyhead.contracts.config import parse_config
        from polyhead.encode.step import run
        from polyhead.progress import step

        places = {"shards": shards.path, "preprocessing": preprocessing.path, "out": encoded.path, "reuse": reuse}
        with step("encode"):
            run(config=parse_config(config), **places)

    return encode
