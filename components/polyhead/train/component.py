"""train as a Kubeflow Pipelines component."""

from typing import Any

from kfp import dsl


def component(image: str) -> Any:
    """The component, to run in a container image that has Polyhead installed."""

    @dsl.component(base_image=image, packages_to_install=[], install_kfp_package=False)
    def train(
        config: str,
        shards: dsl.Input[dsl.Artifact],
        preprocessing: dsl.Input[dsl.Artifact],
        bundle: dsl.Output[dsl.Model],
    ) -> None:
        """Train the multi-head model and bundle it with its transforms."""
        from polyhead.contracts.config import parse_config
        from polyhead.progress import step
        from polyhead.tracking import track_training
        from polyhead.train.step import run

        with step("train"):
            made = run(
                config=parse_config(config), shards=shards.path, preprocessing=preprocessing.path, out=bundle.path
            )
            track_training(made, bundle.path, bundle.uri)

    return train
