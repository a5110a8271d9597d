"""shard as a Kubeflow Pipelines component."""

from typing import Any

from kfp import dsl


def component(image: str) -> Any:
    """The component, to run in a container image that has Polyhead installed."""

    @dsl.component(base_image=image, packages_to_install=[], install_kfp_package=False)
    def shard(
        config: str,
        data: dsl.Input[dsl.Artifact],
        preprocessing: dsl.Input[dsl.Artifact],
        shards: dsl.Output[dsl.Artifact],
        reuse: str = "",
    ) -> None:
        """Pack rows and resized pictures into TFRecord shards, one example a row."""
        from polyhead.contracts.config import parse_config
        from polyhead.progress import step
        from polyhead.shard.step import run

        places = {"data": data.path, "preprocessing": preprocessing.path, "out": shards.path, "reuse": reuse}
        with step("shard"):
            run(config=parse_config(config), **places)

    return shard
