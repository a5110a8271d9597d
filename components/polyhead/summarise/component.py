"""summarise as a Kubeflow Pipelines component: the exit handler."""

from typing import Any

from kfp import dsl


def component(image: str) -> Any:
    """The component, to run in a container image that has Polyhead installed."""

    @dsl.component(base_image=image, packages_to_install=[], install_kfp_package=False)
    def summarise(
        status: dsl.PipelineTaskFinalStatus, job_name: str, job_id: str, summary: dsl.Output[dsl.Markdown]
    ) -> None:
        """Say how the run ended, where its logs and rejected rows are, and what to do next."""
        from polyhead.summarise.step import run

        run(
            state=status.state,
            message=status.error_message,
            code=status.error_code,
            resource=status.pipeline_job_resource_name,
            job_name=job_name,
            job_id=job_id,
            place=summary.uri,
            out=summary.path,
        )

    return summarise
