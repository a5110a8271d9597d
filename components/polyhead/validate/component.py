"""validate as Kubeflow Pipelines components: alone, or the look at the pictures shared by several workers."""

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


def plan_component(image: str) -> Any:
    """The component that says who looks at which pictures."""

    @dsl.component(base_image=image, packages_to_install=[], install_kfp_package=False)
    def validate_plan(
        config: str,
        table: str,
        partitions: int,
        plan: dsl.Output[dsl.Artifact],
    ) -> list[str]:
        """Cut the pictures of a table into partitions of about the same bytes; gives their names."""
        from polyhead.contracts.config import parse_config
        from polyhead.progress import step
        from polyhead.validate.step import plan as plan_pictures

        with step("validate plan"):
            made = plan_pictures(config=parse_config(config), table=table, partitions=int(partitions), out=plan.path)
        return made.names

    return validate_plan


def partition_component(image: str) -> Any:
    """The component that looks at the pictures of one partition."""

    @dsl.component(base_image=image, packages_to_install=[], install_kfp_package=False)
    def validate_partition(
        config: str,
        plan: dsl.Input[dsl.Artifact],
        partition: str,
        looks: dsl.Output[dsl.Artifact],
    ) -> None:
        """Look at the pictures of one partition."""
        from polyhead.contracts.config import parse_config
        from polyhead.progress import step
        from polyhead.validate.step import run_partition

        with step(f"validate partition {partition}"):
            run_partition(config=parse_config(config), plan=plan.path, partition=partition, out=looks.path)

    return validate_partition


def merge_component(image: str) -> Any:
    """The component that validates a table whose pictures others have looked at."""

    @dsl.component(base_image=image, packages_to_install=[], install_kfp_package=False)
    def validate(
        config: str,
        table: str,
        plan: dsl.Input[dsl.Artifact],
        looks: dsl.Input[list[dsl.Artifact]],
        data: dsl.Output[dsl.Artifact],
    ) -> None:
        """Check a table whose pictures were looked at: clean rows, rejected rows with their reasons, a report."""
        import operator

        from polyhead.contracts.config import parse_config
        from polyhead.progress import step
        from polyhead.validate.step import run

        parts = list(map(operator.attrgetter("path"), looks))
        with step("validate"):
            run(config=parse_config(config), table=table, plan=plan.path, parts=parts, out=data.path)

    return validate
