"""shard as Kubeflow Pipelines components: alone, or shared by several workers."""

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


def plan_component(image: str) -> Any:
    """The component that says who writes which rows."""

    @dsl.component(base_image=image, packages_to_install=[], install_kfp_package=False)
    def shard_plan(
        config: str,
        data: dsl.Input[dsl.Artifact],
        preprocessing: dsl.Input[dsl.Artifact],
        partitions: int,
        plan: dsl.Output[dsl.Artifact],
    ) -> list[str]:
        """Cut the rows into partitions of about the same bytes of pictures; gives their names."""
        from polyhead.contracts.config import parse_config
        from polyhead.progress import step
        from polyhead.shard.step import plan as plan_shards

        places = {"data": data.path, "preprocessing": preprocessing.path, "out": plan.path}
        with step("shard plan"):
            made = plan_shards(config=parse_config(config), partitions=int(partitions), **places)
        return made.names

    return shard_plan


def partition_component(image: str) -> Any:
    """The component that writes the rows of one partition."""

    @dsl.component(base_image=image, packages_to_install=[], install_kfp_package=False)
    def shard_partition(
        config: str,
        data: dsl.Input[dsl.Artifact],
        preprocessing: dsl.Input[dsl.Artifact],
        plan: dsl.Input[dsl.Artifact],
        partition: str,
        part: dsl.Output[dsl.Artifact],
        reuse: str = "",
    ) -> None:
        """Pack the rows and resized pictures of one partition."""
        from polyhead.contracts.config import parse_config
        from polyhead.progress import step
        from polyhead.shard.step import run_partition

        places = {"data": data.path, "preprocessing": preprocessing.path, "plan": plan.path, "out": part.path}
        with step(f"shard partition {partition}"):
            run_partition(config=parse_config(config), partition=partition, reuse=reuse, **places)

    return shard_partition


def merge_component(image: str) -> Any:
    """The component that joins the partitions into shards."""

    @dsl.component(base_image=image, packages_to_install=[], install_kfp_package=False)
    def shard(
        config: str,
        data: dsl.Input[dsl.Artifact],
        preprocessing: dsl.Input[dsl.Artifact],
        plan: dsl.Input[dsl.Artifact],
        parts: dsl.Input[list[dsl.Artifact]],
        shards: dsl.Output[dsl.Artifact],
    ) -> None:
        """Join the rows of all partitions into TFRecord shards, none lost and none doubled."""
        import operator

        from polyhead.contracts.config import parse_config
        from polyhead.progress import step
        from polyhead.shard.step import merge

        places = {"data": data.path, "preprocessing": preprocessing.path, "plan": plan.path, "out": shards.path}
        with step("shard"):
            merge(config=parse_config(config), parts=list(map(operator.attrgetter("path"), parts)), **places)

    return shard
